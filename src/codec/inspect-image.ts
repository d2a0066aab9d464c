import type { ImageFormat } from '../core/image-result.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { indexOfText, viewOf } from './bytes.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { readGif } from './gif/blocks.ts';
import { inspectIso } from './isobmff/inspect.ts';
import { readMultiPicture } from './jpeg/multi-picture.ts';
import {
  chromaSubsampling,
  isProgressive,
  type Jpeg,
  quantisationTables,
  readJpeg,
  readJpegOrientation,
} from './jpeg/segments.ts';
import { estimateSourceQuality } from './jpeg/source-quality.ts';
import { readOrientation } from './metadata/exif.ts';
import { inspectPng } from './png/inspect.ts';
import { sniffFormat } from './sniff-format.ts';
import { inspectTiff } from './tiff/inspect.ts';
import { countTrailing } from './trailing-bytes.ts';
import { findAnnounced, findRiffChunk, readWebP } from './webp/riff.ts';

export { CorruptImageError, sniffFormat };

/**
 * What the header tells, without decoding a pixel; undefined when these bytes are no image. Throws
 * CorruptImageError when the format is known and its header cannot be read.
 */
export function inspectImage(bytes: Uint8Array): ImageFacts | undefined {
  const format = sniffFormat(bytes);
  if (!format) return undefined;
  return { ...NOTHING_SPECIAL, format, ...INSPECTORS[format](bytes) };
}

const NOTHING_SPECIAL = {
  width: 0,
  height: 0,
  pages: 1,
  channels: 3,
  bitsPerChannel: 8,
  colour: 'rgb',
  alpha: false,
  icc: false,
  orientation: 1,
  progressive: false,
  gainMap: false,
  multiPicture: false,
  contentCredentials: false,
  trailingBytes: 0,
} as const satisfies Omit<ImageFacts, 'format'>;

const INSPECTORS: Readonly<Record<ImageFormat, (bytes: Uint8Array) => Partial<ImageFacts>>> = {
  jpeg: inspectJpeg,
  png: inspectPng,
  webp: inspectWebP,
  gif: inspectGif,
  avif: inspectIso,
  heif: inspectIso,
  tiff: inspectTiff,
  bmp: (bytes) => sizeAt(bytes, 18, 22, true),
  psd: (bytes) => sizeAt(bytes, 18, 14, false),
  qoi: (bytes) => sizeAt(bytes, 4, 8, false),
  jp2: () => ({}),
  jxl: () => ({}),
  svg: () => ({}),
  ico: () => ({}),
  pnm: () => ({}),
};

const JPEG_COLOURS: Readonly<Record<number, ImageFacts['colour']>> = { 1: 'grey', 3: 'rgb', 4: 'cmyk' };

function inspectJpeg(bytes: Uint8Array): Partial<ImageFacts> {
  const jpeg = readJpeg(bytes);
  const { frame, segments } = jpeg;
  const channels = frame.components.length;
  const pictures = readMultiPicture(jpeg);
  return {
    width: frame.width,
    height: frame.height,
    channels,
    bitsPerChannel: frame.bits,
    colour: JPEG_COLOURS[channels] ?? 'other',
    icc: segments.some(({ kind }) => kind === 'icc'),
    orientation: readJpegOrientation(jpeg),
    progressive: isProgressive(frame),
    apart: isApart(jpeg) || undefined,
    sourceQuality: estimateSourceQuality(quantisationTables(jpeg)),
    chromaSubsampling: chromaSubsampling(frame),
    lossless: (frame.marker & 3) === 3,
    arithmetic: frame.marker > 0xc8 || undefined,
    gainMap: pictures.gainMap,
    multiPicture: pictures.count > 1,
    behind: pictures.behind,
    contentCredentials: segments.some(
      ({ kind, payload }) => kind === 'jumbf' && indexOfText(payload, 'c2pa') >= 0,
    ),
    trailingBytes: pictures.unknownTrailingBytes,
  };
}

function isApart({ frame, segments }: Jpeg): boolean {
  const scan = segments.find(({ marker }) => marker === 0xda);
  return scan !== undefined && (scan.payload[0] ?? 0) < frame.components.length;
}

function inspectWebP(bytes: Uint8Array): Partial<ImageFacts> {
  const webp = readWebP(bytes);
  return {
    width: webp.width,
    height: webp.height,
    pages: webp.frames,
    channels: webp.alpha ? 4 : 3,
    alpha: webp.alpha,
    alphaDenied: webp.alphaDenied || undefined,
    icc: findAnnounced(webp, 'ICCP') !== undefined,
    orientation: readOrientation(findAnnounced(webp, 'EXIF')),
    chromaSubsampling: webp.lossless ? undefined : '4:2:0',
    lossless: webp.lossless,
    contentCredentials: findRiffChunk(webp, 'C2PA') !== undefined,
    trailingBytes: countTrailing(bytes, webp.end),
  };
}

function inspectGif(bytes: Uint8Array): Partial<ImageFacts> {
  const gif = readGif(bytes);
  return {
    width: gif.width,
    height: gif.height,
    pages: gif.frames,
    channels: gif.transparent ? 4 : 3,
    colour: 'palette',
    alpha: gif.transparent,
    progressive: gif.interlaced,
    lossless: true,
    contentCredentials: gif.applications.some(({ name }) => name.startsWith('C2PA_GIF')),
    trailingBytes: countTrailing(bytes, gif.end),
  };
}

/** Formats without an encoder here: their size is told where it stands at a fixed place. */
function sizeAt(
  bytes: Uint8Array,
  widthAt: number,
  heightAt: number,
  littleEndian: boolean,
): Partial<ImageFacts> {
  if (Math.max(widthAt, heightAt) + 4 > bytes.length) return {};
  const view = viewOf(bytes);
  return {
    width: Math.abs(view.getInt32(widthAt, littleEndian)),
    height: Math.abs(view.getInt32(heightAt, littleEndian)),
  };
}
