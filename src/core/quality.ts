export type Encoder = 'mozjpeg' | 'fastJpeg' | 'webp' | 'avif';

/** The quality at which `encoder` looks like libjpeg at `libjpegQuality` (both 1 to 100), interpolated. */
export function encoderQuality(encoder: Encoder, libjpegQuality: number): number {
  const points = EQUAL_APPEARANCE[encoder];
  const above = LIBJPEG_QUALITIES.findIndex((quality) => quality >= libjpegQuality);
  if (above === 0) return atLeastOne((points[0]! * libjpegQuality) / LIBJPEG_QUALITIES[0]!);
  const [left, right] = [LIBJPEG_QUALITIES[above - 1]!, LIBJPEG_QUALITIES[above]!];
  const share = (libjpegQuality - left) / (right - left);
  return atLeastOne(points[above - 1]! + share * (points[above]! - points[above - 1]!));
}

/**
 * Equal SSIMULACRA2, as the median of 15 photographs (`node bench/equal-appearance.ts`, sharp 0.35.5). At 70 the
 * anchors 74, 71, 75 and 57 of a larger set (8 to 16 lossless photographs of 0.4 megapixels) stand; where the two
 * differ, the curve follows the one that spends more bytes.
 */
const LIBJPEG_QUALITIES = [10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100];

// biome-ignore format: a table
const EQUAL_APPEARANCE: Record<Encoder, readonly number[]> = {
  mozjpeg:  [12, 23, 34.5, 46, 57, 65, 74, 78, 82, 87, 92, 96, 100],
  fastJpeg: [11, 21.5, 31.5, 42, 52, 61, 71, 75, 80, 85, 90, 95.5, 100],
  webp:     [8, 17, 29, 41, 52, 63, 75, 77.5, 80.5, 84.5, 90, 95.5, 100],
  avif:     [16, 25, 36, 42, 46, 50, 57, 59.5, 63, 67.5, 73, 81, 100],
};

function atLeastOne(quality: number): number {
  return Math.max(1, Math.round(quality));
}
