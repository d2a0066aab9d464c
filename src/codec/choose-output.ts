import { candidatesFor, limitFor, receiptOf, smallest, type Tried } from '../core/candidates.ts';
import type { KeptReason } from '../core/image-result.ts';
import type { EncodeRecipe } from '../core/recipe.ts';
import { EngineError } from './engines.ts';
import { FORMATS } from './formats.ts';
import { type BytesOutcome, EncoderCrashError, keptOutcome } from './outcome.ts';
import { encodeTiles, quickExactBytes, sampleOf } from './picture-sample.ts';
import type { EncodeTask, PlannedTask } from './task.ts';
import { TooSlowError } from './too-slow-error.ts';

/** How a host carries out one candidate: with memory for it. Undefined where it has too little. */
export interface CandidateHost {
  fit(recipe: EncodeRecipe): EncodeTask | undefined;
  within<T>(task: EncodeTask, work: (task: EncodeTask) => Promise<T>): Promise<T>;
  make(task: EncodeTask): Promise<BytesOutcome>;
}

/**
 * Makes the candidates of an image one after the other, none that cannot win, and returns the smallest output, with a
 * receipt of the others. Undefined where the host has memory for none of them.
 */
export async function chooseOutput(
  { source, recipe, facts, settings }: PlannedTask,
  host: CandidateHost,
): Promise<BytesOutcome | undefined> {
  const tried: Tried<BytesOutcome>[] = [];
  for (const candidate of candidatesFor(recipe, facts, settings, FORMATS)) {
    const task = host.fit(candidate.recipe);
    const limit = limitFor(candidate, tried, { format: facts.format, bytes: source.bytes.length });
    if (!task || limit === 'never') continue;
    const atLeast = limit === undefined ? 0 : await host.within(task, estimate);
    if (limit !== undefined && atLeast >= limit) {
      tried.push({ recipe: candidate.recipe, bytes: atLeast, why: 'larger by estimate' });
      continue;
    }
    const outcome = await makeOne(task, host, smallest(tried) !== undefined);
    tried.push(triedOf(candidate.recipe, withinMaxBytes(outcome, task)));
    if (endsTheSearch(outcome)) break;
  }
  return withReceipt(tried);
}

/** An encoder that crashes on a further candidate, or is too slow, does not take away the output that there is. */
async function makeOne(task: EncodeTask, host: CandidateHost, isExtra: boolean) {
  try {
    return await host.within(task, host.make);
  } catch (error) {
    if (isExtra && error instanceof TooSlowError) return keptOutcome(task.facts.format, 'too-slow', error.message);
    if (!isExtra || !(error instanceof EncoderCrashError)) throw error;
    return { status: 'failed', code: 'EncoderCrash', message: error.message } as const;
  }
}

/** Lossless ways cannot be made to fit. */
function withinMaxBytes(outcome: BytesOutcome, { facts, settings }: EncodeTask): BytesOutcome {
  if (outcome.status !== 'compressed' || outcome.bytes.length <= (settings.maxBytes ?? Number.POSITIVE_INFINITY))
    return outcome;
  const { encoding, bytes } = outcome;
  const detail = `${bytes.length} bytes as ${FORMATS[encoding.format].name} without loss`;
  const made = { bytes: bytes.length, score: encoding.score };
  return { ...keptOutcome(facts.format, 'over-max-bytes', detail), made };
}

function triedOf(recipe: EncodeRecipe, outcome: BytesOutcome): Tried<BytesOutcome> {
  switch (outcome.status) {
    case 'compressed':
      return { recipe, outcome, bytes: outcome.bytes.length, score: outcome.encoding.score };
    case 'kept':
      return { recipe, outcome, ...outcome.made, why: outcome.reason };
    default:
      return { recipe, outcome, why: outcome.status };
  }
}

/** What is true of the image itself, and not only of this candidate. */
function endsTheSearch(outcome: BytesOutcome): boolean {
  return outcome.status === 'kept' && !OF_ONE_CANDIDATE.has(outcome.reason);
}

const OF_ONE_CANDIDATE: ReadonlySet<KeptReason> = new Set([
  'below-floor',
  'no-gain',
  'not-identical',
  'equal-frames',
  'over-max-bytes',
  'colour-space',
  'too-slow',
]);

function withReceipt(tried: readonly Tried<BytesOutcome>[]): BytesOutcome | undefined {
  const best = smallest(tried);
  if (best?.outcome?.status !== 'compressed') return keptOf(tried);
  const candidates = receiptOf(tried, best);
  if (candidates.length === 0) return best.outcome;
  return { ...best.outcome, encoding: { ...best.outcome.encoding, candidates } };
}

/** Why nothing was taken: the reason of the first candidate, which is the wanted one, and what the others came to. */
function keptOf(tried: readonly Tried<BytesOutcome>[]): BytesOutcome | undefined {
  const kept = tried.flatMap(({ outcome }) => (outcome?.status === 'kept' ? outcome : []));
  const [first, ...others] = kept;
  if (!first) return tried[0]?.outcome;
  const { made: _made, ...outcome } = first;
  const details = [first, ...others].flatMap(({ detail }) => detail ?? []);
  return details.length > 0 ? { ...outcome, detail: [...new Set(details)].join('; ') } : outcome;
}

/** What cannot be sampled, as an odd file outside its strict rules, has no estimate: making it shows. */
async function estimate(task: EncodeTask): Promise<number> {
  try {
    return await leastBytes(task);
  } catch (error) {
    if (error instanceof EngineError) return 0;
    throw error;
  }
}

/** About the fewest bytes that a candidate may come to, from a sample. @throws EngineError */
async function leastBytes(task: EncodeTask): Promise<number> {
  // Frames of an animation are mostly alike, which a sample of them does not show.
  const { recipe, facts } = task;
  if (facts.pages > 1 || recipe.search || (recipe.lossless && recipe.format === 'jpeg')) return 0;
  const { tiles, scale } = await sampleOf(task);
  if (!recipe.lossless) return Math.round((await encodeTiles(tiles, task)).bytes.length * scale * LEAST_SHARES.lossy);
  const share = recipe.tryPalette ? LEAST_SHARES.palette : LEAST_SHARES.exact;
  return Math.round((await quickExactBytes(tiles)) * scale * share);
}

/**
 * What an output needs at least: lossy ones of what the sample needs in proportion, lossless ones and palettes of what
 * the fastest lossless WebP of the sample needs.
 */
const LEAST_SHARES = { lossy: 0.8, exact: 0.6, palette: 0.4 };
