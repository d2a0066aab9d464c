import type { CompressionSettings } from './job.ts';
import type { EncodeRecipe, ImageFacts } from './recipe.ts';

/** What the process needs before it holds any image. */
export const BASE_BYTES = 110e6;

/** Peak memory of carrying out one recipe, in bytes beside BASE_BYTES, estimated from the header alone. */
export function estimateMemory(
  facts: ImageFacts,
  recipe: EncodeRecipe,
  settings: CompressionSettings,
  fileBytes: number,
): number {
  const pixels = facts.width * facts.height * facts.pages;
  // The file, and at most as much for the output and its copy with metadata.
  const scoring = recipe.search || recipe.tryPalette ? SCORING_BYTES : 0;
  return 3 * fileBytes + scoring + pixels * bytesPerPixel(facts, recipe, settings);
}

/** Whether the image passes through line by line, so that memory stays flat however large it is. */
export function isStreamed(facts: ImageFacts, recipe: EncodeRecipe, settings: CompressionSettings): boolean {
  const comesInLines = (facts.format === 'jpeg' || facts.format === 'png') && facts.pages === 1;
  const wholeInput = !comesInLines || facts.progressive || facts.apart || recipe.reshape?.upright === true;
  const wholeOutput = settings.effort === 'best' || settings.progressive === true || recipe.search === true;
  return recipe.format === 'jpeg' && !recipe.lossless && !wholeInput && !wholeOutput;
}

/** Peak memory of decoding an image whole to compare its pixels, in bytes beside BASE_BYTES. */
export function estimateDecoding(facts: ImageFacts, fileBytes: number): number {
  const { baseline, progressive } = DECODED_BYTES_PER_PIXEL;
  const depth = facts.bitsPerChannel > 8 || facts.colour === 'cmyk' ? 2 : 1;
  const perPixel = depth * (baseline[facts.format] ?? progressive) + (facts.progressive ? progressive : 0);
  return 3 * fileBytes + facts.width * facts.height * facts.pages * perPixel;
}

/** The planes of a scored tile of 512 x 512, and those of earlier ones that are not collected yet. */
const SCORING_BYTES = 150e6;

function bytesPerPixel(facts: ImageFacts, recipe: EncodeRecipe, settings: CompressionSettings): number {
  if (isStreamed(facts, recipe, settings))
    return BYTES_PER_PIXEL.streamed[facts.format === 'jpeg' ? 'jpeg' : 'other'];
  if (recipe.lossless) return losslessBytesPerPixel(facts, recipe);
  const decoding =
    facts.progressive || facts.apart
      ? BYTES_PER_PIXEL.progressiveInput
      : BYTES_PER_PIXEL.decoded[facts.format];
  const encoding = recipe.format === 'avif' ? BYTES_PER_PIXEL.avifOutput : 0;
  return (
    Math.max(decoding ?? BYTES_PER_PIXEL.baseline, encoding) + (recipe.search ? BYTES_PER_PIXEL.search : 0)
  );
}

function losslessBytesPerPixel(facts: ImageFacts, recipe: EncodeRecipe): number {
  const { losslessWebp, lossless, alpha, palette } = BYTES_PER_PIXEL;
  if (recipe.format === 'webp') return losslessWebp;
  const depth = facts.bitsPerChannel > 8 ? 2 : 1;
  return depth * (lossless + (facts.alpha ? alpha : 0)) + (recipe.tryPalette ? palette : 0);
}

/** Peak RSS beyond BASE_BYTES and the file, over megapixels: measured at 6 to 100 MP (docs/encoding.md), rounded up. */
const BYTES_PER_PIXEL = {
  streamed: { jpeg: 1, other: 4 },
  baseline: 8,
  progressiveInput: 11,
  decoded: { webp: 14, avif: 20 } as Partial<Record<ImageFacts['format'], number>>,
  avifOutput: 40,
  search: 4,
  lossless: 15,
  alpha: 5,
  losslessWebp: 62,
  palette: 16,
} as const;

/** Measured likewise, at 20 MP. */
const DECODED_BYTES_PER_PIXEL = {
  baseline: { jpeg: 5, png: 9, webp: 17 } as Partial<Record<ImageFacts['format'], number>>,
  progressive: 8,
} as const;
