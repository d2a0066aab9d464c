import { startsWith } from '../bytes.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import { readGif } from './blocks.ts';

export function readGifMetadata(bytes: Uint8Array): ImageMetadata {
  return { xmp: readXmp(bytes) };
}

// XMP lies in a GIF as it is. Who skips sub-blocks and comes to stand anywhere in it is led by these to its end.
const XMP_TRAILER_LENGTH = 258;

/** The XMP packet in its application extension; undefined when there is none. */
function readXmp(bytes: Uint8Array): Uint8Array | undefined {
  const block = readGif(bytes).applications.find(({ name }) => name === 'XMP DataXMP');
  const end = (block?.end ?? 0) - XMP_TRAILER_LENGTH;
  return block && end > block.from && startsWith(bytes, '\x01\xff\xfe', end)
    ? bytes.subarray(block.from, end)
    : undefined;
}
