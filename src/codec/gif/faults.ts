import { IMAGE, readBlocks, sizeOfFrame, TRAILER } from './blocks.ts';

/** What a GIF lacks: codes for all pixels of a frame, or its end; undefined when both are there. */
export function findGifFault(bytes: Uint8Array): string | undefined {
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

/**
 * How many pixels the LZW codes of a frame stand for. Which ones is not asked.
 * @param lengths of codes: room for how many pixels each stands for
 */
function countPixels(bytes: Uint8Array, from: number, lengths: Uint16Array): number {
  const rootBits = bytes[from - 1] ?? 0;
  if (rootBits > 11) return 0;
  const clear = 1 << rootBits;
  lengths.fill(1, 0, clear);
  let [pixels, previous, next, width, bits, valid] = [0, 0, clear + 2, rootBits + 1, 0, 0];
  for (let at = from; bytes[at]; at += bytes[at]! + 1) {
    for (const byte of bytes.subarray(at + 1, at + 1 + bytes[at]!)) {
      bits |= byte << valid;
      valid += 8;
      while (valid >= width) {
        const code = bits & ((1 << width) - 1);
        bits >>>= width;
        valid -= width;
        if (code === clear) {
          [previous, next, width] = [0, clear + 2, rootBits + 1];
          continue;
        }
        // The end, or a code that stands for nothing yet.
        if (code === clear + 1 || code > next || (code === next && previous === 0)) return pixels;
        const length = code === next ? previous + 1 : lengths[code]!;
        if (previous > 0 && next < MAX_CODES) {
          lengths[next++] = previous + 1;
          if (next === 1 << width && width < 12) width++;
        }
        pixels += length;
        previous = length;
      }
    }
  }
  return pixels;
}
