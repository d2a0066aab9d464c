import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import type { ImageContext } from '../../../src/compress/image-context.ts';

export const POISON = 'this image takes its process down';

const budget = createMemoryBudget(1e9);

/** The codec as it would be with a fault in native code: an image that holds POISON ends the process. */
export const poisonedCodec: ImageContext['compress'] = (bytes, settings) => {
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(POISON)) process.abort();
  return compressBytes(bytes, settings, { budget });
};
