import { byteAt } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { IMAGE, readBlocks, readSubBlocks, sizeOfFrame, TRAILER } from './blocks.ts';

/** What a GIF lacks: codes for all pixels of a frame, or its end; undefined when both are there. */
export function findGifFault(file: ImageFile): string | undefined {
  const { bytes } = file;
  const lengths = new Uint16Array(MAX_CODES);
  for (const { kind, at, dataAt } of readBlocks(bytes)) {
    if (kind === TRAILER) return undefined;
    if (kind !== IMAGE) continue;
    const { width, height } = sizeOfFrame(bytes, at);
    const pixels = countPixels(bytes, dataAt, lengths);
    if (pixels < width * height)
      return `Expected ${width} x ${height} pixels in the frame at byte ${at} but its codes end after ${pixels}`;
  }
  return 'Expected a GIF trailer but the file ends before it';
}

// Codes have twelve bits at the most.
const MAX_CODES = 4096;

/** How many pixels the LZW codes of a frame stand for; which ones does not matter here. */
interface PixelCount {
  /** For each code, how many pixels it stands for. */
  readonly lengths: Uint16Array;
  /** The code that forgets all others; the next one ends the frame. */
  readonly clear: number;
  /** The next code to be defined. */
  next: number;
  /** Bits of a code. */
  width: number;
  /** Pixels of the code before, 0 where there is none. */
  previous: number;
  pixels: number;
}

/** @param lengths scratch buffer of MAX_CODES */
function countPixels(bytes: Uint8Array, from: number, lengths: Uint16Array): number {
  const rootBits = byteAt(bytes, from - 1);
  if (rootBits > 11) return 0;
  const clear = 1 << rootBits;
  lengths.fill(1, 0, clear);
  const count = { lengths, clear, next: clear + 2, width: rootBits + 1, previous: 0, pixels: 0 };
  let [bits, valid] = [0, 0];
  for (const part of readSubBlocks(bytes, from)) {
    for (const byte of part) {
      bits |= byte << valid;
      valid += 8;
      while (valid >= count.width) {
        const code = bits & ((1 << count.width) - 1);
        bits >>>= count.width;
        valid -= count.width;
        if (!takeCode(count, code, rootBits)) return count.pixels;
      }
    }
  }
  return count.pixels;
}

/** False at the end of the frame, or at a code that is not defined yet. */
function takeCode(count: PixelCount, code: number, rootBits: number): boolean {
  const { lengths, clear, next, previous } = count;
  if (code === clear) {
    count.next = clear + 2;
    count.width = rootBits + 1;
    count.previous = 0;
    return true;
  }
  if (code === clear + 1 || code > next || (code === next && previous === 0)) return false;
  const length = code === next ? previous + 1 : (lengths[code] ?? 0);
  if (previous > 0 && next < MAX_CODES) {
    lengths[next] = previous + 1;
    count.next = next + 1;
    if (count.next === 1 << count.width && count.width < 12) count.width++;
  }
  count.pixels += length;
  count.previous = length;
  return true;
}
