import { byteAt, textAt, uint16At } from '../bytes.ts';
import { CorruptImageError, corruptHeader } from '../corrupt-image-error.ts';

export interface Gif {
  /** Of the screen, or of the first frame where it reaches beyond: decoders make the picture as large as both. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** Some frame has a transparent colour. */
  readonly transparent: boolean;
  readonly interlaced: boolean;
  /** Application extensions: an identifier of eight letters with a code of three, and their data. */
  readonly applications: {
    readonly name: string;
    /** From the length of the first sub-block to the zero after the last. */
    readonly from: number;
    readonly end: number;
  }[];
  readonly comments: boolean;
  /** Where the trailer ends, or the file when there is none. */
  readonly end: number;
}

export const EXTENSION = 0x21;
export const IMAGE = 0x2c;
export const TRAILER = 0x3b;
const LABEL = { graphicControl: 0xf9, comment: 0xfe, application: 0xff } as const;

// Far above what any program writes; in a file that has more, the other blocks are still read.
const MAX_APPLICATIONS = 1000;

/** Reads the blocks of a GIF; throws CorruptImageError when its screen has no size or the header is cut off. */
export function readGif(bytes: Uint8Array): Gif {
  if (bytes.length < 13)
    throw new CorruptImageError(`Expected a readable GIF header but the file ends at byte ${bytes.length}`);
  const [width, height] = [uint16At(bytes, 6, true), uint16At(bytes, 8, true)];
  const nothing = { frames: 0, transparent: false, interlaced: false, comments: false, applications: [] };
  const gif: GifSoFar = { ...nothing, width, height, end: bytes.length };
  for (const block of readBlocks(bytes)) {
    if (block.kind === TRAILER) gif.end = block.end;
    if (block.kind === EXTENSION) addExtension(gif, bytes, block);
    if (block.kind === IMAGE) addFrame(gif, bytes, block);
  }
  if (gif.width === 0 || gif.height === 0) throw corruptHeader('GIF', 'a width or height of 0', 6);
  return { ...gif, frames: Math.max(gif.frames, 1) };
}

type GifSoFar = { -readonly [Key in keyof Gif]: Gif[Key] };

function addExtension(gif: GifSoFar, bytes: Uint8Array, { at, end }: GifBlock): void {
  const [label, length] = [byteAt(bytes, at + 1), byteAt(bytes, at + 2)];
  if (label === LABEL.comment) gif.comments = true;
  if (label === LABEL.graphicControl && length === 4 && byteAt(bytes, at + 3) & 1) gif.transparent = true;
  if (label === LABEL.application && length === 11 && gif.applications.length < MAX_APPLICATIONS)
    gif.applications.push({ name: textAt(bytes, at + 3, 11), from: at + 14, end });
}

function addFrame(gif: GifSoFar, bytes: Uint8Array, { at }: GifBlock): void {
  if (gif.frames === 0) {
    const { width, height } = sizeOfFrame(bytes, at);
    gif.width = Math.max(gif.width, uint16At(bytes, at + 1, true) + width);
    gif.height = Math.max(gif.height, uint16At(bytes, at + 3, true) + height);
  }
  gif.frames++;
  if (byteAt(bytes, at + 9) & 0x40) gif.interlaced = true;
}

export interface GifBlock {
  readonly kind: number;
  readonly at: number;
  /** Where its sub-blocks begin. */
  readonly dataAt: number;
  readonly end: number;
}

/** The blocks after the header, up to the trailer or as far as they are blocks. */
export function* readBlocks(bytes: Uint8Array): Generator<GifBlock> {
  let at = 13 + tableLength(byteAt(bytes, 10));
  while (at < bytes.length) {
    const kind = byteAt(bytes, at);
    if (kind === TRAILER) yield { kind, at, dataAt: at + 1, end: at + 1 };
    if (kind !== EXTENSION && kind !== IMAGE) return;
    const dataAt = kind === IMAGE ? at + 11 + tableLength(byteAt(bytes, at + 9)) : at + 2;
    let end = dataAt;
    while (byteAt(bytes, end) > 0) end += 1 + byteAt(bytes, end);
    end++;
    yield { kind, at, dataAt, end };
    at = end;
  }
}

/** Length of the colour table that these flags announce. */
export function tableLength(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** The contents of the sub-blocks from this place to the empty one that ends them. */
export function* readSubBlocks(bytes: Uint8Array, from: number): Generator<Uint8Array> {
  let at = from;
  while (byteAt(bytes, at) > 0) {
    const end = at + 1 + byteAt(bytes, at);
    yield bytes.subarray(at + 1, end);
    at = end;
  }
}

/** @param at of the image block */
export function sizeOfFrame(bytes: Uint8Array, at: number): { width: number; height: number } {
  return { width: uint16At(bytes, at + 5, true), height: uint16At(bytes, at + 7, true) };
}
