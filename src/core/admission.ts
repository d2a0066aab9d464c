import type { CompressionSettings } from './job.ts';
import type { EncodeRecipe, ImageFacts } from './recipe.ts';

/** What the process needs before it holds any image. */
export const BASE_BYTES = 80e6;

/** Peak memory of carrying out one recipe, in bytes beside BASE_BYTES, estimated from the header alone. */
export function estimateMemory(
  facts: ImageFacts,
  recipe: EncodeRecipe,
  settings: CompressionSettings,
  fileBytes: number,
): number {
  const pixels = facts.width * facts.height * facts.pages;
  return 2 * fileBytes + pixels * bytesPerPixel(facts, recipe, settings);
}

/** Whether the image passes through line by line, so that memory stays flat however large it is. */
export function isStreamed(facts: ImageFacts, recipe: EncodeRecipe, settings: CompressionSettings): boolean {
  const comesInLines = (facts.format === 'jpeg' || facts.format === 'png') && facts.pages === 1;
  const wholeInput = !comesInLines || facts.progressive || recipe.reshape?.upright === true;
  const wholeOutput = settings.effort === 'best' || settings.progressive === true || recipe.search === true;
  return recipe.format === 'jpeg' && !recipe.lossless && !wholeInput && !wholeOutput;
}

function bytesPerPixel(facts: ImageFacts, recipe: EncodeRecipe, settings: CompressionSettings): number {
  if (isStreamed(facts, recipe, settings)) return BYTES_PER_PIXEL.streamed;
  if (recipe.lossless) return BYTES_PER_PIXEL.lossless * (facts.bitsPerChannel > 8 ? 2 : 1);
  const decoding = facts.progressive ? BYTES_PER_PIXEL.progressiveInput : BYTES_PER_PIXEL.baseline;
  return recipe.format === 'avif' ? BYTES_PER_PIXEL.avif : decoding;
}

/** Measured as peak RSS over megapixels (docs/encoding.md). */
const BYTES_PER_PIXEL = {
  streamed: 1,
  baseline: 6,
  progressiveInput: 9,
  avif: 32,
  lossless: 16,
} as const;
