import { textAt, viewOf } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';

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
export const IMAGE = 0x2c;
export const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const COMMENT = 0xfe;
const APPLICATION = 0xff;

// Far above what any program writes; the blocks of a file that has more are walked through all the same.
const MAX_APPLICATIONS = 1000;

/** Reads the blocks of a GIF; throws CorruptImageError when its screen has no size or the header is cut off. */
export function readGif(bytes: Uint8Array): Gif {
  if (bytes.length < 13) {
    throw new CorruptImageError(`Expected a readable GIF header but the file ends at byte ${bytes.length}`);
  }
  const view = viewOf(bytes);
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  if (width === 0 || height === 0) {
    throw new CorruptImageError('Expected a readable GIF header but found a width or height of 0 at byte 6');
  }
  const { right, bottom, ...summary } = summarise(bytes);
  return { ...summary, width: Math.max(width, right), height: Math.max(height, bottom) };
}

interface Summary extends Omit<Gif, 'width' | 'height'> {
  /** Where the first frame ends. */
  readonly right: number;
  readonly bottom: number;
}

function summarise(bytes: Uint8Array): Summary {
  const applications: GifApplication[] = [];
  let [frames, transparent, interlaced, comments] = [0, false, false, false];
  let [end, right, bottom] = [bytes.length, 0, 0];
  for (const block of readBlocks(bytes)) {
    const { kind, at } = block;
    if (kind === TRAILER) end = block.end;
    if (kind === EXTENSION) {
      comments ||= bytes[at + 1] === COMMENT;
      transparent ||= isTransparent(bytes, at);
      if (isApplication(bytes, at) && applications.length < MAX_APPLICATIONS)
        applications.push({ name: textAt(bytes, at + 3, 11), from: at + 14, end: block.end });
    }
    if (kind !== IMAGE) continue;
    if (frames === 0) [right, bottom] = endOfFrame(bytes, at);
    frames++;
    interlaced ||= ((bytes[at + 9] ?? 0) & 0x40) !== 0;
  }
  return { frames: Math.max(frames, 1), transparent, interlaced, comments, applications, end, right, bottom };
}

export interface GifBlock {
  readonly kind: number;
  readonly at: number;
  /** Where its sub-blocks begin. */
  readonly dataAt: number;
  readonly end: number;
}

/** The blocks behind the header, up to the trailer or as far as they are blocks. */
export function* readBlocks(bytes: Uint8Array): Generator<GifBlock> {
  let at = 13 + tableLength(bytes[10]!);
  while (at < bytes.length) {
    const kind = bytes[at]!;
    if (kind === TRAILER) yield { kind, at, dataAt: at + 1, end: at + 1 };
    if (kind !== EXTENSION && kind !== IMAGE) return;
    const dataAt = kind === IMAGE ? at + 11 + tableLength(bytes[at + 9] ?? 0) : at + 2;
    const end = skipSubBlocks(bytes, dataAt);
    yield { kind, at, dataAt, end };
    at = end;
  }
}

function isTransparent(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 1] === GRAPHIC_CONTROL && bytes[at + 2] === 4 && ((bytes[at + 3] ?? 0) & 1) === 1;
}

function isApplication(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 1] === APPLICATION && bytes[at + 2] === 11;
}

/** Its right and lower edge. @param at of the image block */
function endOfFrame(bytes: Uint8Array, at: number): [right: number, bottom: number] {
  const { width, height } = sizeOfFrame(bytes, at);
  return [uint16At(bytes, at + 1) + width, uint16At(bytes, at + 3) + height];
}

/** @param at of the image block */
export function sizeOfFrame(bytes: Uint8Array, at: number): { width: number; height: number } {
  return { width: uint16At(bytes, at + 5), height: uint16At(bytes, at + 7) };
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
