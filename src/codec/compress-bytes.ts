import { estimateMemory } from '../core/admission.ts';
import type { FailureCode, ImageFormat, KeptReason } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import { chooseRecipe, type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { assertSound, assertWholeScan, checkKept, decodeStrictly } from './check-source.ts';
import {
  countWarnings,
  type Encoded,
  type EncodeTask,
  encodeImage,
  type PlannedTask,
} from './encode-image.ts';
import { EngineError } from './engines.ts';
import { CorruptImageError, inspectImage } from './inspect-image.ts';
import { carryBehind } from './jpeg/carry-trailing-parts.ts';
import { recompressJpeg } from './jpeg/recompress.ts';
import { readJpeg } from './jpeg/segments.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { applyMetadata } from './metadata/apply-metadata.ts';
import { takeOutMetadata } from './metadata/strip-kept-image.ts';
import { type BytesOutcome, EncoderCrashError, HostTooSmallError, TooLargeError } from './outcome.ts';
import { type PalettePng, palettePng } from './png/palette.ts';
import { recompressPng } from './png/recompress.ts';
import { searchQuality } from './score/search-quality.ts';
import { findHeaderFault, findOrientationFault, findPixelFault, pixelDigest } from './verify-image.ts';

export interface CompressHost {
  readonly budget: MemoryBudget;
  /** After it the image is given up as EncoderCrash. */
  readonly timeLimitMs?: number;
  /** Of all pages together; beyond it an image is TooLarge before a pixel is decoded. Default 268 million. */
  readonly maxPixels?: number;
  readonly replacesSource?: PlannedTask['replacesSource'];
}

/**
 * Compresses one image held in memory. Never throws and never changes `source`: whatever goes wrong is an outcome,
 * and `compressed` means decoded, checked against the source, and smaller by `minSavings`, or without the metadata
 * that had to go.
 */
export async function compressBytes(
  source: Uint8Array,
  settings: CompressionSettings,
  host: CompressHost,
): Promise<BytesOutcome> {
  if (source.length === 0) return { status: 'skipped', reason: 'empty' };
  try {
    const facts = inspectImage(source);
    if (!facts) return { status: 'skipped', reason: 'not-an-image' };
    const outcome = await compressSound({ source, facts, settings }, host);
    if (outcome.status !== 'kept') return outcome;
    return await takeOutMetadata(outcome, { source, facts, settings }, host.budget);
  } catch (error) {
    return failed(error);
  }
}

async function compressSound(
  { source, facts, settings }: Omit<PlannedTask, 'recipe'>,
  host: CompressHost,
): Promise<BytesOutcome> {
  const recipe = chooseRecipe(facts, settings);
  if (recipe.action === 'encode') return carryOut({ source, facts, recipe, settings }, host);
  await checkKept(source, facts, host.budget);
  return kept(facts, recipe.reason, recipe.detail);
}

// AVIF of 100 MP takes a minute of one core; nothing sound takes longer than a few.
export const DEFAULT_TIME_LIMIT_MS = 300_000;

async function carryOut(planned: PlannedTask, host: CompressHost): Promise<BytesOutcome> {
  const timeLimitMs = host.timeLimitMs ?? DEFAULT_TIME_LIMIT_MS;
  assertPixels(planned.facts, host.maxPixels ?? MAX_PIXELS);
  const fitting = fitMemory(planned, host.budget);
  if (!fitting) return keptForItsSize(planned, host.budget);
  const task = { ...fitting, timeLimitMs, replacesSource: host.replacesSource };
  const release = await host.budget.acquire(memoryFor(task));
  // The memory is handed back when the encoder really ends, also where nobody waits for it any more.
  const work = compressTask(task).finally(release);
  return withinTime(work, timeLimitMs);
}

/** @throws TooLargeError */
function assertPixels({ width, height, pages }: ImageFacts, maxPixels: number): void {
  if (width * height * pages <= maxPixels) return;
  throw new TooLargeError(
    `Expected at most ${maxPixels} pixels (limits.maxPixels) but received ${width} x ${height} x ${pages}`,
  );
}

/** The task as it fits this host: if need be without a search and a palette, or by the preset that streams. */
function fitMemory(task: PlannedTask, budget: MemoryBudget): PlannedTask | undefined {
  const { search, tryPalette, ...recipe } = task.recipe;
  const lighter: PlannedTask = { ...task, recipe };
  const streamed: PlannedTask = {
    ...lighter,
    settings: { ...task.settings, effort: 'fast', progressive: 'auto' },
  };
  return [task, lighter, streamed].find((candidate) => memoryFor(candidate) <= budget.capacity);
}

/** @throws TooLargeError where a larger host could do what was asked for */
function keptForItsSize(task: PlannedTask, budget: MemoryBudget): BytesOutcome {
  const { facts, recipe, settings } = task;
  // It was to be packed a little tighter only because there is nothing to gain by encoding it anew.
  if (recipe.lossless && settings.mode !== 'lossless' && facts.format === 'jpeg') {
    return kept(facts, 'already-compressed', 'too large to be packed tighter on this host');
  }
  throw new HostTooSmallError(
    `Expected at most ${megabytes(budget.capacity)} MB of memory for an image but ${facts.width} x ${facts.height} ` +
      `needs about ${megabytes(memoryFor(task))} MB: give the host more memory or send the image to a larger one`,
  );
}

function memoryFor({ source, facts, recipe, settings }: PlannedTask): number {
  return estimateMemory(facts, recipe, settings, source.length);
}

async function compressTask(task: EncodeTask): Promise<BytesOutcome> {
  const { recipe, facts } = task;
  assertSound(task);
  const palette = recipe.tryPalette ? await explained(task, palettePng) : undefined;
  if (palette) return repackOrPalette(task, palette);
  const keepsPixels = recipe.lossless && !recipe.reshape;
  if (keepsPixels && recipe.format === facts.format && recipe.format !== 'webp') return repack(task);
  return keepsPixels ? encodeLosslessly(task) : encodeLossily(task);
}

async function encodeLossily(task: EncodeTask): Promise<BytesOutcome> {
  const found = task.recipe.search ? await explained(task, searchQuality) : undefined;
  if (
    found &&
    !found.isGood &&
    task.facts.format === 'jpeg' &&
    task.recipe.format === 'jpeg' &&
    !task.recipe.reshape
  ) {
    return repack({ ...task, recipe: { action: 'encode', format: 'jpeg', lossless: true } });
  }
  const warningsBefore = countWarnings();
  const encoded = await explained(found ? withQuality(task, found.quality) : task, encodeImage);
  if (countWarnings() !== warningsBefore) assertWholeScan(task);
  if (!savesEnough(encoded.bytes.length, task)) return noGain(encoded.bytes.length, task);
  if (isNearlySpent(encoded.bytes.length, task)) return kept(task.facts, 'already-compressed', NEARLY_SPENT);
  if (isMerged(encoded.bytes, task)) return kept(task.facts, 'animation', MERGED);
  const fault = await findPixelFault(encoded.bytes, task).catch(engineMessage);
  if (fault) throw new EncoderCrashError(fault);
  const receipt = found ? { score: rounded(found.score), probes: found.probes } : {};
  return finish(dressed({ bytes: encoded.bytes, encoding: { ...encoded.encoding, ...receipt } }, task), task);
}

// libwebp shows equal frames once and for longer. That looks the same, but whoever counts frames gets others.
function isMerged(output: Uint8Array, { facts }: EncodeTask): boolean {
  return facts.pages > 1 && (inspectImage(output)?.pages ?? 0) < facts.pages;
}

const MERGED = 'the encoder would merge its equal frames';

function withQuality(task: EncodeTask, quality: number): EncodeTask {
  return { ...task, recipe: { ...task.recipe, quality } };
}

// WebP and AVIF do not tell their quality. Encoded again at the same one they lose 1 to 14 % of their bytes each time
// (23 % of pure grain), and a little of the picture; a source that is truly better loses more than a quarter.
function isNearlySpent(bytesOut: number, { source, facts, recipe }: EncodeTask): boolean {
  const isAgain = recipe.format === facts.format && facts.format !== 'jpeg' && !recipe.reshape;
  return isAgain && bytesOut > source.length * 0.75;
}

const NEARLY_SPENT = 'saves less than 25 %: its quality is about the wanted one';

async function encodeLosslessly(task: EncodeTask): Promise<BytesOutcome> {
  const before = await sourceDigest(task);
  const encoded = await explained(task, encodeImage);
  if (!savesEnough(encoded.bytes.length, task)) return noGain(encoded.bytes.length, task);
  if (isMerged(encoded.bytes, task)) return kept(task.facts, 'animation', MERGED);
  if ((await outputDigest(encoded.bytes)) !== before) return kept(task.facts, 'not-identical');
  return finish(dressed(encoded, task), task);
}

/** The same coefficients or the same samples packed tighter, metadata and all. */
async function repack(task: EncodeTask): Promise<BytesOutcome> {
  const { source, facts, settings } = task;
  const before = await sourceDigest(task);
  const bytes = await repackOrExplain(task, facts.format === 'jpeg' ? recompressJpeg : recompressPng);
  if (bytes === source) return kept(facts, ...whyUntouched(facts));
  if (!savesEnough(bytes.length, task)) return noGain(bytes.length, task);
  if ((await outputDigest(bytes)) !== before) return kept(facts, 'not-identical');
  const progressive = facts.format === 'jpeg' ? { progressive: inspectImage(bytes)!.progressive } : {};
  const { effort } = settings;
  return finish({ bytes, encoding: { format: facts.format, lossless: true, effort, ...progressive } }, task);
}

/** The palette where it is clearly smaller than the same pixels packed tighter. */
async function repackOrPalette(task: EncodeTask, palette: PalettePng): Promise<BytesOutcome> {
  const exact = await repack(task);
  const encoding = { format: 'png', lossless: false, effort: 'best', score: rounded(palette.score) } as const;
  const { bytes } = dressed({ bytes: palette.bytes, encoding }, task);
  const smallest = exact.status === 'compressed' ? exact.bytes.length : task.source.length;
  const isWhole = exact.status === 'compressed' || (exact.status === 'kept' && exact.reason === 'no-gain');
  if (!isWhole || bytes.length > smallest * 0.9) return exact;
  return finish({ bytes, encoding }, task);
}

// The engines hand the source back where they would lose something of it.
function whyUntouched(facts: ImageFacts): [KeptReason, string?] {
  if (facts.gainMap) return ['hdr-gain-map'];
  if (facts.multiPicture) return ['multi-picture'];
  if (facts.behind) return ['trailing-data'];
  return ['not-identical', 'holds parts that a copy of its pixels would not fit'];
}

async function sourceDigest({ source, facts }: EncodeTask): Promise<string> {
  try {
    return await pixelDigest(source, facts);
  } catch (error) {
    throw new CorruptImageError(engineMessage(error), { cause: error });
  }
}

async function outputDigest(bytes: Uint8Array): Promise<string> {
  const facts = inspectImage(bytes);
  if (!facts) throw new EncoderCrashError('Expected an image but the encoder wrote none');
  return pixelDigest(bytes, facts).catch((error) => {
    throw new EncoderCrashError(engineMessage(error), { cause: error });
  });
}

type Repacker = (bytes: Uint8Array, policy: CompressionSettings['metadata']) => Promise<Uint8Array>;

async function repackOrExplain({ source, settings }: EncodeTask, engine: Repacker): Promise<Uint8Array> {
  try {
    return await engine(source, settings.metadata);
  } catch (error) {
    if (error instanceof CorruptImageError) throw error;
    throw new EncoderCrashError(engineMessage(error), { cause: error });
  }
}

/** The encoder's output with the metadata that belongs to it. */
function dressed({ bytes, encoding }: Encoded, task: EncodeTask): Encoded {
  const { source, facts, recipe, settings } = task;
  const orientation = recipe.reshape?.upright ? 1 : facts.orientation;
  const from = { format: facts.format, bytes: source };
  const whole = applyMetadata(from, bytes, recipe.format, settings.metadata, { orientation });
  const carries = carriesBehind(task) && !facts.behind?.isPointedAt;
  return { bytes: (carries && carryBehind(readJpeg(source), whole)) || whole, encoding };
}

function carriesBehind({ facts, settings, recipe }: PlannedTask): boolean {
  return facts.behind !== undefined && settings.metadata === 'keep' && recipe.format === 'jpeg';
}

function finish({ bytes, encoding }: Encoded, task: EncodeTask): BytesOutcome {
  if (!savesEnough(bytes.length, task)) return noGain(bytes.length, task);
  const output = inspectImage(bytes);
  const fault = output
    ? (findHeaderFault(output, task) ?? findOrientationFault(output, task))
    : 'Expected an image but its metadata broke it';
  if (fault) throw new EncoderCrashError(fault);
  // A profile of which a part is missing goes into no other file, and without it the colours would be others.
  if (task.facts.icc && !output?.icc)
    return kept(task.facts, 'colour-space', 'its colour profile cannot be read');
  if (carriesBehind(task) && !output?.behind)
    return kept(task.facts, 'trailing-data', 'it could not be carried along');
  // New pixels may be stored without loss; to the reader of the receipt it is the source's that count.
  const receipt = task.recipe.reshape ? { ...encoding, lossless: false } : encoding;
  return { status: 'compressed', bytes, contentType: CONTENT_TYPES[encoding.format], encoding: receipt };
}

/** One pipeline decodes and encodes: who failed is found by decoding once more, alone. */
async function explained<T>(task: EncodeTask, act: (task: EncodeTask) => Promise<T>): Promise<T> {
  try {
    return await act(task);
  } catch (error) {
    const message = engineMessage(error);
    await decodeStrictly(task.source, task.facts);
    throw new EncoderCrashError(message, { cause: error });
  }
}

function savesEnough(bytesOut: number, { source, settings }: EncodeTask): boolean {
  const saved = source.length - bytesOut;
  const { percent, bytes } = settings.minSavings;
  return saved > 0 && saved >= bytes && saved >= (source.length * percent) / 100;
}

function noGain(bytesOut: number, { source, facts }: EncodeTask): BytesOutcome {
  return kept(facts, 'no-gain', `${source.length} bytes would become ${bytesOut}`);
}

function kept(facts: ImageFacts, reason: KeptReason, detail?: string): BytesOutcome {
  const { format } = facts;
  const outcome = { status: 'kept', reason, format, contentType: CONTENT_TYPES[format] } as const;
  return detail === undefined ? outcome : { ...outcome, detail };
}

function failed(error: unknown): BytesOutcome {
  const message = error instanceof Error ? error.message : String(error);
  const outcome = { status: 'failed', code: codeOf(error), message } as const;
  if (outcome.code === 'Unexpected') return { ...outcome, cause: error };
  return error instanceof HostTooSmallError ? { ...outcome, hostTooSmall: true } : outcome;
}

function codeOf(error: unknown): FailureCode {
  if (error instanceof CorruptImageError) return 'CorruptImage';
  if (error instanceof TooLargeError) return 'TooLarge';
  if (error instanceof EncoderCrashError) return 'EncoderCrash';
  return 'Unexpected';
}

async function withinTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const message = `Expected an answer of the encoder within ${limitMs} ms`;
    timer = setTimeout(() => reject(new EncoderCrashError(message)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why an engine failed or its output is unreadable. @throws any other error as it is: a bug of ours is no bad image */
function engineMessage(error: unknown): string {
  if (error instanceof EngineError || error instanceof CorruptImageError) return error.message;
  throw error;
}

function rounded(score: number): number {
  return Math.round(score * 10) / 10;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

/** The type that tells the truth about the bytes. */
export const CONTENT_TYPES: Record<ImageFormat, string> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  gif: 'image/gif',
  tiff: 'image/tiff',
  heif: 'image/heic',
  jxl: 'image/jxl',
  jp2: 'image/jp2',
  bmp: 'image/bmp',
  psd: 'image/vnd.adobe.photoshop',
  svg: 'image/svg+xml',
  ico: 'image/vnd.microsoft.icon',
  pnm: 'image/x-portable-anymap',
  qoi: 'image/qoi',
};
