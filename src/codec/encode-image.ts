import sharp, { type Sharp } from 'sharp';
import type { Encoding } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import { type Encoder, encoderQuality } from '../core/quality.ts';
import { type EncodeRecipe, type ImageFacts, MAX_PIXELS, type OutputFormat } from '../core/recipe.ts';

// One image, one thread: hosts run as many images at once as they have cores.
sharp.concurrency(1);
sharp.cache(false);

export interface EncodeTask {
  readonly source: Uint8Array;
  readonly facts: ImageFacts;
  readonly recipe: EncodeRecipe;
  readonly settings: CompressionSettings;
  readonly timeLimitMs: number;
}

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
}

/** New pixels or a new format by way of libvips, without any metadata. @throws what libvips throws */
export async function encodeImage(task: EncodeTask): Promise<Encoded> {
  return ENCODERS[task.recipe.format](task);
}

/** The pixels as they are stored, decoded strictly; the profile belongs to the metadata and does not touch them. */
export function openImage(source: Uint8Array, facts: Pick<ImageFacts, 'pages'>): Sharp {
  return sharp(source, {
    failOn: 'warning',
    limitInputPixels: MAX_PIXELS,
    ignoreIcc: true,
    animated: facts.pages > 1,
    sequentialRead: true,
  });
}

const ENCODERS: Record<OutputFormat, (task: EncodeTask) => Promise<Encoded>> = {
  jpeg: async (task) => {
    const { effort } = task.settings;
    const quality = qualityFor(effort === 'best' ? 'mozjpeg' : 'fastJpeg', task);
    const progressive = isProgressive(task.settings);
    const bytes = await encoded(
      reshaped(task).jpeg({ quality, progressive, ...JPEG_EFFORTS[effort](progressive) }),
    );
    return { bytes, encoding: { format: 'jpeg', lossless: false, quality, effort, progressive } };
  },
  webp: async (task) => {
    const { effort } = task.settings;
    if (task.recipe.lossless) {
      const bytes = await encoded(reshaped(task).webp({ lossless: true, exact: true, effort: 6 }));
      return { bytes, encoding: { format: 'webp', lossless: true, effort } };
    }
    const quality = qualityFor('webp', task);
    const bytes = await encoded(reshaped(task).webp({ quality, effort: effort === 'best' ? 4 : 2 }));
    return { bytes, encoding: { format: 'webp', lossless: false, quality, effort } };
  },
  avif: async (task) => {
    const { effort } = task.settings;
    const quality = qualityFor('avif', task);
    const bytes = await encoded(reshaped(task).avif({ quality, effort: effort === 'best' ? 2 : 0 }));
    return { bytes, encoding: { format: 'avif', lossless: false, quality, effort } };
  },
  png: async (task) => {
    const bytes = await encoded(reshaped(task).png({ compressionLevel: 6, adaptiveFiltering: true }));
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

function isProgressive(settings: CompressionSettings): boolean {
  return settings.progressive === 'auto' ? settings.effort === 'best' : settings.progressive;
}

function qualityFor(encoder: Encoder, { recipe }: EncodeTask): number {
  return encoderQuality(encoder, recipe.quality!);
}

function reshaped({ source, facts, recipe, timeLimitMs }: EncodeTask): Sharp {
  let image = openImage(source, facts).timeout({ seconds: Math.ceil(timeLimitMs / 1000) });
  if (recipe.reshape?.upright) image = image.autoOrient();
  if (recipe.reshape) {
    image = image.resize({ width: recipe.reshape.width, height: recipe.reshape.height, fit: 'fill' });
  }
  if (recipe.flattenOn) image = image.flatten({ background: recipe.flattenOn });
  return image.toColourspace(storedColourspace(facts));
}

// libvips would store grey as RGB and 16 bits as 8.
function storedColourspace(facts: ImageFacts): string {
  const deep = facts.bitsPerChannel > 8;
  if (facts.colour === 'grey') return deep ? 'grey16' : 'b-w';
  return deep ? 'rgb16' : 'srgb';
}

async function encoded(image: Sharp): Promise<Uint8Array> {
  return image.keepMetadata().toBuffer();
}
