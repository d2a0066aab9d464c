import type { ImageFacts } from '../../core/recipe.ts';
import { countTrailing } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { readOrientation } from '../metadata/exif.ts';
import { usableProfile } from '../metadata/icc.ts';
import { findAnnounced, findRiffChunk, readWebP } from './riff.ts';

/** @throws CorruptImageError when the size of the picture cannot be read */
export function inspectWebP(file: ImageFile): Partial<ImageFacts> {
  const webp = file.read(readWebP);
  const { width, height, alpha, lossless } = webp;
  return {
    width,
    height,
    pages: webp.frames,
    channels: alpha ? 4 : 3,
    alpha,
    undeclaredAlpha: webp.alphaDenied || undefined,
    icc: usableProfile(findAnnounced(webp, 'ICCP')) !== undefined,
    orientation: readOrientation(findAnnounced(webp, 'EXIF')),
    chromaSubsampling: lossless ? undefined : '4:2:0',
    lossless,
    contentCredentials: findRiffChunk(webp, 'C2PA') !== undefined,
    trailingBytes: countTrailing(file.bytes, webp.end),
  };
}
