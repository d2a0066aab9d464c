import { startsWith, textAt, viewOf } from './bytes.ts';
import { CorruptImageError } from './corrupt-image-error.ts';

export interface Gif {
  /** Of the screen, or of the first frame where it reaches beyond: decoders make the picture as large as both. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** Some frame has a transparent colour. */
  readonly transparent: boolean;
  readonly interlaced: boolean;
  readonly applications: readonly GifApplication[];
  readonly comments: boolean;
  /** Where the trailer ends, or the file when there is none. */
  readonly end: number;
}

/** An application extension. */
export interface GifApplication {
  /** Its identifier of eight letters and its code of three. */
  readonly name: string;
  /** Where its data lies: from the length of the first sub-block to the zero behind the last. */
  readonly from: number;
  readonly end: number;
}

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const COMMENT = 0xfe;
const APPLICATION = 0xff;

// Far above what any program writes; the blocks of a file that has more are walked through all the same.
const MAX_APPLICATIONS = 1000;

/** Walks the blocks of a GIF; throws CorruptImageError when its screen has no size or the header is cut off. */
export function readGif(bytes: Uint8Array): Gif {
  if (bytes.length < 13) {
    throw new CorruptImageError(`Expected a readable GIF header but the file ends at byte ${bytes.length}`);
  }
  const view = viewOf(bytes);
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  if (width === 0 || height === 0) {
    throw new CorruptImageError('Expected a readable GIF header but found a width or height of 0 at byte 6');
  }
  const { right, bottom, ...blocks } = walkBlocks(bytes, 13 + tableLength(bytes[10]!));
  return { ...blocks, width: Math.max(width, right), height: Math.max(height, bottom) };
}

interface Blocks extends Omit<Gif, 'width' | 'height'> {
  /** Where the first frame ends. */
  readonly right: number;
  readonly bottom: number;
}

function walkBlocks(bytes: Uint8Array, from: number): Blocks {
  let [frames, transparent, interlaced, comments, at] = [0, false, false, false, from];
  let [right, bottom] = [0, 0];
  const applications: GifApplication[] = [];
  const seen = (end: number) => ({
    frames: Math.max(frames, 1),
    transparent,
    interlaced,
    comments,
    applications,
    right,
    bottom,
    end,
  });
  while (at < bytes.length) {
    const block = bytes[at]!;
    if (block === TRAILER) return seen(at + 1);
    if (block === EXTENSION) {
      const [label, length] = [bytes[at + 1], bytes[at + 2]];
      const end = skipSubBlocks(bytes, at + 2);
      comments ||= label === COMMENT;
      if (label === GRAPHIC_CONTROL && length === 4) transparent ||= ((bytes[at + 3] ?? 0) & 1) === 1;
      if (label === APPLICATION && length === 11 && applications.length < MAX_APPLICATIONS)
        applications.push({ name: textAt(bytes, at + 3, 11), from: at + 14, end });
      at = end;
    } else if (block === IMAGE) {
      const flags = bytes[at + 9] ?? 0;
      if (frames === 0) [right, bottom] = endOfFrame(bytes, at);
      frames++;
      interlaced ||= (flags & 0x40) !== 0;
      at = skipSubBlocks(bytes, at + 10 + tableLength(flags) + 1);
    } else {
      break;
    }
  }
  return seen(bytes.length);
}

/** Its right and lower edge. @param at of the image block */
function endOfFrame(bytes: Uint8Array, at: number): [right: number, bottom: number] {
  const [left, top, width, height] = [1, 3, 5, 7].map((offset) => uint16At(bytes, at + offset));
  return [left! + width!, top! + height!];
}

function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

function tableLength(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

function skipSubBlocks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== 0) at += bytes[at]! + 1;
  return at + 1;
}

// XMP lies in a GIF as it is. Who skips sub-blocks and comes to stand anywhere in it is led by these to its end.
const XMP_TRAILER_LENGTH = 258;

/** The XMP packet in its application extension; undefined when there is none. */
export function readGifXmp(bytes: Uint8Array): Uint8Array | undefined {
  const block = readGif(bytes).applications.find(({ name }) => name === 'XMP DataXMP');
  const end = (block?.end ?? 0) - XMP_TRAILER_LENGTH;
  return block && end > block.from && startsWith(bytes, '\x01\xff\xfe', end)
    ? bytes.subarray(block.from, end)
    : undefined;
}
