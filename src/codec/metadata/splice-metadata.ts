import { createHash } from 'node:crypto';
import type { ImageFormat } from '../../core/image-result.ts';
import { sameBytes } from '../bytes.ts';
import { readGif } from '../gif/blocks.ts';
import { jpegStripper } from '../jpeg/strip.ts';
import { pngStripper } from '../png/strip.ts';
import { webpStripper } from '../webp/strip.ts';
import { readMetadata } from './image-metadata.ts';
import type { ImageMetadata, MetadataPart, MetadataPolicy, MetadataStripper, StripSource } from './model.ts';
import { underPolicy } from './policy.ts';

/** Taking metadata out of a file whose coded pixels stay as they are, byte for byte. */

/** The file with the metadata that the policy lets through; undefined where it is not known how to do that safely. */
export function spliceMetadata(image: StripSource, policy: MetadataPolicy): Uint8Array | undefined {
  return STRIPPERS[image.format]?.strip(image, policy);
}

/** Whether the file holds anything that the policy takes away, or may hold it where nobody here can look. */
export function holdsMoreThan(policy: MetadataPolicy, image: StripSource): boolean {
  const stripper = STRIPPERS[image.format];
  if (!stripper) return MAY_HOLD[image.format]?.(image, policy) ?? false;
  const left = new Set(stripper.partsLeft(image, policy).map(keyOf));
  return stripper.parts(image).some((part) => !left.has(keyOf(part)));
}

const STRIPPERS: Partial<Record<ImageFormat, MetadataStripper>> = {
  jpeg: jpegStripper,
  png: pngStripper,
  webp: webpStripper,
};

function keyOf({ type, payload }: MetadataPart): string {
  return createHash('sha256').update(type).update(payload).digest('base64');
}

type MayHold = (image: StripSource, policy: MetadataPolicy) => boolean;

/** The formats without a splicer; those that have no place for metadata are missing. */
const MAY_HOLD: Partial<Record<ImageFormat, MayHold>> = {
  avif: losesSome,
  heif: losesSome,
  tiff: losesSome,
  gif: (image, policy) => readGif(image.bytes).comments || losesSome(image, policy),
  jxl: () => true,
  jp2: () => true,
  psd: () => true,
  svg: () => true,
};

function losesSome({ format, bytes, orientation }: StripSource, policy: MetadataPolicy): boolean {
  const found = readMetadata(format, bytes);
  // AVIF and HEIF are turned by their properties, not by EXIF.
  const left = underPolicy(found, policy, format === 'tiff' ? orientation : 1);
  const names = ['exif', 'xmp', 'photoshop'] as const satisfies readonly (keyof ImageMetadata)[];
  return names.some((name) => {
    const [before, after] = [found[name], left[name]];
    return before !== undefined && !(after && sameBytes(before, after));
  });
}
