import sharp from 'sharp';
import { pixelsToEncode } from './encode-image.ts';
import { fromEngine, rgbPixels } from './engines.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import { perceptualReference, type RgbPixels } from './score/perceptual-score.ts';
import { mosaicOf } from './score/picture-tiles.ts';
import type { EncodeTask } from './task.ts';

/** Tiles that stand for a whole picture as it goes to the encoder. */
export interface PictureSample {
  readonly tiles: RgbPixels;
  /** How many times as many pixels the picture has. */
  readonly scale: number;
  /** Undefined where the picture is too small to be scored. */
  reference(): PerceptualReference | undefined;
}

type PerceptualReference = ReturnType<typeof perceptualReference>;

/** The background under what is transparent, in samples and scores. */
export const GREY = '#808080';

/** Taken once per image and grid, however many candidates are compared on it. @throws EngineError */
export function sampleOf(task: EncodeTask): Promise<PictureSample> {
  const { source, recipe } = task;
  return source.once(JSON.stringify(['sample', recipe.reshape, recipe.flattenOn]), () => takeSample(task));
}

/** The tiles as the recipe's encoder writes them, without metadata. @throws EngineError */
export async function encodeTiles({ pixels, width, height }: RgbPixels, task: EncodeTask): Promise<ImageFile> {
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  return (await FORMATS[task.recipe.format].encode(image, task)).file;
}

/** What the tiles need in the fastest lossless WebP, which is some 20 ms of work. @throws EngineError */
export async function quickExactBytes({ pixels, width, height }: RgbPixels): Promise<number> {
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  return (await fromEngine(image.webp({ lossless: true, effort: 0 }).toBuffer())).length;
}

async function takeSample(task: EncodeTask): Promise<PictureSample> {
  const picture = await rgbPixels(pixelsToEncode(task), GREY);
  const { width, height } = picture;
  const tiles = mosaicOf(picture);
  let reference: PerceptualReference | undefined;
  return {
    tiles,
    scale: (width * height) / (tiles.width * tiles.height),
    reference() {
      if (Math.min(width, height) < SMALLEST_SCORED) return undefined;
      reference ??= perceptualReference(tiles);
      return reference;
    },
  };
}

/** The metric halves a picture several times; of a smaller one nothing would be left. */
const SMALLEST_SCORED = 16;
