import { estimateDecoding } from '../../core/admission.ts';
import type { KeptReason } from '../../core/image-result.ts';
import { type ImageFacts, MAX_PIXELS, type OutputFormat } from '../../core/recipe.ts';
import { sameBytes } from '../bytes.ts';
import { assertSound } from '../check-source.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import type { PlannedTask } from '../encode-image.ts';
import { EngineError } from '../engines.ts';
import { inspectImage } from '../inspect-image.ts';
import type { MemoryBudget } from '../memory-budget.ts';
import type { BytesOutcome, KeptBytes } from '../outcome.ts';
import { findHeaderFault, findOrientationFault, pixelDigest } from '../verify-image.ts';
import { readMetadata } from './image-metadata.ts';
import { holdsMoreThan, spliceMetadata } from './splice-metadata.ts';

type KeptImage = Omit<PlannedTask, 'recipe'>;

/**
 * What its pixels are kept for is no reason to hand a place and a name on: the metadata that the policy takes away
 * is cut out of a kept image, however little that saves. Where it cannot be cut out safely, the outcome says so.
 */
export async function takeOutMetadata(
  kept: KeptBytes,
  image: KeptImage,
  budget: MemoryBudget,
): Promise<BytesOutcome> {
  const { source, facts, settings } = image;
  const spliced = { format: facts.format, bytes: source, orientation: facts.orientation };
  if (settings.metadata === 'keep' || !holdsMoreThan(settings.metadata, spliced)) return kept;
  const bytes = LEFT_ALONE.has(kept.reason) ? undefined : spliceMetadata(spliced, settings.metadata);
  if (!bytes || bytes.length >= source.length || !(await isSamePicture(bytes, image, budget)))
    return { ...kept, detail: [kept.detail, 'its metadata was left in it'].filter(Boolean).join('; ') };
  return {
    status: 'compressed',
    bytes,
    contentType: kept.contentType,
    encoding: { format: facts.format, lossless: true },
    detail: `only its metadata was taken out (${[kept.reason, kept.detail].filter(Boolean).join(': ')})`,
  };
}

/** What a cut would break, or what is not understood well enough to be cut. */
const LEFT_ALONE: ReadonlySet<KeptReason> = new Set([
  'content-credentials',
  'trailing-data',
  'hdr-gain-map',
  'multi-picture',
  'not-identical',
]);

/** The checks that every lossless output goes through; what cannot be decoded here does not pass them. */
async function isSamePicture(bytes: Uint8Array, image: KeptImage, budget: MemoryBudget): Promise<boolean> {
  const { source, facts } = image;
  const memory = estimateDecoding(facts, source.length);
  if (facts.width * facts.height * facts.pages > MAX_PIXELS || memory > budget.capacity) return false;
  const release = await budget.acquire(memory);
  try {
    const format = facts.format as OutputFormat;
    const task: PlannedTask = { ...image, recipe: { action: 'encode', format, lossless: true } };
    assertSound(task);
    const output = inspectImage(bytes);
    if (!output || !isShownAlike(bytes, output, task)) return false;
    return (await pixelDigest(source, facts)) === (await pixelDigest(bytes, output));
  } catch (error) {
    if (error instanceof EngineError || error instanceof CorruptImageError) return false;
    throw error;
  } finally {
    release();
  }
}

/** The same header, turn and colour profile. */
function isShownAlike(bytes: Uint8Array, output: ImageFacts, task: PlannedTask): boolean {
  const { source, facts } = task;
  if (findHeaderFault(output, task) || findOrientationFault(output, task)) return false;
  const [before, after] = [source, bytes].map((file) => readMetadata(facts.format, file).icc);
  return before && after ? sameBytes(before, after) : !facts.icc && !output.icc;
}
