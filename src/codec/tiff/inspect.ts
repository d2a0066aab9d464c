import type { ImageFacts } from '../../core/recipe.ts';
import { startsWith } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import {
  nextDirectory,
  numbersOf,
  orientationOf,
  readDirectory,
  readTiff,
  type Tiff,
  type TiffDirectory,
} from '../metadata/tiff-directory.ts';

const TIFF_PHOTOMETRIC: Readonly<Record<number, ImageFacts['colour']>> = {
  0: 'grey',
  1: 'grey',
  2: 'rgb',
  3: 'palette',
  5: 'cmyk',
  6: 'rgb',
  8: 'lab',
  9: 'lab',
};
// Nothing needs more than whether there are several.
const MAX_TIFF_PAGES = 1000;
const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  samples: 277,
  extraSamples: 338,
  icc: 34675,
  dngVersion: 50706,
  contentCredentials: 52545,
} as const;

export function inspectTiff(bytes: Uint8Array): Partial<ImageFacts> {
  const tiff = readTiff(bytes);
  const first = tiff && readDirectory(tiff, tiff.first);
  if (!tiff || !first)
    throw new CorruptImageError('Expected a readable TIFF header but found no directory at byte 4');
  const number = (tag: number) => numbersOf(tiff, first.entries.get(tag))[0];
  const [width, height] = [number(TAG.width), number(TAG.height)];
  if (!width || !height) {
    throw new CorruptImageError(
      `Expected a readable TIFF header but found no width or height at byte ${first.at}`,
    );
  }
  return {
    width,
    height,
    pages: countPages(tiff, first),
    channels: number(TAG.samples) ?? 1,
    bitsPerChannel: number(TAG.bits) ?? 1,
    ...coloursOf(tiff, first),
    icc: first.entries.has(TAG.icc),
    contentCredentials: first.entries.has(TAG.contentCredentials),
    orientation: orientationOf(tiff, first),
    lossless: !LOSSY_COMPRESSIONS.includes(number(TAG.compression) ?? 1),
  };
}

/** JPEG of two kinds, JPEG 2000 and WebP. */
const LOSSY_COMPRESSIONS = [6, 7, 34712, 50001];

function coloursOf(tiff: Tiff, first: TiffDirectory): Pick<ImageFacts, 'colour' | 'alpha'> {
  const extra = numbersOf(tiff, first.entries.get(TAG.extraSamples));
  const alpha = extra.some((kind) => kind === 1 || kind === 2);
  // libvips takes a sample of no known meaning for transparency, and most viewers do not.
  const isClear = extra.length === (alpha ? 1 : 0);
  if (isCameraRaw(tiff.bytes, first) || !isClear) return { colour: 'other', alpha };
  const [photometric = 1] = numbersOf(tiff, first.entries.get(TAG.photometric));
  return { colour: TIFF_PHOTOMETRIC[photometric] ?? 'other', alpha };
}

/** Raw files are TIFF by their first bytes; their first picture is only a preview. */
function isCameraRaw(bytes: Uint8Array, first: TiffDirectory): boolean {
  const SUB_DIRECTORIES = 330;
  const MAKE = 271;
  const isCanon = startsWith(bytes, 'CR', 8);
  return (
    isCanon ||
    first.entries.has(TAG.dngVersion) ||
    (first.entries.has(SUB_DIRECTORIES) && first.entries.has(MAKE))
  );
}

/** Directories may overlap: a hostile file could make reading all entries of each take arbitrarily long. */
function countPages(tiff: Tiff, first: TiffDirectory): number {
  const seen = new Set([first.at]);
  let at = first.next;
  while (at !== 0 && !seen.has(at) && seen.size < MAX_TIFF_PAGES) {
    const next = nextDirectory(tiff, at);
    if (next === undefined) break;
    seen.add(at);
    at = next;
  }
  return seen.size;
}
