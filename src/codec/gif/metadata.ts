import { startsWith } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import { readGif } from './blocks.ts';

// XMP is stored in a GIF without sub-block lengths. A reader that skips sub-blocks through it is led to its end by these
// bytes.
const XMP_TRAILER_LENGTH = 258;

/** The XMP packet in its application extension. */
export function readGifMetadata(file: ImageFile): ImageMetadata {
  const block = file.read(readGif).applications.find(({ name }) => name === 'XMP DataXMP');
  const end = (block?.end ?? 0) - XMP_TRAILER_LENGTH;
  const isWhole = block && end > block.from && startsWith(file.bytes, '\x01\xff\xfe', end);
  return { xmp: isWhole ? file.bytes.subarray(block.from, end) : undefined };
}
