import type { ImageFacts } from '../../core/recipe.ts';
import { startsWith } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';
import type { ImageFile } from '../image-file.ts';
import { SHORTEST_PROFILE } from '../metadata/icc.ts';
import {
  nextDirectory,
  numbersOf,
  orientationOf,
  readDirectory,
  readTiff,
  type Tiff,
  type TiffDirectory,
} from '../metadata/tiff-directory.ts';

/** By the number of the photometric interpretation; 4 is a mask, 7 is not assigned. */
const COLOURS = ['grey', 'grey', 'rgb', 'palette', 'other', 'cmyk', 'rgb', 'other', 'lab', 'lab'] as const;
// Nothing needs more than whether there are several.
const MAX_TIFF_PAGES = 1000;
// biome-ignore format: a table
const TAG = {
  width: 256, height: 257, bits: 258, compression: 259, photometric: 262, make: 271, samples: 277,
  subDirectories: 330, extraSamples: 338, icc: 34675, dngVersion: 50706, contentCredentials: 52545,
} as const;

export function inspectTiff(file: ImageFile): Partial<ImageFacts> {
  const tiff = file.read(readTiff);
  const first = tiff && readDirectory(tiff, tiff.first);
  if (!tiff || !first) throw corruptHeader('TIFF', 'no directory', 4);
  const number = (tag: number) => numbersOf(tiff, first.entries.get(tag))[0];
  const [width, height] = [number(TAG.width), number(TAG.height)];
  if (!width || !height) throw corruptHeader('TIFF', 'no width or height', first.at);
  return {
    width,
    height,
    pages: countPages(tiff, first),
    channels: number(TAG.samples) ?? 1,
    bitsPerChannel: number(TAG.bits) ?? 1,
    ...coloursOf(tiff, first),
    icc: (first.entries.get(TAG.icc)?.length ?? 0) >= SHORTEST_PROFILE,
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
  return { colour: COLOURS[photometric] ?? 'other', alpha };
}

/** Raw files are TIFF by their first bytes; their first picture is only a preview. */
function isCameraRaw(bytes: Uint8Array, { entries }: TiffDirectory): boolean {
  const isCanon = startsWith(bytes, 'CR', 8);
  return isCanon || entries.has(TAG.dngVersion) || (entries.has(TAG.subDirectories) && entries.has(TAG.make));
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
