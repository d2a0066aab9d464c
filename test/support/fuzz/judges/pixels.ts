import type { Reading } from './judge.ts';

/** The same pixels in the same number of frames. */
export function isAlike(one: Reading, other: Reading | undefined): boolean {
  if (!one.pixels || !other?.pixels || one.width !== other.width || one.height !== other.height) return false;
  return one.pixels.length === other.pixels.length && Buffer.compare(one.pixels, other.pixels) === 0;
}

/** Of the first frame, 0 to 255; Infinity where the sizes differ. Colours that nobody can see do not count. */
export function meanDifference(one: Reading, other: Reading): number {
  if (one.width !== other.width || one.height !== other.height || !one.pixels || !other.pixels)
    return Number.POSITIVE_INFINITY;
  const length = (one.width ?? 0) * (one.height ?? 0) * 4;
  let sum = 0;
  for (let at = 0; at < length; at += 4) sum += pixelDifference(one.pixels, other.pixels, at);
  return sum / (length / 4);
}

function pixelDifference(one: Uint8Array, other: Uint8Array, at: number): number {
  const [alpha, otherAlpha] = [one[at + 3] ?? 255, other[at + 3] ?? 255];
  let sum = Math.abs(alpha - otherAlpha);
  const weight = Math.min(alpha, otherAlpha) / 255;
  for (let channel = 0; channel < 3; channel++) {
    sum += weight * Math.abs((one[at + channel] ?? 0) - (other[at + channel] ?? 0));
  }
  return sum / 4;
}

export function isTransparent({ pixels = new Uint8Array() }: Reading): boolean {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true;
  return false;
}
