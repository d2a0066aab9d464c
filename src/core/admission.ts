import type { CompressionSettings } from './job.ts';
import type { EncodeRecipe, FormatTable, ImageFacts } from './recipe.ts';

/** What the process needs before it holds any image. */
export const BASE_BYTES = 110e6;

/** What an image is, and what is to be done with it. */
export interface EncodingPlan {
  readonly facts: ImageFacts;
  readonly recipe: EncodeRecipe;
  readonly settings: CompressionSettings;
}

/** Peak memory of carrying out one recipe, in bytes beside BASE_BYTES, estimated from the header alone. */
export function estimateMemory(plan: EncodingPlan, fileBytes: number, formats: FormatTable): number {
  const scoring = plan.recipe.search || plan.recipe.tryPalette ? SCORING_BYTES : 0;
  // The file, and at most as much for the output and its copy with metadata.
  return 3 * fileBytes + scoring + pixelsOf(plan.facts) * bytesPerPixel(plan, formats);
}

/** Whether the image passes through line by line, so that memory stays flat however large it is. */
export function isStreamed(plan: EncodingPlan, formats: FormatTable): boolean {
  return streamedBytesPerPixel(plan, formats) !== undefined;
}

/** Peak memory of decoding an image whole to compare its pixels, in bytes beside BASE_BYTES. */
export function estimateDecoding(facts: ImageFacts, fileBytes: number, formats: FormatTable): number {
  const depth = facts.bitsPerChannel > 8 || facts.colour === 'cmyk' ? 2 : 1;
  const { compared = BYTES_PER_PIXEL.compared } = formats[facts.format].memory ?? {};
  const perPixel = depth * compared + (facts.progressive ? BYTES_PER_PIXEL.progressiveCompared : 0);
  return 3 * fileBytes + pixelsOf(facts) * perPixel;
}

function pixelsOf({ width, height, pages }: ImageFacts): number {
  return width * height * pages;
}

/** The planes of a scored tile of 512 x 512, and those of earlier ones that are not collected yet. */
const SCORING_BYTES = 150e6;

/** Undefined where the image does not pass through line by line. */
function streamedBytesPerPixel({ facts, recipe, settings }: EncodingPlan, formats: FormatTable) {
  const wholeInput = facts.pages > 1 || needsAllScans(facts) || recipe.reshape?.upright === true;
  const writesLines = formats[recipe.format].memory?.writesLines && !recipe.lossless;
  const wholeOutput = settings.effort === 'best' || settings.progressive === true || recipe.search === true;
  return writesLines && !wholeInput && !wholeOutput ? formats[facts.format].memory?.streamed : undefined;
}

function needsAllScans({ progressive, separateScans }: ImageFacts): boolean {
  return progressive || separateScans === true;
}

function bytesPerPixel(plan: EncodingPlan, formats: FormatTable): number {
  const { facts, recipe } = plan;
  const streamed = streamedBytesPerPixel(plan, formats);
  if (streamed !== undefined) return streamed;
  if (recipe.lossless) return losslessBytesPerPixel(facts, recipe, formats);
  const decoded = formats[facts.format].memory?.decoded ?? BYTES_PER_PIXEL.decoded;
  const decoding = needsAllScans(facts) ? BYTES_PER_PIXEL.allScans : decoded;
  const { encoding = 0, verified = [0, 0] } = formats[recipe.format].memory ?? {};
  const verifying = facts.pages > 1 ? 0 : verified[facts.alpha ? 1 : 0];
  return Math.max(decoding, encoding, verifying) + (recipe.search || recipe.measureChroma ? BYTES_PER_PIXEL.search : 0);
}

function losslessBytesPerPixel(facts: ImageFacts, recipe: EncodeRecipe, formats: FormatTable): number {
  const { losslessEncoding } = formats[recipe.format].memory ?? {};
  if (losslessEncoding !== undefined) return losslessEncoding;
  const { lossless, alpha, palette } = BYTES_PER_PIXEL;
  const depth = facts.bitsPerChannel > 8 ? 2 : 1;
  return depth * (lossless + (facts.alpha ? alpha : 0)) + (recipe.tryPalette ? palette : 0);
}

/**
 * Peak RSS beyond BASE_BYTES and the file, over megapixels: measured at 6 to 100 MP, comparing at 20 MP
 * (docs/encoding.md), rounded up. Of formats that say no other number.
 */
const BYTES_PER_PIXEL = {
  decoded: 8,
  allScans: 11,
  search: 4,
  lossless: 15,
  alpha: 5,
  palette: 16,
  compared: 8,
  progressiveCompared: 8,
} as const;
