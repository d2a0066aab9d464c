import type { Sharp } from 'sharp';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { openSharp } from './engines.ts';

/** The pixels as they are stored, decoded strictly; the profile belongs to the metadata and does not touch them. */
export function openImage(
  source: Uint8Array,
  facts: Pick<ImageFacts, 'pages'> & Partial<Pick<ImageFacts, 'width' | 'height'>>,
): Sharp {
  const pixels = (facts.width ?? 0) * (facts.height ?? 0) * facts.pages;
  return openSharp(source, {
    failOn: 'warning',
    // What the header says was compared with the host's limit before; a decoder that finds more is stopped.
    limitInputPixels: Math.max(MAX_PIXELS, pixels),
    ignoreIcc: true,
    animated: facts.pages > 1,
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
