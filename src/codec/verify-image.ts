import { createHash } from 'node:crypto';
import sharp, { type Sharp } from 'sharp';
import type { ImageFacts } from '../core/recipe.ts';
import { byteAt } from './bytes.ts';
import { openWitness } from './compare-decoders.ts';
import { openSource } from './encode-image.ts';
import { fromEngine, openImage, shrunkAfterDecoding } from './engines.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import { inspectImage } from './inspect-image.ts';
import { witnessPixels } from './second-witness.ts';
import type { EncodeTask, PlannedTask } from './task.ts';

/**
 * What is wrong with the pixels of an output, or undefined. Decodes the output to its end and compares a downscaled
 * copy with one of the source, which shows a wrong colour, rotation, frame or crop.
 */
export async function findPixelFault(output: ImageFile, task: EncodeTask): Promise<string | undefined> {
  const facts = inspectImage(output);
  if (!facts) return 'Expected an image but the encoder wrote none';
  const fault = findHeaderFault(facts, task) ?? (await findTimingFault(output, task));
  if (fault) return fault;
  // At an eighth libjpeg skips over damage, so every code is checked.
  const doubt = await findDoubt(output, facts);
  if (doubt || (isPlainJpeg(task) && !isCompared(output, task))) return doubt;
  const fastFault = await comparePictures(output, facts, task, resized);
  // Where a source has values out of range, an eighth is not the mean of its pixels.
  return fastFault && comparePictures(output, facts, task, shrunkAfterDecoding);
}

/**
 * From JPEG to JPEG on the same grid: one libvips call, the same for every such image, and its colours are proven by
 * tests. So only each sixteenth output is compared with its source, and each that replaces it; of the others only
 * the Huffman codes are checked, to the last one, which is all of the decoding that can fail.
 */
function isPlainJpeg({ facts, recipe }: EncodeTask): boolean {
  return facts.format === 'jpeg' && recipe.format === 'jpeg' && !recipe.reshape;
}

// One in sixteen, by length: as good as at random, and the same for the same output.
function isCompared({ bytes }: ImageFile, { replacesSource = false }: EncodeTask): boolean {
  return replacesSource || bytes.length % 16 === 0;
}

/** Why the judge of its format does not find an output whole, where the comparison is not by a second decoder anyway. */
async function findDoubt(output: ImageFile, facts: ImageFacts): Promise<string | undefined> {
  const { judge, needsSecondWitness } = FORMATS[facts.format];
  const verdict = needsSecondWitness && facts.pages === 1 ? undefined : await judge?.(output, facts);
  return verdict && verdict.is !== 'whole' ? verdict.detail : undefined;
}

type Shrink = (image: Sharp, facts: ImageFacts, width: number, height: number) => Sharp;

const resized: Shrink = (image, _facts, width, height) => image.resize({ width, height, fit: 'fill' });

async function comparePictures(output: ImageFile, facts: ImageFacts, task: EncodeTask, shrink: Shrink) {
  const after = await downscaledCopy(await openOutput(output, facts), facts, task, shrink, false);
  return findDifference(await downscaledCopy(openSource(task), task.facts, task, shrink, true), after);
}

/**
 * The pixels of an output as they are stored: of AVIF and WebP as a decoder reads them that is not the encoder's
 * library, because one library would not see its own errors. @throws EngineError
 */
export async function openOutput({ bytes }: ImageFile, facts: ImageFacts): Promise<Sharp> {
  if (facts.pages > 1 || !FORMATS[facts.format].needsSecondWitness) return openImage(bytes, facts);
  const picture = await witnessPixels(bytes, facts);
  // It decodes WebP up to a size only.
  return picture ? openWitness(picture) : openImage(bytes, facts);
}

async function findTimingFault(output: ImageFile, { source, facts }: EncodeTask) {
  if (facts.pages === 1) return undefined;
  const [before, after] = [await timingOf(source.bytes), await timingOf(output.bytes)];
  return before === after ? undefined : `Expected the timing ${before} but the output has ${after}`;
}

async function timingOf(bytes: Uint8Array): Promise<string> {
  const { delay, loop } = await fromEngine(sharp(bytes, { animated: true }).metadata());
  // Viewers show frames of no length for a tenth of a second, and libwebp stores that length.
  const shown = delay?.map((length) => (length <= 10 ? 100 : length));
  return `${shown?.join(' ')} ms, ${loop} times`;
}

/** Where the header of an output, metadata and all, is not what it should be; or undefined. */
export function findHeaderFault(output: ImageFacts, { facts, recipe }: PlannedTask): string | undefined {
  const { width, height } = recipe.reshape ?? facts;
  const alpha = facts.alpha && recipe.flattenOn === undefined;
  const expected = { format: recipe.format, width, height, pages: facts.pages, alpha };
  for (const [name, value] of Object.entries(expected)) {
    const received = output[name as keyof typeof expected];
    // An encoder may find that no pixel is transparent.
    if (name === 'alpha' && value && !received) continue;
    // What no frame of an animation covers is transparent.
    if (name === 'alpha' && facts.pages > 1) continue;
    if (received !== value) return `Expected ${name} ${value} but the encoder wrote ${received}`;
  }
  return undefined;
}

/** What is wrong with the orientation of an output; or undefined. */
export function findOrientationFault(output: ImageFacts, { facts, recipe }: PlannedTask): string | undefined {
  const orientation = recipe.reshape?.upright ? 1 : facts.orientation;
  if (output.orientation === orientation) return undefined;
  return `Expected orientation ${orientation} but the output has ${output.orientation}`;
}

/** What the image decodes to, strictly and whole, as a text that is equal where all pixels are. @throws EngineError */
export async function pixelDigest(image: Sharp, facts: ImageFacts): Promise<string> {
  const { data, info } = await fromEngine(storedPixels(image, facts).toBuffer({ resolveWithObject: true }));
  const digest = createHash('sha256').update(data).digest('base64');
  return `${info.width}x${info.height}x${info.channels} ${digest}`;
}

function storedPixels(image: Sharp, facts: ImageFacts): Sharp {
  if (facts.colour === 'cmyk') return image.pipelineColourspace('cmyk').toColourspace('cmyk').raw();
  if (facts.format === 'jpeg') return image.toColourspace(facts.colour === 'grey' ? 'b-w' : 'srgb').raw();
  // A lossless encoder may write grey as a palette or drop an alpha channel that is opaque everywhere.
  if (facts.bitsPerChannel > 8) return image.toColourspace('rgb16').ensureAlpha().raw({ depth: 'ushort' });
  return image.toColourspace('srgb').ensureAlpha().raw();
}

async function downscaledCopy(
  image: Sharp,
  facts: ImageFacts,
  { facts: source, recipe }: EncodeTask,
  shrink: Shrink,
  isSource: boolean,
): Promise<Uint8Array> {
  const { width, height } = recipe.reshape ?? source;
  // Rounded down: a little above an eighth, and the decoder would have to work at a quarter.
  const anEighthOf = (side: number) => Math.max(1, Math.floor(side / 8));
  const view = shrink(image, facts, anEighthOf(width), anEighthOf(height));
  const flat = (isSource && recipe.reshape?.upright ? view.autoOrient() : view)
    .flatten({ background: recipe.flattenOn ?? '#808080' })
    .toColourspace('srgb');
  return fromEngine(flat.raw().toBuffer());
}

// Far above what the lowest quality does to areas of 8 x 8 pixels, far below what a wrong picture does.
const MAX_MEAN_DIFFERENCE = 16;

function findDifference(source: Uint8Array, output: Uint8Array): string | undefined {
  if (source.length !== output.length) return `Expected ${source.length} samples but the output has ${output.length}`;
  let sum = 0;
  for (let at = 0; at < source.length; at++) sum += Math.abs(byteAt(source, at) - byteAt(output, at));
  const mean = sum / source.length;
  if (mean <= MAX_MEAN_DIFFERENCE) return undefined;
  return `Expected the picture of the source but the output differs by ${mean.toFixed(1)} of 255 levels on average`;
}
