import { createHash } from 'node:crypto';
import { estimateDecoding } from '../core/admission.ts';
import type { KeptReason, OutputFormat } from '../core/image-result.ts';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { sameBytes } from './bytes.ts';
import { assertSound } from './check-source.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { EngineError } from './engines.ts';
import { FORMATS } from './formats.ts';
import { ImageFile } from './image-file.ts';
import { inspectImage, readMetadata } from './inspect-image.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { ImageMetadata, MetadataPart, MetadataPolicy, StripSource } from './metadata/model.ts';
import { underPolicy } from './metadata/policy.ts';
import type { BytesOutcome, KeptBytes } from './outcome.ts';
import type { InspectedImage, PlannedTask } from './task.ts';
import { findHeaderFault, findOrientationFault, pixelDigest } from './verify-image.ts';

/**
 * An image whose pixels are kept must not publish a location and a name either: the metadata that the policy removes
 * is cut out of it, however little that saves. Where that cannot be done safely, the outcome says so.
 */
export async function stripKeptImage(
  kept: KeptBytes,
  image: InspectedImage,
  budget: MemoryBudget,
): Promise<BytesOutcome> {
  const { source, facts, settings } = image;
  const file = { format: facts.format, file: source, orientation: facts.orientation };
  if (settings.metadata === 'keep' || !holdsMoreThan(settings.metadata, file)) return kept;
  const isFragile = NEVER_CUT.has(kept.reason);
  const bytes = isFragile ? undefined : FORMATS[facts.format].stripper?.strip(file, settings.metadata);
  if (!bytes || bytes.length >= source.bytes.length || !(await isSamePicture(bytes, image, budget)))
    return { ...kept, detail: [kept.detail, 'its metadata was left in it'].filter(Boolean).join('; ') };
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

/** Whether the file holds anything that the policy removes, or may hold it where it is not read here. */
export function holdsMoreThan(policy: MetadataPolicy, image: StripSource): boolean {
  const { stripper, holdsUnreadMetadata } = FORMATS[image.format];
  if (!stripper) return holdsUnreadMetadata?.(image.file) || losesSome(policy, image);
  const left = new Set(stripper.partsLeft(image, policy).map(keyOf));
  return stripper.parts(image).some((part) => !left.has(keyOf(part)));
}

function keyOf({ type, payload }: MetadataPart): string {
  return createHash('sha256').update(type).update(payload).digest('base64');
}

function losesSome(policy: MetadataPolicy, image: StripSource): boolean {
  const found = readMetadata(image);
  const left = underPolicy(found, policy, FORMATS[image.format].turnsByProperty ? 1 : image.orientation);
  const names = ['exif', 'xmp', 'photoshop'] as const satisfies readonly (keyof ImageMetadata)[];
  return names.some((name) => {
    const [before, after] = [found[name], left[name]];
    return before !== undefined && !(after && sameBytes(before, after));
  });
}

/** The checks that every lossless output goes through; what cannot be decoded here does not pass them. */
async function isSamePicture(bytes: Uint8Array, image: InspectedImage, budget: MemoryBudget) {
  const { source, facts } = image;
  const memory = estimateDecoding(facts, source.bytes.length, FORMATS);
  if (facts.width * facts.height * facts.pages > MAX_PIXELS || memory > budget.capacity) return false;
  const release = await budget.acquire(memory);
  try {
    const format = facts.format as OutputFormat;
    const task: PlannedTask = { ...image, recipe: { action: 'encode', format, lossless: true } };
    assertSound(task);
    const copy = new ImageFile(bytes);
    const output = inspectImage(copy);
    if (!output || !isShownAlike(copy, output, task)) return false;
    return (await pixelDigest(source.bytes, facts)) === (await pixelDigest(bytes, output));
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
