import type { ImageFormat } from '../core/image-result.ts';
import { FORMATS } from './formats.ts';
import type { ImageMetadata } from './metadata/model.ts';

/** Everything that these bytes carry. @throws CorruptImageError where their header cannot be read */
export function readMetadata(format: ImageFormat, bytes: Uint8Array): ImageMetadata {
  return FORMATS[format].readMetadata?.(bytes) ?? {};
}
