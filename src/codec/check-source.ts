import { isStreamed } from '../core/admission.ts';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { EngineError, fromEngine, openImage, shrunkAfterDecoding } from './engines.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PlannedTask } from './task.ts';

/**
 * Damage of a source that a strict decode by libvips does not report; the encode itself decodes it. In a JPEG, damaged
 * codes often decode to other pixels without a warning, until too many or too few bytes are left at the end, which
 * libvips ignores. To check every code costs a twentieth of mozjpeg but a third of the fast preset, which has to do
 * with the markers and with what libvips warns of as long as the source is not replaced. @throws CorruptImageError
 */
export function assertSound(task: PlannedTask): void {
  assertNoFault(task.source, task.facts);
  if (task.replacesSource || !isStreamed(task, FORMATS)) assertWholeScan(task);
}

/** @throws CorruptImageError */
export function assertWholeScan({ source, facts }: PlannedTask): void {
  const fault = FORMATS[facts.format].findScanFault?.(source);
  if (fault && fault !== 'unknown-kind') throw new CorruptImageError(fault);
}

function assertNoFault(source: ImageFile, { format }: ImageFacts): void {
  const fault = FORMATS[format].findFault?.(source);
  if (fault) throw new CorruptImageError(fault);
}

/** @throws CorruptImageError where a strict decoder warns of anything */
export async function decodeStrictly(source: ImageFile, facts: ImageFacts): Promise<void> {
  try {
    await fromEngine(shrunkAfterDecoding(openImage(source.bytes, facts), facts, 8, 8).raw().toBuffer());
  } catch (error) {
    if (error instanceof EngineError) throw new CorruptImageError(error.message, { cause: error });
    throw error;
  }
}

/** A kept image is stored as it is, but damage in it has to be reported. @throws CorruptImageError */
export async function checkKept(source: ImageFile, facts: ImageFacts, budget: MemoryBudget): Promise<void> {
  const { keptCheck: check, canDecode } = FORMATS[facts.format];
  if (!check) return;
  if (canDecode?.(facts) === false) return assertNoFault(source, facts);
  const pixels = facts.width * facts.height * facts.pages;
  const bytes = source.bytes.length + pixels * (facts.progressive ? 6 : 4);
  if (pixels > MAX_PIXELS || bytes > budget.capacity) {
    // What is too large to be decoded here may be a false size: the codes of a GIF show it without a decode.
    if (check === 'faults-unless-decoded') assertNoFault(source, facts);
    return;
  }
  const release = await budget.acquire(bytes);
  await decodeStrictly(source, facts).finally(release);
  if (check === 'decode-and-faults') assertNoFault(source, facts);
}
