import { isStreamed } from '../core/admission.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { type EncodeTask, openImage } from './encode-image.ts';
import { inspectImage } from './inspect-image.ts';

/**
 * What is wrong with the pixels of an output, or undefined. Decodes the output strictly and to its end; compares
 * the picture with the source's as far as can be seen from afar, which shows a wrong colour, turn, frame or crop.
 */
export async function findPixelFault(output: Uint8Array, task: EncodeTask): Promise<string | undefined> {
  const facts = inspectImage(output);
  if (!facts) return 'Expected an image but the encoder wrote none';
  const header = findHeaderFault(facts, task);
  if (header) return header;
  const seen = await viewFromAfar(output, facts, task, false);
  // The same libjpeg call that every such image goes through: its colours are proven by tests, and decoding the
  // source once more would cost a third of the encoding.
  if (task.facts.format === 'jpeg' && isStreamed(task.facts, task.recipe, task.settings)) return undefined;
  return findDifference(await viewFromAfar(task.source, task.facts, task, true), seen);
}

/** What the header of an output, metadata and all, says otherwise than it should; or undefined. */
export function findHeaderFault(output: ImageFacts, { facts, recipe }: EncodeTask): string | undefined {
  const { width, height } = recipe.reshape ?? facts;
  const expected = {
    format: recipe.format,
    width,
    height,
    pages: facts.pages,
    alpha: facts.alpha && recipe.flattenOn === undefined,
  };
  for (const [name, value] of Object.entries(expected)) {
    const received = output[name as keyof typeof expected];
    // An encoder may find that no pixel is transparent.
    if (name === 'alpha' && value && !received) continue;
    if (received !== value) return `Expected ${name} ${value} but the encoder wrote ${received}`;
  }
  return undefined;
}

/** Whether two files decode to the same pixels, transparent ones included. */
export async function samePixels(
  one: { readonly bytes: Uint8Array; readonly facts: ImageFacts },
  other: { readonly bytes: Uint8Array; readonly facts: ImageFacts },
): Promise<boolean> {
  const depth = one.facts.bitsPerChannel > 8 ? 'ushort' : 'uchar';
  const [left, right] = [await rawPixels(one, depth), await rawPixels(other, depth)];
  return left.width === right.width && left.height === right.height && left.pixels.equals(right.pixels);
}

async function rawPixels(
  { bytes, facts }: { readonly bytes: Uint8Array; readonly facts: ImageFacts },
  depth: 'uchar' | 'ushort',
) {
  const image = openImage(bytes, facts);
  const stored =
    facts.colour === 'cmyk'
      ? image.pipelineColourspace('cmyk').toColourspace('cmyk')
      : image.toColourspace(depth === 'ushort' ? 'rgb16' : 'srgb').ensureAlpha();
  const { data, info } = await stored.raw({ depth }).toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}

// JPEG and WebP are decoded at an eighth of their size, which still reads every byte of them.
const SHRINK = 8;

async function viewFromAfar(
  bytes: Uint8Array,
  facts: ImageFacts,
  { facts: source, recipe }: EncodeTask,
  isSource: boolean,
): Promise<Uint8Array> {
  const { width, height } = recipe.reshape ?? source;
  let image = openImage(bytes, facts);
  if (isSource && recipe.reshape?.upright) image = image.autoOrient();
  return image
    .resize({ width: Math.ceil(width / SHRINK), height: Math.ceil(height / SHRINK), fit: 'fill' })
    .flatten({ background: recipe.flattenOn ?? '#808080' })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

// Far above what the lowest quality does to areas of 8 x 8 pixels, far below what a wrong picture does.
const MAX_MEAN_DIFFERENCE = 16;

function findDifference(source: Uint8Array, output: Uint8Array): string | undefined {
  if (source.length !== output.length) {
    return `Expected ${source.length} samples but the output has ${output.length}`;
  }
  let sum = 0;
  for (let at = 0; at < source.length; at++) sum += Math.abs(source[at]! - output[at]!);
  const mean = sum / source.length;
  if (mean <= MAX_MEAN_DIFFERENCE) return undefined;
  return `Expected the picture of the source but the output differs by ${mean.toFixed(1)} of 255 levels on average`;
}
