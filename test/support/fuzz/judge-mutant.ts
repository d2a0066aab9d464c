import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import type { BytesOutcome } from '../../../src/codec/outcome.ts';
import type { CompressionSettings } from '../../../src/core/job.ts';
import type { Judge, Reading } from './judges/judge.ts';
import { isAlike, isTransparent, meanDifference } from './judges/pixels.ts';
import type { FuzzFormat } from './mutate.ts';

/**
 * What must not occur. `laundered`: a damaged source was compressed, or kept as if it were sound. `falselyRefused`: a
 * source was called damaged out of which others read the undamaged picture. `differing`: the output is not the picture
 * of its source, or others cannot read it. `crashed`: damage that is not reported as such. And what is worth a look:
 * `refusedAlone`, damage that was found in a file that others read without a complaint, though with other pixels.
 */
export type OffenceKind = 'laundered' | 'falselyRefused' | 'differing' | 'crashed' | 'refusedAlone';

export interface Offence {
  readonly kind: OffenceKind;
  /** In few words, so that offences can be grouped. */
  readonly cause: string;
  readonly detail: string;
}

export interface JudgedFile {
  readonly bytes: Uint8Array;
  readonly format: FuzzFormat;
  /** What the judges read in the file before it was damaged; absent where it was not. */
  readonly sound?: ReadonlyMap<string, Reading>;
}

/** Holds an outcome against what foreign decoders make of the source, and of the output. */
export async function judgeOutcome(
  file: JudgedFile,
  outcome: BytesOutcome,
  settings: CompressionSettings,
  judges: readonly Judge[],
): Promise<Offence | undefined> {
  if (outcome.status === 'skipped' || isUnproven(outcome)) return undefined;
  if (outcome.status === 'failed') {
    if (outcome.code === 'CorruptImage') return falseRefusal(file, outcome.message, judges);
    // The others say nothing about damage: a limit, or metadata that cannot be removed.
    if (outcome.code !== 'EncoderCrash' && outcome.code !== 'Unexpected') return undefined;
    return { kind: 'crashed', cause: outcome.code, detail: outcome.message };
  }
  const source = await readAccepted(file, judges);
  const laundering = launderingOf(file, source);
  if (laundering)
    return { kind: 'laundered', cause: `${nameOf(outcome)}${laundering.cause}`, detail: laundering.detail };
  if (outcome.status !== 'compressed') return undefined;
  const difference = await differenceOf(file, outcome, source, { settings, judges });
  return difference === undefined ? undefined : { kind: 'differing', cause: nameOf(outcome), detail: difference };
}

/** Kept, and reported as an image of which nobody knows whether it is whole. */
export function isUnproven(outcome: BytesOutcome): boolean {
  const reason: string | undefined = outcome.status === 'kept' ? outcome.reason : undefined;
  return reason === 'unproven';
}

type Readings = ReadonlyMap<Judge, Reading>;

function nameOf(outcome: BytesOutcome): string {
  if (outcome.status === 'compressed') {
    const { format, lossless, effort } = outcome.encoding;
    return `compressed to ${format}${lossless ? ', lossless' : ''}${effort === 'fast' ? ', fast' : ''}`;
  }
  return outcome.status === 'kept' ? `kept: ${outcome.reason}` : outcome.status;
}

function judgesOf(format: FuzzFormat, judges: readonly Judge[]): Judge[] {
  return judges.filter(({ formats }) => formats.includes(format));
}

/** Those that could read the file before it was damaged. */
function ableJudges({ format, sound }: JudgedFile, judges: readonly Judge[]): Judge[] {
  return judgesOf(format, judges).filter(({ name }) => sound === undefined || sound.get(name)?.verdict === 'read');
}

/** Slow judges are asked where no quick one is strict, and all of them where one refuses. */
async function readAccepted(file: JudgedFile, judges: readonly Judge[]): Promise<Readings> {
  const able = ableJudges(file, judges);
  const isQuickEnough = able.some(({ strict, slow }) => strict && !slow) && file.format !== 'avif';
  const isFirst = ({ slow, strict }: Judge) => !slow || (strict && !isQuickEnough);
  const readings = await readAll(able.filter(isFirst), file.bytes);
  if ([...readings.values()].every(({ verdict }) => verdict === 'read')) return readings;
  const others = able.filter((judge) => !isFirst(judge));
  return new Map([...readings, ...(await readAll(others, file.bytes))]);
}

async function readAll(judges: readonly Judge[], bytes: Uint8Array): Promise<Map<Judge, Reading>> {
  return new Map(await Promise.all(judges.map(async (judge) => [judge, await judge.read(bytes)] as const)));
}

/** Two refuse it; or one does and no strict one reads it, and what can be read is not the undamaged picture. */
function launderingOf(file: JudgedFile, readings: Readings): Omit<Offence, 'kind'> | undefined {
  const isUnchanged = [...readings].some(([{ name }, reading]) => isAlike(reading, file.sound?.get(name)));
  const refused = [...readings].filter(([, reading]) => isRefusal(reading, isUnchanged));
  const isWitnessed = [...readings].some(
    ([{ strict }, { verdict }]) => strict && (verdict === 'read' || verdict === 'warned'),
  );
  if (refused.length === 0 || (refused.length === 1 && (isWitnessed || isUnchanged))) return undefined;
  const names = refused.map(([{ name }]) => name).join(' and ');
  const detail = refused.map(([{ name }, { message }]) => `${name}: ${message ?? ''}`).join(' | ');
  return { cause: `${isUnchanged ? ' (pixels as before)' : ''}, refused by ${names}`, detail };
}

function isRefusal({ verdict }: Reading, isUnchanged: boolean): boolean {
  return verdict === 'refused' || (verdict === 'doubtful' && !isUnchanged);
}

/** Two read it without a complaint, one of them strictly, with the same pixels; none refuses it. */
async function falseRefusal(file: JudgedFile, message: string, judges: readonly Judge[]): Promise<Offence | undefined> {
  const able = ableJudges(file, judges);
  const readings = new Map<Judge, Reading>();
  for (const judge of able.toSorted((one, other) => Number(one.slow ?? false) - Number(other.slow ?? false))) {
    const reading = await judge.read(file.bytes);
    if (reading.verdict === 'refused') return undefined;
    readings.set(judge, reading);
  }
  const read = [...readings].filter(([, { verdict }]) => verdict === 'read');
  if (read.length < 2 || !read.some(([{ strict }]) => strict) || !doAgree(read.map(([, reading]) => reading)))
    return undefined;
  const isUnchanged = !file.sound || read.some(([{ name }, reading]) => isAlike(reading, file.sound?.get(name)));
  const names = read.map(([{ name }]) => name).join(', ');
  return { kind: isUnchanged ? 'falselyRefused' : 'refusedAlone', cause: `read by ${names}`, detail: message };
}

/** Decoders interpolate chroma in different ways. */
const MAX_DISAGREEMENT = 4;

function doAgree(readings: readonly Reading[]): boolean {
  const [first, ...others] = readings.filter(({ pixels }) => pixels);
  return others.every((other) => first === undefined || meanDifference(first, other) <= MAX_DISAGREEMENT);
}

type Compressed = Extract<BytesOutcome, { status: 'compressed' }>;

async function differenceOf(
  file: JudgedFile,
  outcome: Compressed,
  source: Readings,
  { settings, judges }: { settings: CompressionSettings; judges: readonly Judge[] },
): Promise<string | undefined> {
  const { bytes, encoding } = outcome;
  if (bytes.length > file.bytes.length) return `grew from ${file.bytes.length} to ${bytes.length} bytes`;
  const format = encoding.format as FuzzFormat;
  const output = await readAll(judgesOf(format, judges), bytes);
  const refusal = [...output].find(([, { verdict }]) => verdict === 'refused');
  if (refusal) return `${refusal[0].name} refuses the output (${refusal[1].message ?? ''})`;
  if (settings.resize || settings.autoOrient) return undefined;
  const [before, after] = [file.bytes, bytes].map((one) => inspectImage(new ImageFile(one))?.orientation);
  if (before !== after) return `orientation ${before} became ${after}`;
  return findPixelDifference(file, source, output, encoding.lossless);
}

/** At this distance of the mean of all pixels it is another picture. */
const MAX_LOSSY_DIFFERENCE = 16;

function findPixelDifference(
  file: JudgedFile,
  source: Readings,
  output: Readings,
  lossless: boolean,
): string | undefined {
  for (const [judge, before] of source) {
    const after = output.get(judge);
    if (!before.pixels || !after?.pixels || before.width !== after.width || before.height !== after.height) continue;
    if (before.verdict === 'unable' || before.verdict === 'refused') continue;
    // What is outside of all frames is transparent to some decoders, and of a colour to others.
    if (file.format === 'gif' && file.sound && !isAlike(before, file.sound.get(judge.name))) continue;
    if (isTransparent(before) && !isTransparent(after)) continue; // laid on a background
    if (lossless && !isAlike(before, after)) return `${judge.name} reads other pixels, though it is lossless`;
    const difference = meanDifference(before, after);
    if (difference > MAX_LOSSY_DIFFERENCE)
      return `${judge.name} reads pixels that differ by ${difference.toFixed(0)} on average`;
  }
  return undefined;
}
