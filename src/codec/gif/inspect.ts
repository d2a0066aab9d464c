import type { ImageFacts } from '../../core/recipe.ts';
import { countTrailing } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { readGif, TRAILER } from './blocks.ts';

/** @throws CorruptImageError when the screen has no size or the header is cut off */
export function inspectGif(file: ImageFile): Partial<ImageFacts> {
  const gif = file.read(readGif);
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
    trailingBytes: countTrailing(file.bytes, gif.end, Uint8Array.of(TRAILER)),
  };
}
