/** The quality of an encoder that looks like libjpeg at each of LIBJPEG_QUALITIES. */
export type QualityCurve = readonly number[];

/** The quality at which an encoder looks like libjpeg at `libjpegQuality` (both 1 to 100), interpolated. */
export function encoderQuality(curve: QualityCurve, libjpegQuality: number): number {
  let [left, leftPoint] = [0, 0];
  for (const [index, right] of LIBJPEG_QUALITIES.entries()) {
    const rightPoint = curve[index] ?? right;
    const share = (libjpegQuality - left) / (right - left);
    if (share <= 1) return Math.max(1, Math.round(leftPoint + share * (rightPoint - leftPoint)));
    [left, leftPoint] = [right, rightPoint];
  }
  return leftPoint;
}

/**
 * Where the curves in src/codec/<format>/encode.ts were measured: at equal SSIMULACRA2, as the median of 15 photographs
 * (`node bench/equal-appearance.ts`, sharp 0.35.5). At 70 the anchors 74, 71, 75 and 57 are those of a larger set (42
 * lossless photographs), from which this one differs by less than one; only WebP came out at 72 here, and keeps the 75
 * that spends more bytes.
 */
const LIBJPEG_QUALITIES = [10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100];
