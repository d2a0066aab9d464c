import sharp, { type Sharp } from 'sharp';
import type { ImageFacts } from '../core/recipe.ts';
import { byteAt } from './bytes.ts';
import { fromEngine, openImage, shrunkAfterDecoding } from './engines.ts';
import type { WitnessPicture } from './second-witness.ts';

/**
 * How libvips reads an image otherwise than a second decoder did; undefined where both see the same picture. They may
 * interpolate chroma differently, but never the means of areas. @throws EngineError where libvips cannot decode it
 */
export async function findDecoderDifference(
  bytes: Uint8Array,
  facts: ImageFacts,
  witness: WitnessPicture,
): Promise<string | undefined> {
  const [across, down] = [cellsIn(facts.width), cellsIn(facts.height)];
  const own = await rgba(shrunkAfterDecoding(openImage(bytes, facts), facts, across, down));
  const other = await rgba(openWitness(witness).resize({ width: across, height: down, fit: 'fill' }));
  return describeDifference(own, other, facts.width >= 16 * across && facts.height >= 16 * down);
}

/** The pixels that a second decoder gave, as an image of libvips. */
export function openWitness({ pixels, width, height, channels }: WitnessPicture): Sharp {
  return sharp(pixels, { raw: { width, height, channels }, limitInputPixels: false });
}

const CELL = 16;

/** Small pictures get cells of a pixel or more, so that there are enough of them to compare. */
function cellsIn(side: number): number {
  return Math.max(Math.floor(side / CELL), Math.min(side, CELL));
}

function rgba(image: Sharp): Promise<Uint8Array> {
  return fromEngine(image.toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer());
}

/**
 * Measured on 101 photographs and pictures of text and noise in saturated colours, with chroma of every sampling and
 * both ranges: at most 6 in a channel and 2 in luma for cells of 16 x 16 pixels, 0.7 on average, and 1.005 for the
 * slope. Values of 16 to 235 taken for those of 0 to 255 give 20 and 0.86.
 */
const MAX_CHANNEL = 12;
const MAX_LUMA = 4;
const MAX_BIAS = 2.5;
const MAX_SLOPE_ERROR = 0.03;

function describeDifference(own: Uint8Array, other: Uint8Array, areWholeCells: boolean): string | undefined {
  const { slope, bias, channel, luma } = measure(own, other);
  const isOff = Math.abs(slope - 1) > MAX_SLOPE_ERROR || Math.abs(bias) > MAX_BIAS;
  if (!isOff && !(areWholeCells && (channel > MAX_CHANNEL || luma > MAX_LUMA))) return undefined;
  return `two decoders read its colours differently, by up to ${Math.round(channel)} of 255 levels`;
}

interface Difference {
  /** Of one decoder's luma over the other's; 1 where the picture is flat. */
  readonly slope: number;
  /** Mean difference of luma. */
  readonly bias: number;
  /** Greatest differences of a cell. */
  readonly channel: number;
  readonly luma: number;
}

function measure(own: Uint8Array, other: Uint8Array): Difference {
  const [own8, other8] = [lumaOf(own), lumaOf(other)];
  let [channel, luma] = [0, 0];
  for (let at = 0; at < own.length; at++) channel = Math.max(channel, Math.abs(byteAt(own, at) - byteAt(other, at)));
  for (const [cell, value] of own8.entries()) luma = Math.max(luma, Math.abs(value - (other8[cell] ?? 0)));
  return { slope: slopeOf(own8, other8), bias: meanOf(own8) - meanOf(other8), channel, luma };
}

function lumaOf(pixels: Uint8Array): Float64Array {
  return Float64Array.from({ length: pixels.length / 4 }, (_, cell) => {
    const at = 4 * cell;
    return 0.299 * byteAt(pixels, at) + 0.587 * byteAt(pixels, at + 1) + 0.114 * byteAt(pixels, at + 2);
  });
}

const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Below it rounding decides over the slope.
const MIN_VARIANCE = 100;

/** Of the line through all cells, by least squares. */
function slopeOf(own: Float64Array, other: Float64Array): number {
  const [ownMean, otherMean] = [meanOf(own), meanOf(other)];
  let [covariance, variance] = [0, 0];
  for (const [cell, value] of other.entries()) {
    covariance += (value - otherMean) * ((own[cell] ?? 0) - ownMean);
    variance += (value - otherMean) ** 2;
  }
  return variance / other.length < MIN_VARIANCE ? 1 : covariance / variance;
}
