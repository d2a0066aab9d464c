import type { KeptReason } from '../core/image-result.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { applyMetadata } from './apply-metadata.ts';
import { assertDecodes, judgeSource, NOT_ACCEPTED } from './check-source.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { encodeImage, openSource } from './encode-image.ts';
import { EngineError } from './engines.ts';
import { fitBytes } from './fit-bytes.ts';
import { FORMATS } from './formats.ts';
import { ImageFile } from './image-file.ts';
import { inspectImage } from './inspect-image.ts';
import { type BytesOutcome, EncoderCrashError, keptOutcome, UnprovenError } from './outcome.ts';
import { sampleOf } from './picture-sample.ts';
import { type PalettePng, palettePng } from './png/palette.ts';
import { hasColourEdges } from './score/colour-edges.ts';
import { SCORE_FLOOR, searchQuality } from './search-quality.ts';
import type { Encoded, EncodeTask } from './task.ts';
import { TooSlowError } from './too-slow-error.ts';
import { findHeaderFault, findOrientationFault, findPixelFault, openOutput, pixelDigest } from './verify-image.ts';

/**
 * Judges a source, carries out its recipe, and checks what came of it.
 * @throws CorruptImageError, UnprovenError, EncoderCrashError
 */
export async function compressTask(planned: Omit<EncodeTask, 'verdict'>): Promise<BytesOutcome> {
  const verdict = await judgeSource(planned.source, planned.facts);
  if (verdict?.is === 'unproven') return keptOutcome(planned.facts.format, 'unproven', verdict.detail);
  const outcome = await carryOut({ ...planned, verdict });
  if (verdict?.is !== 'odd' || (outcome.status !== 'compressed' && outcome.status !== 'kept')) return outcome;
  return { ...outcome, detail: [outcome.detail, verdict.detail].filter(Boolean).join('; ') };
}

async function carryOut(task: EncodeTask): Promise<BytesOutcome> {
  const { recipe } = task;
  const palette = recipe.tryPalette ? await attributeError(task, palettePng) : undefined;
  if (palette) return repackOrPalette(task, palette);
  if (!recipe.lossless || recipe.reshape) return encodeLossily(task);
  return canRepack(task) ? repack(task) : encodeLosslessly(task);
}

/**
 * One pipeline decodes and encodes: where it fails, the source is decoded once more, alone, to know which of the two
 * it was. @throws CorruptImageError, UnprovenError, EncoderCrashError, or an error of our own code as it is
 */
async function attributeError<T>(task: EncodeTask, act: (task: EncodeTask) => Promise<T>): Promise<T> {
  try {
    return await act(task);
  } catch (error) {
    const message = knownMessage(error);
    await assertDecodes(task);
    throw new EncoderCrashError(message, { cause: error });
  }
}

/** Why an engine failed or its output is unreadable. @throws any other error as it is: a bug of ours is no bad image */
function knownMessage(error: unknown): string {
  if (error instanceof EngineError || error instanceof CorruptImageError) return error.message;
  throw error;
}

function canRepack({ facts, recipe }: EncodeTask): boolean {
  return recipe.format === facts.format && FORMATS[facts.format].repack !== undefined;
}

async function encodeLossily(planned: EncodeTask): Promise<BytesOutcome> {
  const task = await withChroma(planned);
  const { recipe } = task;
  const found = recipe.search ? await attributeError(task, searchQuality) : undefined;
  if (recipe.search && !found) return kept(task, 'below-floor', TOO_SMALL_TO_SCORE);
  // Where no quality is enough at half the resolution of colour, all of it may be.
  if (found?.isGood === false && recipe.measureChroma && !recipe.fullChroma)
    return encodeLossily({ ...task, recipe: { ...recipe, fullChroma: true } });
  if (found?.isGood === false) return belowFloor(task, found.score);
  const encodeTask = found ? { ...task, recipe: { ...recipe, quality: found.quality } } : task;
  const encoded = await attributeError(encodeTask, encodeImage);
  const { file } = encoded;
  const excess = bytesOverLimit(encoded, task);
  if (excess > 0) return encodeSmaller(encodeTask, file.bytes.length, file.bytes.length - excess);
  if (!savesEnough(file, task)) return noGain(file, task);
  if (isNearTarget(file, task)) return kept(task, 'already-compressed', NEAR_TARGET);
  if (mergesFrames(file, task)) return kept(task, 'equal-frames');
  const receipt = found ? { score: rounded(found.score), probes: found.probes } : {};
  const output = withMetadata({ file, encoding: { ...encoded.encoding, ...receipt } }, task);
  const fault = await findPixelFault(output.file, task).catch(knownMessage);
  if (fault) throw new EncoderCrashError(fault);
  return verifyOutput(output, task);
}

/** By how many bytes the output, metadata and all, is over `maxBytes`. */
function bytesOverLimit(encoded: Encoded, task: EncodeTask): number {
  const { maxBytes } = task.settings;
  return maxBytes === undefined ? 0 : withMetadata(encoded, task).file.bytes.length - maxBytes;
}

/** At a lower quality, as often as what a sample promises is not kept. @param present bytes without metadata */
async function encodeSmaller(task: EncodeTask, present: number, ceiling: number): Promise<BytesOutcome> {
  // A little below the ceiling, because the sample is not exactly like the picture.
  const fit = await attributeError(task, (planned) => fitBytes(planned, present, Math.floor(ceiling * 0.99)));
  if ('recipe' in fit) return withScore(await encodeLossily({ ...task, recipe: fit.recipe }), fit.score);
  return { ...keptOutcome(task.facts.format, 'over-max-bytes', fit.unfit), made: { bytes: present, score: fit.score } };
}

function withScore(outcome: BytesOutcome, score: number | undefined): BytesOutcome {
  if (outcome.status !== 'compressed' || score === undefined) return outcome;
  return { ...outcome, encoding: { score: rounded(score), ...outcome.encoding } };
}

/** With full chroma where the pixels need it. @throws CorruptImageError, EncoderCrashError */
async function withChroma(task: EncodeTask): Promise<EncodeTask> {
  if (!task.recipe.measureChroma || task.recipe.fullChroma) return task;
  const { tiles } = await attributeError(task, sampleOf);
  return hasColourEdges(tiles) ? { ...task, recipe: { ...task.recipe, fullChroma: true } } : task;
}

const TOO_SMALL_TO_SCORE = 'too small to be scored, and auto writes nothing that it cannot score';

function belowFloor(task: EncodeTask, score: number): BytesOutcome {
  const made = { score: rounded(score) };
  const detail = `${FORMATS[task.recipe.format].name} reaches a score of ${made.score} at most, and auto wants ${SCORE_FLOOR}`;
  return { ...keptOutcome(task.facts.format, 'below-floor', detail), made };
}

// libwebp merges equal frames into one that is shown for longer. That looks the same, but it has fewer frames.
function mergesFrames(output: ImageFile, { facts }: EncodeTask): boolean {
  return facts.pages > 1 && (inspectImage(output)?.pages ?? 0) < facts.pages;
}

// WebP and AVIF do not store their quality. Encoded again at the same one they lose 1 to 14 % of their bytes each time
// (23 % of pure grain), and a little of the picture; a source that is truly better loses more than a quarter.
function isNearTarget({ bytes }: ImageFile, { source, facts, recipe, settings }: EncodeTask): boolean {
  const isAgain = recipe.format === facts.format && FORMATS[facts.format].hidesQuality && !recipe.reshape;
  if (source.bytes.length > (settings.maxBytes ?? Number.POSITIVE_INFINITY)) return false;
  return isAgain === true && bytes.length > source.bytes.length * 0.75;
}

const NEAR_TARGET = 'saves less than 25 %: its quality is about the wanted one';

async function encodeLosslessly(task: EncodeTask): Promise<BytesOutcome> {
  // Both are decoded in the same way: a JPEG alone would be without an alpha channel.
  const before = await sourceDigest({ ...task, facts: { ...task.facts, format: task.recipe.format } });
  const encoded = await attributeError(task, encodeImage);
  if (!savesEnough(encoded.file, task)) return noGain(encoded.file, task);
  if (mergesFrames(encoded.file, task)) return kept(task, 'equal-frames');
  const output = withMetadata(encoded, task);
  if ((await outputDigest(output.file)) !== before) return kept(task, 'not-identical');
  return verifyOutput(output, task);
}

/** The same coefficients or the same samples packed tighter, metadata and all. */
async function repack(task: EncodeTask): Promise<BytesOutcome> {
  const { source, facts, settings } = task;
  const before = await sourceDigest(task);
  const repacked = await repackedBytes(task);
  if (repacked instanceof TooSlowError) return kept(task, 'too-slow', repacked.message);
  const file = new ImageFile(repacked);
  if (file.bytes === source.bytes) return kept(task, ...unchangedReason(facts));
  if (!savesEnough(file, task)) return noGain(file, task);
  if ((await outputDigest(file)) !== before) return kept(task, 'not-identical');
  const progressive = facts.format === 'jpeg' ? { progressive: inspectImage(file)?.progressive } : {};
  const encoding = { format: facts.format, lossless: true, effort: settings.effort, ...progressive };
  return verifyOutput({ file, encoding }, task);
}

async function repackedBytes({ source, facts, settings, timeLimitMs }: EncodeTask) {
  try {
    return (await FORMATS[facts.format].repack?.(source, settings.metadata, timeLimitMs)) ?? source.bytes;
  } catch (error) {
    if (error instanceof TooSlowError) return error;
    // Its judge, or a strict decode, has just read all of it.
    if (error instanceof EngineError) throw new UnprovenError(NOT_PACKED, { cause: error });
    throw error;
  }
}

const NOT_PACKED = 'all of its data is there, but the lossless encoder does not accept it';

// Repacking returns the source where something of it would be lost.
function unchangedReason(facts: ImageFacts): [KeptReason, string?] {
  if (facts.gainMap) return ['hdr-gain-map'];
  if (facts.multiPicture) return ['multi-picture'];
  if (facts.trailingParts) return ['trailing-data'];
  return ['not-identical', 'holds parts that would not fit a copy of its pixels'];
}

/** The palette where it is clearly smaller than the same pixels packed tighter. */
async function repackOrPalette(task: EncodeTask, palette: PalettePng): Promise<BytesOutcome> {
  const exact = await repack(task);
  const encoding = { format: 'png', lossless: false, effort: 'best', score: rounded(palette.score) } as const;
  const output = withMetadata({ file: new ImageFile(palette.bytes), encoding }, task);
  const smallest = exact.status === 'compressed' ? exact.bytes.length : task.source.bytes.length;
  const isWhole = exact.status === 'compressed' || (exact.status === 'kept' && exact.reason === 'no-gain');
  return isWhole && output.file.bytes.length <= smallest * 0.9 ? verifyOutput(output, task) : exact;
}

async function sourceDigest(task: EncodeTask): Promise<string> {
  try {
    return await pixelDigest(openSource(task), task.facts);
  } catch (error) {
    const message = knownMessage(error);
    await assertDecodes(task);
    if (task.verdict) throw new UnprovenError(NOT_ACCEPTED, { cause: error });
    throw new CorruptImageError(message, { cause: error });
  }
}

async function outputDigest(output: ImageFile): Promise<string> {
  const facts = inspectImage(output);
  if (!facts) throw new EncoderCrashError('Expected an image but the encoder wrote none');
  try {
    return await pixelDigest(await openOutput(output, facts), facts);
  } catch (error) {
    throw new EncoderCrashError(knownMessage(error), { cause: error });
  }
}

/** The encoder's output with the metadata that belongs to it. */
function withMetadata({ file, encoding }: Encoded, task: EncodeTask): Encoded {
  const { source, facts, recipe, settings } = task;
  const orientation = recipe.reshape?.upright ? 1 : facts.orientation;
  const from = { format: facts.format, file: source };
  const output = applyMetadata(from, file, recipe.format, settings.metadata, {
    orientation,
    isReshaped: recipe.reshape !== undefined,
  });
  const carries = keepsTrailingParts(task) && !facts.trailingParts?.isPointedAt;
  const carried = carries ? FORMATS[recipe.format].carryTrailingParts?.(source, output) : undefined;
  return { file: new ImageFile(carried ?? output), encoding };
}

function keepsTrailingParts({ facts, settings, recipe }: EncodeTask): boolean {
  const hasPlace = FORMATS[recipe.format].carryTrailingParts !== undefined;
  return facts.trailingParts !== undefined && settings.metadata === 'keep' && hasPlace;
}

/** @throws EncoderCrashError where the output is not the picture that was asked for */
function verifyOutput({ file, encoding }: Encoded, task: EncodeTask): BytesOutcome {
  if (!savesEnough(file, task)) return noGain(file, task);
  const output = inspectImage(file);
  const fault = output
    ? (findHeaderFault(output, task) ?? findOrientationFault(output, task))
    : 'Expected an image but its metadata broke it';
  if (fault) throw new EncoderCrashError(fault);
  // An incomplete profile cannot be carried over, and without it the colours would be different.
  if (task.facts.icc && !output?.icc) return kept(task, 'colour-space', 'its colour profile cannot be read');
  if (keepsTrailingParts(task) && !output?.trailingParts)
    return kept(task, 'trailing-data', 'it could not be carried along');
  // New pixels may be stored without loss; what counts in the receipt is whether they are the source's.
  const receipt = task.recipe.reshape ? { ...encoding, lossless: false } : encoding;
  const { contentType } = FORMATS[encoding.format];
  return { status: 'compressed', bytes: file.bytes, contentType, encoding: receipt };
}

function savesEnough(output: ImageFile, { source, settings }: EncodeTask): boolean {
  const total = source.bytes.length;
  const saved = total - output.bytes.length;
  const { percent, bytes } = settings.minSavings;
  return saved > 0 && saved >= bytes && saved >= (total * percent) / 100;
}

function noGain(output: ImageFile, task: EncodeTask): BytesOutcome {
  const { percent, bytes } = task.settings.minSavings;
  const { format, lossless } = task.recipe;
  const made = { bytes: output.bytes.length };
  const as = `as ${FORMATS[format].name}${lossless ? ' without loss' : ''}`;
  const detail = `${task.source.bytes.length} bytes would become ${made.bytes} ${as}; minSavings is ${percent} % and ${bytes} bytes`;
  return { ...keptOutcome(task.facts.format, 'no-gain', detail), made };
}

function kept({ facts }: EncodeTask, reason: KeptReason, detail?: string): BytesOutcome {
  return keptOutcome(facts.format, reason, detail);
}

const rounded = (score: number) => Math.round(score * 10) / 10;
