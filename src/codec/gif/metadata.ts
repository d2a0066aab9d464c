import { startsWith } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import { readGif } from './blocks.ts';

// XMP is stored in a GIF without sub-block lengths. A reader that skips sub-blocks through it is led to its end by these
// bytes.
const XMP_TRAILER_LENGTH = 258;

/** The XMP packet in its application extension. */
export function readGifMetadata(file: ImageFile): ImageMetadata {
  const block = file.read(readGif).applications.find(({ name }) => name === XMP);
  const end = (block?.end ?? 0) - XMP_TRAILER_LENGTH;
  const isWhole = block && end > block.from && startsWith(file.bytes, '\x01\xff\xfe', end);
  return { xmp: isWhole ? file.bytes.subarray(block.from, end) : undefined };
}

const XMP = 'XMP DataXMP';

/** How often an animation repeats, and its profile: they are part of the picture. */
const OF_THE_PICTURE: readonly string[] = ['NETSCAPE2.0', 'ANIMEXTS1.0', 'ICCRGBG1012'];

/** What a GIF holds besides its pictures and XMP. */
export function gifPartsLeft(file: ImageFile): string[] {
  const { comments, applications } = file.read(readGif);
  const others = applications.filter(({ name }) => name !== XMP && !OF_THE_PICTURE.includes(name));
  return [...(comments ? ['a comment'] : []), ...others.map(({ name }) => `application data ${name.trim()}`)];
}
