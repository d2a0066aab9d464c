import { estimateDecoding } from '../core/admission.ts';
import type { KeptReason, OutputFormat } from '../core/image-result.ts';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { sameBytes } from './bytes.ts';
import { judgeSource } from './check-source.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { openSource } from './encode-image.ts';
import { EngineError, openImage } from './engines.ts';
import { FORMATS } from './formats.ts';
import { ImageFile } from './image-file.ts';
import { inspectImage, readMetadata } from './inspect-image.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { findMetadataLeft } from './metadata-left.ts';
import { type BytesOutcome, HostTooSmallError, type KeptBytes } from './outcome.ts';
import type { InspectedImage, PlannedTask } from './task.ts';
import { findHeaderFault, findOrientationFault, pixelDigest } from './verify-image.ts';

/**
 * An image whose pixels are kept must not publish a location and a name either: the metadata that the policy removes
 * is cut out of it, however little that saves. Where that cannot be done safely, it stays kept.
 */
export async function stripKeptImage(
  kept: KeptBytes,
  image: InspectedImage,
  budget: MemoryBudget,
): Promise<BytesOutcome> {
  const { source, facts, settings } = image;
  const file = { format: facts.format, file: source, orientation: facts.orientation };
  if (findMetadataLeft(settings.metadata, source).length === 0) return kept;
  const isFragile = NEVER_CUT.has(kept.reason);
  const bytes = isFragile ? undefined : FORMATS[facts.format].stripper?.strip(file, settings.metadata);
  if (!bytes || bytes.length >= source.bytes.length || !(await isSamePicture(bytes, image, budget))) return kept;
  return {
    status: 'compressed',
    bytes,
    contentType: kept.contentType,
    encoding: { format: facts.format, lossless: true },
    detail: `only its metadata was removed (${[kept.reason, kept.detail].filter(Boolean).join(': ')})`,
  };
}

/** What a cut would break, or what is not understood well enough to be cut. */
const NEVER_CUT: ReadonlySet<KeptReason> = new Set([
  'content-credentials',
  'trailing-data',
  'hdr-gain-map',
  'multi-picture',
  'not-identical',
]);

/**
 * The checks that every lossless output goes through; what cannot be decoded here does not pass them.
 * @throws CorruptImageError, and HostTooSmallError where a larger host could do it
 */
async function isSamePicture(bytes: Uint8Array, image: InspectedImage, budget: MemoryBudget) {
  const { source, facts } = image;
  const memory = estimateDecoding(facts, source.bytes.length, FORMATS);
  if (facts.width * facts.height * facts.pages > MAX_PIXELS) return false;
  if (memory > budget.capacity)
    throw new HostTooSmallError(
      `Expected at most ${Math.round(budget.capacity / 1e6)} MB of memory to remove the metadata of an image but ` +
        `${facts.width} x ${facts.height} needs about ${Math.round(memory / 1e6)} MB`,
    );
  const release = await budget.acquire(memory);
  try {
    const format = facts.format as OutputFormat;
    const task: PlannedTask = { ...image, recipe: { action: 'encode', format, lossless: true } };
    const verdict = await judgeSource(source, facts);
    if (verdict?.is === 'unproven') return false;
    const copy = new ImageFile(bytes);
    const output = inspectImage(copy);
    if (!output || !isShownAlike(copy, output, task)) return false;
    const before = await pixelDigest(openSource({ ...image, verdict }), facts);
    return before === (await pixelDigest(openImage(bytes, output), output));
  } catch (error) {
    if (error instanceof EngineError || error instanceof CorruptImageError) return false;
    throw error;
  } finally {
    release();
  }
}

/** The same header, orientation and colour profile. */
function isShownAlike(copy: ImageFile, output: ImageFacts, task: PlannedTask): boolean {
  const { source, facts } = task;
  if (findHeaderFault(output, task) || findOrientationFault(output, task)) return false;
  const [before, after] = [source, copy].map((file) => readMetadata({ format: facts.format, file }).icc);
  return before && after ? sameBytes(before, after) : !facts.icc && !output.icc;
}
