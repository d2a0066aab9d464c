import { estimateDecoding } from '../core/admission.ts';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { EngineError, fromEngine, openImage, shrunkAfterDecoding } from './engines.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { UnprovenError } from './outcome.ts';
import type { EncodeTask } from './task.ts';
import type { Sound, Unproven, Verdict } from './verdict.ts';

/**
 * What the judge of its format says of a source; undefined where it has none, and a strict decode decides.
 * @throws CorruptImageError
 */
export async function judgeSource(
  source: ImageFile,
  facts: ImageFacts,
  fitsDecoded = true,
): Promise<Sound | Unproven | undefined> {
  const verdict = await verdictOf(source, facts, fitsDecoded);
  if (verdict?.is === 'damaged') throw new CorruptImageError(verdict.detail);
  return verdict;
}

/** A source is judged once, however many outputs are made of it. */
function verdictOf(source: ImageFile, facts: ImageFacts, fitsDecoded: boolean): Promise<Verdict | undefined> {
  return source.once('verdict', async () => FORMATS[facts.format].judge?.(source, facts, fitsDecoded));
}

/**
 * Why a decoder refuses a source. Where a judge found it whole, the two disagree, and neither is believed.
 * @throws CorruptImageError, UnprovenError
 */
export async function assertDecodes({
  source,
  facts,
  verdict,
}: Omit<EncodeTask, 'recipe' | 'settings'>): Promise<void> {
  if (!verdict) return decodeStrictly(source, facts);
  try {
    await decodeStrictly(source, facts, verdict);
  } catch (error) {
    if (error instanceof CorruptImageError) throw new UnprovenError(NOT_ACCEPTED, { cause: error });
    throw error;
  }
}

/** Of a source that its judge found whole. */
export const NOT_ACCEPTED = 'all of its data is there, but its decoder does not accept it';

/** @throws CorruptImageError where a strict decoder warns of anything */
async function decodeStrictly(source: ImageFile, facts: ImageFacts, verdict?: Sound): Promise<void> {
  try {
    const image = openImage(source.bytes, facts, verdict?.is === 'odd' ? 'none' : 'warning');
    await fromEngine(shrunkAfterDecoding(image, facts, 8, 8).raw().toBuffer());
  } catch (error) {
    if (error instanceof EngineError) throw new CorruptImageError(error.message, { cause: error });
    throw error;
  }
}

/**
 * A kept image is stored as it is, but damage in it has to be reported.
 * @returns why it is not proven to be whole, where no strict decode can tell
 * @throws CorruptImageError
 */
export async function checkKept(
  source: ImageFile,
  facts: ImageFacts,
  budget: MemoryBudget,
): Promise<string | undefined> {
  const { keptCheck, canDecode, judge } = FORMATS[facts.format];
  const pixels = facts.width * facts.height * facts.pages;
  const bytes = bytesToCheck(source, facts);
  const fits = pixels <= MAX_PIXELS && bytes <= budget.capacity;
  const release = await budget.acquire(fits ? bytes : 0);
  try {
    const verdict = judge && (await judgeSource(source, facts, fits));
    const isProven = verdict?.is === 'whole' || verdict?.is === 'odd';
    if (fits && keptCheck && !isProven && canDecode?.(facts) !== false) await decodeStrictly(source, facts);
    return !keptCheck && verdict?.is === 'unproven' ? verdict.detail : undefined;
  } finally {
    release();
  }
}

function bytesToCheck({ bytes }: ImageFile, facts: ImageFacts): number {
  // Two decoders, one after the other, hold the whole picture.
  if (FORMATS[facts.format].needsSecondWitness) return estimateDecoding(facts, bytes.length, FORMATS);
  return bytes.length + facts.width * facts.height * facts.pages * (facts.progressive ? 6 : 4);
}
