import { createHash } from 'node:crypto';
import type { ImageFormat } from '../../core/image-result.ts';
import { sameBytes } from '../bytes.ts';
import { readGif } from '../gif/blocks.ts';
import { segmentsOfCopy } from '../jpeg/metadata.ts';
import { type Jpeg, readJpeg, writeJpeg } from '../jpeg/segments.ts';
import { type Png, readPng } from '../png/chunks.ts';
import { chunksOfCopy, natureOf, PIXEL_CHUNKS, STALE } from '../png/metadata.ts';
import { assemblePng, isUnderstood } from '../png/recompress.ts';
import { countTrailing } from '../trailing-bytes.ts';
import { PICTURES, readWebP, withWebPMetadata } from '../webp/riff.ts';
import { withoutExifPrefix } from './exif.ts';
import { type ImageMetadata, type MetadataPolicy, readMetadata, underPolicy } from './image-metadata.ts';

/** Taking metadata out of a file whose coded pixels stay as they are, byte for byte. */

export interface SplicedImage {
  readonly format: ImageFormat;
  readonly bytes: Uint8Array;
  /** What the picture is shown with, before and after. */
  readonly orientation: number;
}

/** The file with the metadata that the policy lets through; undefined where it is not known how to do that safely. */
export function spliceMetadata(image: SplicedImage, policy: MetadataPolicy): Uint8Array | undefined {
  return CONTAINERS[image.format]?.splice(image, policy);
}

/** Whether the file holds anything that the policy takes away, or may hold it where nobody here can look. */
export function holdsMoreThan(policy: MetadataPolicy, image: SplicedImage): boolean {
  const container = CONTAINERS[image.format];
  if (!container) return MAY_HOLD[image.format]?.(image, policy) ?? false;
  const left = new Set(container.left(image, policy).map(keyOf));
  return container.parts(image).some((part) => !left.has(keyOf(part)));
}

/** Whatever holds metadata in a file. */
interface Part {
  readonly type: string;
  readonly payload: Uint8Array;
}

function keyOf({ type, payload }: Part): string {
  return createHash('sha256').update(type).update(payload).digest('base64');
}

interface Container {
  /** What it holds beside its pixels. */
  parts(image: SplicedImage): Part[];
  /** What of it is left under the policy, in this form or another. */
  left(image: SplicedImage, policy: MetadataPolicy): Part[];
  splice(image: SplicedImage, policy: MetadataPolicy): Uint8Array | undefined;
}

const CONTAINERS: Partial<Record<ImageFormat, Container>> = {
  jpeg: {
    // A profile may be cut in other places, and is never taken out.
    parts: ({ bytes }) => [
      ...readJpeg(bytes)
        .segments.filter(({ kind }) => kind !== 'coding' && kind !== 'icc')
        .map(asPart),
      ...behind(readJpeg(bytes)),
    ],
    left: ({ bytes }, policy) => segmentsOfCopy(readJpeg(bytes), policy).map(asPart),
    splice: ({ bytes }, policy) => spliceJpeg(readJpeg(bytes), policy),
  },
  png: {
    parts: ({ bytes }) =>
      readPng(bytes)
        .chunks.filter(({ type }) => !PIXEL_CHUNKS.has(type) && !STALE.has(type))
        .map(withPlainExif),
    left: ({ bytes, orientation }, policy) =>
      Object.values(chunksLeft(readPng(bytes), policy, orientation)).flat(),
    splice: splicePng,
  },
  webp: {
    parts: ({ bytes }) => besidePictures(bytes),
    left: (image, policy) => besidePictures(spliceWebP(image, policy)),
    splice: spliceWebP,
  },
};

function behind({ bytes, end }: Jpeg): Part[] {
  return countTrailing(bytes, end) > 0 ? [{ type: 'behind', payload: bytes.subarray(end) }] : [];
}

function asPart({ marker, payload }: { marker: number; payload: Uint8Array }): Part {
  return { type: String.fromCharCode(marker), payload };
}

function spliceJpeg(jpeg: Jpeg, policy: MetadataPolicy): Uint8Array | undefined {
  if (!jpeg.hasEnd) return undefined;
  return writeJpeg(segmentsOfCopy(jpeg, policy), codedParts(jpeg));
}

/** From the first table to the end, without the segments in between that do not belong to the coding. */
function codedParts({ bytes, segments, end }: Jpeg): Uint8Array[] {
  const first = segments.findIndex(({ kind }) => kind === 'coding');
  const parts: Uint8Array[] = [];
  let from = segments[first]!.at;
  for (const { kind, at, payload } of segments.slice(first)) {
    if (kind === 'coding') continue;
    parts.push(bytes.subarray(from, at));
    from = at + 4 + payload.length;
  }
  return [...parts, bytes.subarray(from, end)];
}

function splicePng({ bytes, orientation }: SplicedImage, policy: MetadataPolicy): Uint8Array | undefined {
  const png = readPng(bytes);
  if (!isUnderstood(png)) return undefined;
  return assemblePng(png, chunksLeft(png, policy, orientation));
}

function chunksLeft(png: Png, policy: MetadataPolicy, orientation: number) {
  return chunksOfCopy(png, natureOf(png), policy, orientation) ?? { before: [], after: [] };
}

function spliceWebP({ bytes, orientation }: SplicedImage, policy: MetadataPolicy): Uint8Array {
  return withWebPMetadata(bytes, underPolicy(readMetadata('webp', bytes), policy, orientation));
}

function besidePictures(webp: Uint8Array): Part[] {
  return readWebP(webp)
    .chunks.filter(({ type }) => type !== 'VP8X' && !PICTURES.has(type))
    .map(withPlainExif);
}

/** A prefix that only JPEG needs is nothing to take out. */
function withPlainExif({ type, payload }: Part): Part {
  const isExif = type === 'eXIf' || type === 'EXIF';
  return { type, payload: isExif ? withoutExifPrefix(payload) : payload };
}

type MayHold = (image: SplicedImage, policy: MetadataPolicy) => boolean;

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

function losesSome({ format, bytes, orientation }: SplicedImage, policy: MetadataPolicy): boolean {
  const found = readMetadata(format, bytes);
  // AVIF and HEIF are turned by their properties, not by EXIF.
  const left = underPolicy(found, policy, format === 'tiff' ? orientation : 1);
  const names = ['exif', 'xmp', 'photoshop'] as const satisfies readonly (keyof ImageMetadata)[];
  return names.some((name) => {
    const [before, after] = [found[name], left[name]];
    return before !== undefined && !(after && sameBytes(before, after));
  });
}
