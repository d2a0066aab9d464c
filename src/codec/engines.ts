import sharp, { type Sharp } from 'sharp';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { engineMessage } from './engine-message.ts';
import type { RgbPixels } from './score/perceptual-score.ts';
import { TooSlowError } from './too-slow-error.ts';

/** An engine in native code (libvips, mozjpeg, oxipng) refused or failed; its own error is the cause. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/**
 * What an engine answers; its rejection as EngineError, so that no error of our own code is taken for one.
 * @throws EngineError, TooSlowError where it gave up at its time limit
 */
export async function fromEngine<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (TIMEOUT.test(message)) throw new TooSlowError('it was not finished within its time limit', { cause: error });
    throw new EngineError(engineMessage(message), { cause: error });
  }
}

/** The engine's own words for a refusal, to be matched but not to be shown. */
export function rawMessage({ cause, message }: EngineError): string {
  return cause instanceof Error ? cause.message : message;
}

const TIMEOUT = /\btimeout: \d+% complete/;

/** One image, one thread: hosts run as many images at once as they have cores. */
export function configureLibvips(): void {
  sharp.concurrency(1);
  sharp.cache(false);
}

/**
 * The pixels as they are stored; the profile belongs to the metadata and does not touch them.
 * @param failOn 'none' only of a source whose judge found all of it there
 */
export function openImage(
  source: Uint8Array,
  facts: Pick<ImageFacts, 'pages'> & Partial<ImageFacts>,
  failOn: 'warning' | 'none' = 'warning',
): Sharp {
  const { width = 0, height = 0, pages } = facts;
  return sharp(source, {
    failOn,
    // What the header says was compared with the host's limit before; a decoder that finds more is stopped.
    limitInputPixels: Math.max(MAX_PIXELS, width * height * pages),
    ignoreIcc: true,
    animated: pages > 1,
    sequentialRead: true,
  });
}

/**
 * The image resized after every pixel was decoded: shrinking on load is faster, but that of JPEG skips over damage, and
 * that of WebP mixes colours that nobody sees into the others.
 */
export function shrunkAfterDecoding(image: Sharp, facts: ImageFacts, width: number, height: number): Sharp {
  // Any crop turns shrinking on load off, also one to the whole picture.
  const whole = { left: 0, top: 0, width: facts.width, height: facts.height };
  const shrinksOnLoad = facts.pages === 1 && (facts.format === 'jpeg' || facts.format === 'webp');
  return (shrinksOnLoad ? image.extract(whole) : image).resize({ width, height, fit: 'fill' });
}

/** What the image looks like on this background. @throws EngineError */
export async function rgbPixels(image: Sharp, background: string): Promise<RgbPixels> {
  const flat = image.flatten({ background }).toColourspace('srgb').raw();
  const { data, info } = await fromEngine(flat.toBuffer({ resolveWithObject: true }));
  return { pixels: data, width: info.width, height: info.height };
}
