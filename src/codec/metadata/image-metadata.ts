import { isUtf8 } from 'node:buffer';
import type { ImageFormat } from '../../core/image-result.ts';
import type { CompressionSettings } from '../../core/job.ts';
import { readGifXmp } from '../gif/blocks.ts';
import { readIsoImage } from '../isobmff/boxes.ts';
import { readIsoMetadata } from '../isobmff/metadata.ts';
import {
  joinExtendedXmp,
  joinIccSegments,
  joinPhotoshopSegments,
  readJpeg,
  XMP_PREFIX,
} from '../jpeg/segments.ts';
import { findChunk, keywordOf, type Png, readPng, readPngIcc, readPngXmp, readText } from '../png/chunks.ts';
import { readTiffMetadata } from '../tiff/metadata.ts';
import { findAnnounced, findRiffChunk, readWebP } from '../webp/riff.ts';
import { buildExif, readCredits, readOrientation, withOrientation, withoutExifPrefix } from './exif.ts';
import { creditsOnly, readIptcCredits } from './iptc.ts';
import {
  buildXmp,
  mergeExtendedXmp,
  NO_CREDITS,
  readXmpCredits,
  readXmpOrientation,
  withCredits,
  withXmpOrientation,
  type XmpCredits,
} from './xmp.ts';

export type MetadataPolicy = CompressionSettings['metadata'];

/** What pictures carry besides pixels and what more than one format has a place for. */
export interface ImageMetadata {
  /** Without `Exif\0\0`. */
  readonly exif?: Uint8Array;
  readonly xmp?: Uint8Array;
  readonly icc?: Uint8Array;
  /** Photoshop's resources, IPTC among them, as an APP13 payload; only JPEG has a place for them. */
  readonly photoshop?: Uint8Array;
}

/** Everything that these bytes carry. Throws CorruptImageError where their header cannot be read. */
export function readMetadata(format: ImageFormat, bytes: Uint8Array): ImageMetadata {
  return READERS[format]?.(bytes) ?? {};
}

const READERS: Partial<Record<ImageFormat, (bytes: Uint8Array) => ImageMetadata>> = {
  jpeg: readJpegMetadata,
  png: readPngMetadata,
  webp: readWebPMetadata,
  avif: (bytes) => withPlainExif(readIsoMetadata(readIsoImage(bytes))),
  heif: (bytes) => withPlainExif(readIsoMetadata(readIsoImage(bytes))),
  tiff: readTiffMetadata,
  gif: (bytes) => ({ xmp: readGifXmp(bytes) }),
};

function readJpegMetadata(bytes: Uint8Array): ImageMetadata {
  const jpeg = readJpeg(bytes);
  const payload = (wanted: string) => jpeg.segments.find(({ kind }) => kind === wanted)?.payload;
  const main = payload('xmp')?.subarray(XMP_PREFIX.length);
  const extended = joinExtendedXmp(jpeg);
  return withPlainExif({
    exif: payload('exif'),
    xmp: main && extended ? mergeExtendedXmp(main, extended) : main,
    icc: joinIccSegments(jpeg),
    photoshop: joinPhotoshopSegments(jpeg),
  });
}

function readPngMetadata(bytes: Uint8Array): ImageMetadata {
  const png = readPng(bytes);
  return withPlainExif({
    exif: findChunk(png, 'eXIf')?.payload,
    xmp: withCredits(readPngXmp(png), readPngCredits(png)),
    icc: readPngIcc(png),
  });
}

/** Author and copyright as PNG writes them in texts of its own. */
function readPngCredits(png: Png): Pick<XmpCredits, 'creators' | 'rights'> {
  const textOf = (wanted: string) => {
    const chunk = png.chunks.find((candidate) => keywordOf(candidate)?.toLowerCase() === wanted);
    const value = chunk && readText(chunk)?.value;
    // tEXt and zTXt are Latin-1 and iTXt is UTF-8, but many writers put UTF-8 into all of them.
    return value && Buffer.from(value.subarray(0, 4000)).toString(isUtf8(value) ? 'utf8' : 'latin1');
  };
  // The second is no keyword of the standard's, but some programs write it.
  const author = textOf('author') || textOf('artist');
  return { creators: author ? [author] : [], rights: textOf('copyright') };
}

function readWebPMetadata(bytes: Uint8Array): ImageMetadata {
  const webp = readWebP(bytes);
  // Tools find EXIF and XMP also where the header does not announce them; no viewer turns a picture by such.
  return withPlainExif({
    exif: findRiffChunk(webp, 'EXIF'),
    xmp: findRiffChunk(webp, 'XMP '),
    icc: findAnnounced(webp, 'ICCP'),
  });
}

function withPlainExif(metadata: ImageMetadata): ImageMetadata {
  return metadata.exif ? { ...metadata, exif: withoutExifPrefix(metadata.exif) } : metadata;
}

/** What of it goes with the output, whose pixels are to be shown with this orientation. */
export function underPolicy(
  metadata: ImageMetadata,
  policy: MetadataPolicy,
  orientation: number,
): ImageMetadata {
  return POLICIES[policy](metadata, orientation);
}

const POLICIES: Readonly<
  Record<MetadataPolicy, (metadata: ImageMetadata, orientation: number) => ImageMetadata>
> = {
  // What is not turned keeps every byte, also where XMP tells another orientation than EXIF.
  keep: (metadata, orientation) =>
    orientation === readOrientation(metadata.exif)
      ? metadata
      : {
          ...metadata,
          exif: withOrientation(metadata.exif ?? NO_EXIF, orientation),
          xmp: metadata.xmp && withXmpOrientation(metadata.xmp, orientation),
        },
  copyright: ({ exif, xmp, icc, photoshop }, orientation) => ({
    exif: creditsExif(exif, orientation),
    xmp: xmp && buildXmp(readXmpCredits(xmp), loneOrientation({ exif, xmp }, orientation)),
    icc,
    photoshop: photoshop && creditsOnly(photoshop),
  }),
  strip: ({ exif, xmp, icc }, orientation) => ({
    exif: orientationExif(exif, orientation),
    xmp: xmp && buildXmp(NO_CREDITS, loneOrientation({ exif, xmp }, orientation)),
    icc,
  }),
};

/**
 * An orientation that nothing but XMP tells, as Apple writes it into PNGs: viewers that obey it shall go on to do so, and
 * those that do not shall not begin.
 */
function loneOrientation({ exif, xmp }: ImageMetadata, orientation: number): number | undefined {
  const isTold = orientation !== 1 || readOrientation(exif) !== 1;
  const lone = !isTold && xmp ? readXmpOrientation(xmp) : undefined;
  return lone === 1 ? undefined : lone;
}

const NO_EXIF = new Uint8Array();

/** A new EXIF of credits and orientation: what is not written into it cannot leak. */
function creditsExif(exif: Uint8Array | undefined, orientation: number): Uint8Array | undefined {
  const credits = exif ? readCredits(exif) : {};
  const hasCredits = credits.artist || credits.copyright || credits.xpAuthor;
  if (!hasCredits) return orientationExif(exif, orientation);
  return buildExif({ ...credits, orientation: orientation === 1 ? undefined : orientation });
}

// In the byte order of the source: an EXIF that says no more than this comes out as it went in.
function orientationExif(exif: Uint8Array | undefined, orientation: number): Uint8Array | undefined {
  if (orientation === 1) return undefined;
  return buildExif({ orientation, littleEndian: exif && readCredits(exif).littleEndian });
}

/** The credits of Photoshop's resources moved to the XMP, for formats that have no place for those. */
export function withIptcAsXmp({ photoshop, ...metadata }: ImageMetadata): ImageMetadata {
  return photoshop ? { ...metadata, xmp: withCredits(metadata.xmp, readIptcCredits(photoshop)) } : metadata;
}
