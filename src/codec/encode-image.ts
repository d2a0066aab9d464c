import sharp, { type Sharp } from 'sharp';
import type { Encoding } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import { encoderQuality } from '../core/quality.ts';
import { type EncodeRecipe, type ImageFacts, MAX_PIXELS, type OutputFormat } from '../core/recipe.ts';
import { fromEngine } from './engines.ts';
import type { RgbPixels } from './score/perceptual-score.ts';

// One image, one thread: hosts run as many images at once as they have cores.
sharp.concurrency(1);
sharp.cache(false);

export interface EncodeTask extends PlannedTask {
  readonly timeLimitMs: number;
}

/** What is to be done with an image; how long it may take, its host knows. */
export interface PlannedTask extends EncodePlan {
  readonly source: Uint8Array;
  readonly facts: ImageFacts;
  /** The output takes the place of its source: every check there is. */
  readonly replacesSource?: boolean;
}

/** All that an encoder has to know. */
export interface EncodePlan {
  readonly recipe: EncodeRecipe;
  readonly settings: CompressionSettings;
}

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
}

/** New pixels or a new format by way of libvips, without any metadata. @throws what libvips throws */
export async function encodeImage(task: EncodeTask): Promise<Encoded> {
  return ENCODERS[task.recipe.format](pixelsToEncode(task), task);
}

/** The same encoder on pixels that are decoded already. */
export async function encodePixels({ pixels, width, height }: RgbPixels, plan: EncodePlan): Promise<Encoded> {
  return ENCODERS[plan.recipe.format](sharp(pixels, { raw: { width, height, channels: 3 } }), plan);
}

/** What an encoder is given: the source, upright, resized and flattened as the recipe asks. */
export function pixelsToEncode({ source, facts, recipe, timeLimitMs }: EncodeTask): Sharp {
  let image = openImage(source, facts).timeout({ seconds: Math.ceil(timeLimitMs / 1000) });
  if (recipe.reshape?.upright) image = image.autoOrient();
  if (recipe.reshape) {
    image = image.resize({ width: recipe.reshape.width, height: recipe.reshape.height, fit: 'fill' });
  }
  if (recipe.flattenOn) image = image.flatten({ background: recipe.flattenOn });
  return image.toColourspace(storedColourspace(facts));
}

/** The pixels as they are stored, decoded strictly; the profile belongs to the metadata and does not touch them. */
export function openImage(
  source: Uint8Array,
  facts: Pick<ImageFacts, 'pages'> & Partial<Pick<ImageFacts, 'width' | 'height'>>,
): Sharp {
  const pixels = (facts.width ?? 0) * (facts.height ?? 0) * facts.pages;
  const image = sharp(source, {
    failOn: 'warning',
    // What the header says was held against the host's limit before; a decoder that finds more is stopped.
    limitInputPixels: Math.max(MAX_PIXELS, pixels),
    ignoreIcc: true,
    animated: facts.pages > 1,
    sequentialRead: true,
  });
  return image.on('warning', () => warnings++) as Sharp;
}

// What a decoder found in the last lines comes too late to fail the image and is only told; to whom, is left to chance
// among the images in hand.
let warnings = 0;

/** How many warnings came so far: an image during which it grew may be damaged. */
export function countWarnings(): number {
  return warnings;
}

/**
 * The image resized after every pixel was decoded: shrinking on load is faster, but that of JPEG skips over damage, and
 * that of WebP mixes colours that nobody sees into the others.
 */
export function shrunkAfterDecoding(image: Sharp, facts: ImageFacts, width: number, height: number): Sharp {
  // A crop, be it of nothing, turns it off.
  const whole = { left: 0, top: 0, width: facts.width, height: facts.height };
  const shrinksOnLoad = facts.pages === 1 && (facts.format === 'jpeg' || facts.format === 'webp');
  return (shrinksOnLoad ? image.extract(whole) : image).resize({ width, height, fit: 'fill' });
}

const ENCODERS: Record<OutputFormat, (image: Sharp, plan: EncodePlan) => Promise<Encoded>> = {
  jpeg: async (image, { recipe, settings: { effort, progressive: wanted } }) => {
    const quality = encoderQuality(effort === 'best' ? 'mozjpeg' : 'fastJpeg', recipe.quality!);
    const progressive = wanted === 'auto' ? effort === 'best' : wanted;
    const chromaSubsampling = recipe.fullChroma ? '4:4:4' : '4:2:0';
    const how = { quality, progressive, chromaSubsampling, ...JPEG_EFFORTS[effort](progressive) };
    const bytes = await fromEngine(image.jpeg(how).toBuffer());
    return { bytes, encoding: { format: 'jpeg', lossless: false, quality, effort, progressive } };
  },
  webp: async (image, { recipe, settings: { effort } }) => {
    if (recipe.lossless) {
      const bytes = await fromEngine(image.webp({ lossless: true, exact: true, effort: 6 }).toBuffer());
      return { bytes, encoding: { format: 'webp', lossless: true, effort } };
    }
    const quality = encoderQuality('webp', recipe.quality!);
    const smartSubsample = recipe.fullChroma === true;
    const bytes = await fromEngine(
      image.webp({ quality, effort: effort === 'best' ? 4 : 1, smartSubsample }).toBuffer(),
    );
    return { bytes, encoding: { format: 'webp', lossless: false, quality, effort } };
  },
  avif: async (image, { recipe, settings: { effort } }) => {
    const quality = encoderQuality('avif', recipe.quality!);
    // Effort 3 stays below one CPU second for a megapixel; 4 takes four of them for 2 % of the bytes.
    const bytes = await fromEngine(image.avif({ quality, effort: effort === 'best' ? 3 : 1 }).toBuffer());
    return { bytes, encoding: { format: 'avif', lossless: false, quality, effort } };
  },
  png: async (image) => {
    const bytes = await fromEngine(image.png({ compressionLevel: 6, adaptiveFiltering: true }).toBuffer());
    return { bytes, encoding: { format: 'png', lossless: true } };
  },
};

const JPEG_EFFORTS = {
  best: (progressive: boolean) => ({
    quantisationTable: 3,
    trellisQuantisation: true,
    overshootDeringing: true,
    optimiseScans: progressive,
  }),
  // Without optimal Huffman tables the image streams through: nothing is held, and half the time is saved.
  fast: (progressive: boolean) => ({ quantisationTable: 3, optimiseCoding: progressive }),
} as const;

// libvips would store grey as RGB and 16 bits as 8.
function storedColourspace(facts: ImageFacts): string {
  const deep = facts.bitsPerChannel > 8;
  if (facts.colour === 'grey') return deep ? 'grey16' : 'b-w';
  return deep ? 'rgb16' : 'srgb';
}
