import type { ImageFormat } from '../../core/image-result.ts';
import { readGifMetadata } from '../gif/metadata.ts';
import { readIsoMetadata } from '../isobmff/metadata.ts';
import { readJpegMetadata } from '../jpeg/metadata.ts';
import { readPngMetadata } from '../png/metadata.ts';
import { readTiffMetadata } from '../tiff/metadata.ts';
import { readWebPMetadata } from '../webp/metadata.ts';
import type { ImageMetadata } from './model.ts';

/** Everything that these bytes carry. Throws CorruptImageError where their header cannot be read. */
export function readMetadata(format: ImageFormat, bytes: Uint8Array): ImageMetadata {
  return READERS[format]?.(bytes) ?? {};
}

const READERS: Partial<Record<ImageFormat, (bytes: Uint8Array) => ImageMetadata>> = {
  jpeg: readJpegMetadata,
  png: readPngMetadata,
  webp: readWebPMetadata,
  avif: readIsoMetadata,
  heif: readIsoMetadata,
  tiff: readTiffMetadata,
  gif: readGifMetadata,
};
