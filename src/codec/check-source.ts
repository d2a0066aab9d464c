import { isStreamed } from '../core/admission.ts';
import type { ImageFormat } from '../core/image-result.ts';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { openImage, type PlannedTask, shrunkAfterDecoding } from './encode-image.ts';
import { EngineError, fromEngine } from './engines.ts';
import { findGifFault } from './gif/faults.ts';
import { CorruptImageError } from './inspect-image.ts';
import { findMarkerFault, findScanFault } from './jpeg/faults.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { findPngFault } from './png/faults.ts';

/** What a strict decode by libvips does not show of a source; the encode itself decodes it. @throws CorruptImageError */
export function assertSound(task: PlannedTask): void {
  if (task.facts.format === 'jpeg') assertSoundJpeg(task);
  if (task.facts.format === 'gif') assertWholeGif(task.source);
  if (task.facts.format === 'png') assertSoundPng(task.source);
}

/** libpng reads over a missing end, and over bad checksums of what it does not need: a profile, for one. */
function assertSoundPng(source: Uint8Array): void {
  const fault = findPngFault(source);
  if (fault) throw new CorruptImageError(fault);
}

/**
 * What libvips does not tell however strict it is: damaged codes often decode to other pixels without a complaint,
 * until too many or too few bytes are left at the end, and there it looks away. Walking through the codes costs a
 * twentieth of mozjpeg but a third of the fast preset, which has to do with the markers and with what libvips mentions
 * as long as the source remains.
 */
function assertSoundJpeg(task: PlannedTask): void {
  assertMarkers(task.source);
  if (task.replacesSource || !isStreamed(task.facts, task.recipe, task.settings)) assertWholeScan(task);
}

/** libnsgif makes a picture of whatever is there. @throws CorruptImageError */
function assertWholeGif(source: Uint8Array): void {
  const fault = findGifFault(source);
  if (fault) throw new CorruptImageError(fault);
}

/** @throws CorruptImageError */
export function assertWholeScan({ source, facts }: PlannedTask): void {
  const fault = facts.format === 'jpeg' ? findScanFault(source) : undefined;
  if (fault && fault !== 'unknown-kind') throw new CorruptImageError(fault);
}

/** @throws CorruptImageError where a strict decoder complains of anything */
export async function decodeStrictly(source: Uint8Array, facts: ImageFacts): Promise<void> {
  try {
    await fromEngine(shrunkAfterDecoding(openImage(source, facts), facts, 8, 8).raw().toBuffer());
  } catch (error) {
    if (error instanceof EngineError) throw new CorruptImageError(error.message, { cause: error });
    throw error;
  }
}

// A kept image is handed on as it is, but a broken one shall be heard of.
export async function checkKept(source: Uint8Array, facts: ImageFacts, budget: MemoryBudget): Promise<void> {
  if (!CHECKED_WHEN_KEPT.has(facts.format)) return;
  if (facts.format === 'jpeg' && (facts.lossless || facts.bitsPerChannel > 8)) return assertMarkers(source);
  const pixels = facts.width * facts.height * facts.pages;
  const bytes = source.length + pixels * (facts.progressive ? 6 : 4);
  if (pixels > MAX_PIXELS || bytes > budget.capacity) {
    // What is too large to be decoded here may be a lie: the codes of a GIF tell without a decode.
    if (facts.format === 'gif') assertWholeGif(source);
    return;
  }
  const release = await budget.acquire(bytes);
  await decodeStrictly(source, facts).finally(release);
  if (facts.format === 'jpeg') assertMarkers(source);
}

function assertMarkers(source: Uint8Array): void {
  const fault = findMarkerFault(source);
  if (fault) throw new CorruptImageError(fault);
}

const CHECKED_WHEN_KEPT: ReadonlySet<ImageFormat> = new Set(['jpeg', 'png', 'webp', 'gif']);
