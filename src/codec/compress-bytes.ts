import { estimateMemory } from '../core/admission.ts';
import type { CompressionSettings } from '../core/job.ts';
import { chooseRecipe, type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { checkKept } from './check-source.ts';
import { type CandidateHost, chooseOutput } from './choose-output.ts';
import { compressTask } from './compress-task.ts';
import { dropParts, withDropped } from './drop-parts.ts';
import { configureLibvips } from './engines.ts';
import { FORMATS } from './formats.ts';
import { ImageFile } from './image-file.ts';
import { inspectImage } from './inspect-image.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { requireClean } from './metadata-left.ts';
import {
  type BytesOutcome,
  failedOutcome,
  HostTooSmallError,
  keptOutcome,
  TooLargeError,
  UnprovenError,
} from './outcome.ts';
import { stripKeptImage } from './strip-kept-image.ts';
import type { InspectedImage, PlannedTask } from './task.ts';
import { TooSlowError } from './too-slow-error.ts';

export interface CompressHost {
  readonly budget: MemoryBudget;
  /** After it the image is kept, as too slow. */
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
  configureLibvips();
  try {
    const file = new ImageFile(source);
    const facts = inspectImage(file);
    if (!facts) return { status: 'skipped', reason: 'not-an-image' };
    const image = { source: file, facts, settings, replacesSource: host.replacesSource };
    const prepared = dropParts(image);
    const outcome = await compressInspected(prepared.image, host);
    const stripped = outcome.status === 'kept' ? await stripKeptImage(outcome, prepared.image, host.budget) : outcome;
    return requireCleanOutput(withDropped(stripped, prepared, image), image);
  } catch (error) {
    return failedOutcome(error);
  }
}

function requireCleanOutput(outcome: BytesOutcome, { source, settings }: InspectedImage): BytesOutcome {
  if (outcome.status === 'compressed') return requireClean(outcome, new ImageFile(outcome.bytes), settings);
  return outcome.status === 'kept' ? requireClean(outcome, source, settings) : outcome;
}

async function compressInspected(image: InspectedImage, host: CompressHost): Promise<BytesOutcome> {
  const { source, facts, settings } = image;
  const recipe = chooseRecipe(facts, settings, FORMATS);
  if (recipe.action === 'encode') return encodeOrKeep({ ...image, recipe }, host);
  const doubt = await checkKept(source, facts, host.budget);
  return doubt ? keptOutcome(facts.format, 'unproven', doubt) : keptOutcome(facts.format, recipe.reason, recipe.detail);
}

async function encodeOrKeep(planned: PlannedTask, host: CompressHost): Promise<BytesOutcome> {
  try {
    return await encodeWithinLimits(planned, host);
  } catch (error) {
    if (error instanceof UnprovenError) return keptOutcome(planned.facts.format, 'unproven', error.message);
    if (error instanceof TooSlowError) return keptOutcome(planned.facts.format, 'too-slow', error.message);
    throw error;
  }
}

// AVIF of 100 MP takes a minute of one core; nothing sound takes longer than a few.
export const DEFAULT_TIME_LIMIT_MS = 300_000;

async function encodeWithinLimits(planned: PlannedTask, host: CompressHost): Promise<BytesOutcome> {
  const { budget, timeLimitMs = DEFAULT_TIME_LIMIT_MS } = host;
  assertPixels(planned.facts, host.maxPixels ?? MAX_PIXELS);
  const candidateHost: CandidateHost = {
    fit: (recipe) => {
      const task = fitMemory({ ...planned, recipe }, budget);
      return task && { ...task, timeLimitMs };
    },
    within: async (task, work) => {
      const release = await budget.acquire(memoryFor(task));
      // The memory is released when the encoder really ends, even after the time limit.
      return work(task).finally(release);
    },
    make: compressTask,
  };
  const outcome = await withinTime(chooseOutput(planned, candidateHost), timeLimitMs, () => timeoutError(timeLimitMs));
  return outcome ?? keptForItsSize(planned, budget);
}

/** @throws TooLargeError */
function assertPixels({ width, height, pages }: ImageFacts, maxPixels: number): void {
  if (width * height * pages <= maxPixels) return;
  throw new TooLargeError(
    `Expected at most ${maxPixels} pixels (limits.maxPixels) but received ${width} x ${height} x ${pages}`,
  );
}

/** The task as it fits this host: if need be without a palette and a measure of its chroma, or by the preset that streams. */
function fitMemory(task: PlannedTask, budget: MemoryBudget): PlannedTask | undefined {
  const { tryPalette, measureChroma, ...recipe } = task.recipe;
  const settings = { ...task.settings, effort: 'fast', progressive: 'auto' } as const;
  return [task, { ...task, recipe }, { ...task, recipe, settings }].find(
    (candidate) => memoryFor(candidate) <= budget.capacity,
  );
}

/** @throws HostTooSmallError where a larger host could do what was asked for */
function keptForItsSize(task: PlannedTask, budget: MemoryBudget): BytesOutcome {
  const { facts, recipe, settings } = task;
  // Packing it tighter was planned only because re-encoding it would gain nothing.
  if (recipe.lossless && settings.mode !== 'lossless' && facts.format === 'jpeg')
    return keptOutcome(facts.format, 'already-compressed', 'too large to be packed tighter on this host');
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  throw new HostTooSmallError(
    `Expected at most ${megabytes(budget.capacity)} MB of memory for an image but ${facts.width} x ${facts.height} ` +
      `needs about ${megabytes(memoryFor(task))} MB: give the host more memory or send the image to a larger one`,
  );
}

function memoryFor(task: PlannedTask): number {
  return estimateMemory(task, task.source.bytes.length, FORMATS);
}

async function withinTime<T>(work: Promise<T>, limitMs: number, errorOf: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(errorOf()), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whatever takes so long, a large picture or an encoder that hangs, the image is as good as it was. */
function timeoutError(limitMs: number): Error {
  return new TooSlowError(`it was not finished within ${limitMs / 1000} s`);
}
