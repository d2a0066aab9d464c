import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import type { ImageContext } from '../../../src/compress/image-context.ts';

/** In the error's message, too. */
export const BUG = 'this image meets a bug of ours';
export const POISON = 'this image crashes its process';

const budget = createMemoryBudget(1e9);

/** The codec with a fault in native code: an image that contains POISON ends the process. With BUG it throws. */
export const poisonedCodec: ImageContext['compress'] = (bytes, settings) => {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (source.includes(POISON)) process.abort();
  if (source.includes(BUG)) throw new TypeError(BUG);
  return compressBytes(bytes, settings, { budget });
};
