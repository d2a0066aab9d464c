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

const LIBJPEG_QUALITIES = [30, 50, 70, 85, 95, 100];

const EQUAL_APPEARANCE: Record<Encoder, readonly number[]> = {
  mozjpeg: [33, 53, 74, 88, 96, 100],
  fastJpeg: [31, 51, 71, 86, 95, 100],
  webp: [30, 52, 75, 90, 98, 100],
  avif: [32, 45, 57, 70, 85, 100],
};

function atLeastOne(quality: number): number {
  return Math.max(1, Math.round(quality));
}
