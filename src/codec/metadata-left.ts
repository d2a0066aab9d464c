import { createHash } from 'node:crypto';
import { type Failed, KEPT_REASONS, type KeptReason } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import { countOf } from '../core/readable.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { sameBytes } from './bytes.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import { inspectImage, readMetadata } from './inspect-image.ts';
import type { MetadataPart, MetadataPolicy, StripSource } from './metadata/model.ts';
import { underPolicy } from './metadata/policy.ts';

/**
 * What of an image the policy should have removed, by name, such as `APP1` or `a comment`; nothing where it is clean.
 * It is asked of every final output and of every kept image, so it is the guarantee that nothing is left: what is not
 * read here counts as metadata.
 */
export function findMetadataLeft(policy: MetadataPolicy, file: ImageFile): string[] {
  if (policy === 'keep') return [];
  try {
    const facts = inspectImage(file);
    return facts ? [...new Set([...partsTooMany(policy, file, facts), ...partsOfAnyFormat(facts)])] : [];
  } catch (error) {
    if (error instanceof CorruptImageError) return ['a header that cannot be read'];
    throw error;
  }
}

/**
 * The outcome, if its image is clean under the policy: else a failure, or what `metadataLeft` says of it.
 * @param bytes of the compressed output, or of the source that is kept
 */
export function requireClean<Of extends { readonly status: 'compressed' | 'kept' }>(
  outcome: Of,
  bytes: ImageFile,
  { metadata, metadataLeft }: Pick<CompressionSettings, 'metadata' | 'metadataLeft'>,
): (Of & { readonly metadataLeft?: string }) | MetadataFailure {
  const left = findMetadataLeft(metadata, bytes);
  if (left.length === 0) return outcome;
  const names = left.slice(0, MAX_NAMED).join(', ') + (left.length > MAX_NAMED ? ', …' : '');
  if (metadataLeft === 'keep') return { ...outcome, metadataLeft: names };
  const { reason, detail } = outcome as { readonly reason?: KeptReason; readonly detail?: string };
  const why = reason ? [KEPT_REASONS[reason], detail].filter(Boolean).join('; ') : 'it is in the output';
  return {
    status: 'failed',
    code: 'MetadataLeft',
    message: `Expected no more metadata than '${metadata}' allows but ${names} would be left in it: ${why}`,
  };
}

type MetadataFailure = Pick<Failed, 'status' | 'message'> & { readonly code: 'MetadataLeft' };

const MAX_NAMED = 8;

function partsOfAnyFormat({ trailingBytes, contentCredentials }: ImageFacts): string[] {
  return [
    ...(trailingBytes > 0 ? [`${countOf(trailingBytes, 'byte')} after its end`] : []),
    ...(contentCredentials ? ['content credentials'] : []),
  ];
}

function partsTooMany(policy: MetadataPolicy, file: ImageFile, facts: ImageFacts): string[] {
  const { format, orientation } = facts;
  const image = { format, file, orientation };
  const { stripper, unreadMetadata } = FORMATS[format];
  if (!stripper) return [...(unreadMetadata?.(file, policy) ?? []), ...blocksTooMany(policy, image)];
  const left = new Set(stripper.partsLeft(image, policy).map(keyOf));
  return stripper
    .parts(image)
    .filter((part) => !left.has(keyOf(part)))
    .map(({ type }) => type);
}

function keyOf({ type, payload }: MetadataPart): string {
  return createHash('sha256').update(type).update(payload).digest('base64');
}

const BLOCKS = { exif: 'EXIF', xmp: 'XMP', photoshop: 'IPTC' } as const;

/** What the policy would shorten of what every format can hold. */
function blocksTooMany(policy: MetadataPolicy, image: StripSource): string[] {
  const { turnsByProperty, readsTags } = FORMATS[image.format];
  const found = readMetadata(image);
  const left = underPolicy(found, policy, turnsByProperty ? 1 : image.orientation);
  return (['exif', 'xmp', 'photoshop'] as const)
    .filter((name) => {
      if (name === 'exif' && readsTags) return false;
      const [before, after] = [found[name], left[name]];
      return before !== undefined && !(after && sameBytes(before, after));
    })
    .map((name) => BLOCKS[name]);
}
