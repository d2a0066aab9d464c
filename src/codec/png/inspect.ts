import type { ImageFacts } from '../../core/recipe.ts';
import { viewOf } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { countAfterEnd, findChunk, type Png, readPng } from './chunks.ts';
import { countFrames } from './frames.ts';
import { readPngOrientation } from './metadata-chunks.ts';

const PNG_COLOURS = { 0: 'grey', 2: 'rgb', 3: 'palette', 4: 'grey', 6: 'rgb' } as const;
const PNG_CHANNELS = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 } as const;

export function inspectPng(file: ImageFile): Partial<ImageFacts> {
  const png = file.read(readPng);
  const { width, height, bitDepth, interlaced } = png.header;
  const colourType = png.header.colourType as keyof typeof PNG_COLOURS;
  const has = (...types: string[]) => types.some((type) => findChunk(png, type));
  const isKeyed = has('tRNS') && (colourType & 4) === 0;
  return {
    width,
    height,
    pages: countPictures(png, countFrames(png)),
    channels: PNG_CHANNELS[colourType] + (isKeyed ? 1 : 0),
    bitsPerChannel: bitDepth,
    colour: PNG_COLOURS[colourType],
    alpha: isKeyed || (colourType & 4) !== 0,
    icc: has('iCCP'),
    orientation: readPngOrientation(png),
    progressive: interlaced,
    lossless: true,
    gainMap: has('gmAP', 'gdAT'),
    contentCredentials: has('caBX'),
    trailingBytes: countAfterEnd(png, file.bytes),
    ownColours: hasOwnColours(png) || undefined,
  };
}

/** The still picture counts, too, where it is not a frame: an animation of one frame then has two pictures. */
function countPictures({ chunks }: Png, frames: number): number {
  const first = chunks.findIndex(({ type }) => type === 'fcTL');
  const stillFirst = first < 0 || first > chunks.findIndex(({ type }) => type === 'IDAT');
  return Math.max(1, frames + (frames > 0 && stillFirst && first >= 0 ? 1 : 0));
}

const SRGB_GAMMA = 45_455;
const SRGB_CHROMATICITIES = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];

/** Colours by cICP, or by gAMA and cHRM where no profile overrides them: no encoder here can write these. */
function hasOwnColours(png: Png): boolean {
  const chunk = (type: string) => findChunk(png, type)?.payload;
  const coding = chunk('cICP');
  if (coding) return !(coding[0] === 1 && coding[1] === 13);
  if (chunk('iCCP') || chunk('sRGB')) return false;
  const [gamma, chromaticities] = [chunk('gAMA'), chunk('cHRM')];
  const differs = (payload: Uint8Array | undefined, expected: readonly number[], tolerance: number) =>
    payload?.length === expected.length * 4 &&
    expected.some((value, index) => Math.abs(viewOf(payload).getUint32(index * 4) - value) > tolerance);
  return differs(gamma, [SRGB_GAMMA], 1000) || differs(chromaticities, SRGB_CHROMATICITIES, 500);
}
