import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage } from '../../src/codec/inspect-image.ts';
import type { ImageFacts } from '../../src/core/recipe.ts';

/** Facts of an ordinary photo, with some of them otherwise. */
export function factsOf(changes: Partial<ImageFacts> & Pick<ImageFacts, 'format'>): ImageFacts {
  return {
    width: 1200,
    height: 800,
    pages: 1,
    channels: changes.alpha ? 4 : 3,
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
    ...changes,
  };
}

/** The facts of a picture that can be read. */
export async function inspected(bytes: Uint8Array | Promise<Uint8Array>): Promise<ImageFacts> {
  return inspectImage(new ImageFile(await bytes))!;
}
