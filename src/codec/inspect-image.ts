import type { ImageFormat } from '../core/image-result.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { viewOf } from './bytes.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { inspectGif } from './gif/inspect.ts';
import { inspectIso } from './isobmff/inspect.ts';
import { inspectJpeg } from './jpeg/inspect.ts';
import { inspectPng } from './png/inspect.ts';
import { sniffFormat } from './sniff-format.ts';
import { inspectTiff } from './tiff/inspect.ts';
import { inspectWebP } from './webp/inspect.ts';

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
