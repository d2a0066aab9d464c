import type { ImageFacts } from '../../core/recipe.ts';
import { startsWith } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import {
  nextDirectory,
  numbersOf,
  readDirectory,
  readTiff,
  type Tiff,
  type TiffDirectory,
} from './directory.ts';

const TIFF_PHOTOMETRIC = {
  0: 'grey',
  1: 'grey',
  2: 'rgb',
  3: 'palette',
  5: 'cmyk',
  6: 'rgb',
  8: 'lab',
  9: 'lab',
} as const;
// Nothing asks for more than whether there are several.
const MAX_TIFF_PAGES = 1000;
const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
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
  const orientation = number(TAG.orientation) ?? 1;
  const extra = numbersOf(tiff, first.entries.get(TAG.extraSamples));
  const colour = TIFF_PHOTOMETRIC[(number(TAG.photometric) ?? 1) as keyof typeof TIFF_PHOTOMETRIC] ?? 'other';
  const alpha = extra.some((kind) => kind === 1 || kind === 2);
  // libvips takes a sample of no known meaning for transparency, and most viewers do not.
  const isClear = extra.length === (alpha ? 1 : 0);
  return {
    width,
    height,
    pages: countPages(tiff, first),
    channels: number(TAG.samples) ?? 1,
    bitsPerChannel: number(TAG.bits) ?? 1,
    colour: isCameraRaw(bytes, first) || !isClear ? 'other' : colour,
    alpha,
    icc: first.entries.has(TAG.icc),
    contentCredentials: first.entries.has(TAG.contentCredentials),
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    lossless: ![6, 7, 34712, 50001].includes(number(TAG.compression) ?? 1),
  };
}

/** Raw files are TIFF by their magic; the picture that they show first is only a preview. */
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

/** Directories may lie over one another: reading all entries of each would take as long as the file is made to. */
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
