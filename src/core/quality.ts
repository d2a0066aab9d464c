export type Encoder = 'mozjpeg' | 'fastJpeg' | 'webp' | 'avif';

/** The quality at which `encoder` looks like libjpeg at `libjpegQuality` (both 1 to 100), interpolated. */
export function encoderQuality(encoder: Encoder, libjpegQuality: number): number {
  let [left, leftPoint] = [0, 0];
  for (const [index, right] of LIBJPEG_QUALITIES.entries()) {
    const rightPoint = EQUAL_APPEARANCE[encoder][index] ?? right;
    const share = (libjpegQuality - left) / (right - left);
    if (share <= 1) return Math.max(1, Math.round(leftPoint + share * (rightPoint - leftPoint)));
    [left, leftPoint] = [right, rightPoint];
  }
  return leftPoint;
}

/**
 * Equal SSIMULACRA2, as the median of 15 photographs (`node bench/equal-appearance.ts`, sharp 0.35.5). At 70 the
 * anchors 74, 71, 75 and 57 are those of a larger set (42 lossless photographs), from which this one differs by less
 * than one; only WebP came out at 72 here, and keeps the 75 that spends more bytes.
 */
const LIBJPEG_QUALITIES = [10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100];

// biome-ignore format: a table
const EQUAL_APPEARANCE: Record<Encoder, readonly number[]> = {
  mozjpeg:  [12, 24.5, 37, 48.5, 60, 66.5, 74, 78, 83, 87.5, 92, 96.5, 100],
  fastJpeg: [11.5, 22, 33, 42.5, 53, 61.5, 71, 75, 80, 85, 90.5, 95.5, 100],
  webp:     [8, 14, 29.5, 41, 51, 62, 75, 77, 80.5, 84, 89.5, 95, 100],
  avif:     [16, 31, 41, 45.5, 49.5, 52.5, 57, 59.5, 63.5, 68.5, 75, 84.5, 100],
};
