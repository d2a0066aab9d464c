import type { ImageFormat } from '../core/image-result.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import type { ImageMetadata, MetadataSource } from './metadata/model.ts';

/**
 * What the header says, without decoding a pixel; undefined when these bytes are no image. Throws
 * CorruptImageError when the format is known and its header cannot be read.
 */
export function inspectImage(file: ImageFile): ImageFacts | undefined {
  const format = sniffFormat(file.bytes);
  if (!format) return undefined;
  return { ...NOTHING_SPECIAL, format, ...FORMATS[format].inspect?.(file) };
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

/** The format by its first bytes, whatever its name says; undefined when these bytes are no image. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  const names = Object.keys(FORMATS) as ImageFormat[];
  return names.find((name) => FORMATS[name].sniff(bytes));
}

/** Everything that these bytes carry. @throws CorruptImageError where their header cannot be read */
export function readMetadata({ format, file }: MetadataSource): ImageMetadata {
  return FORMATS[format].readMetadata?.(file) ?? {};
}
