/**
 * Makes the curves of src/codec/<format>/encode.ts: which quality of each encoder looks like libjpeg at 30, 40, … 95 (equal
 * SSIMULACRA2), and how many bytes that takes. `node bench/equal-appearance.ts [folder of photographs]`
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { perceptualReference } from '../src/codec/score/perceptual-score.ts';

const LIBJPEG = [10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95];
const GRID = [6, 12, 20, 28, 36, 44, 52, 60, 66, 72, 78, 84, 88, 92, 96, 99];

type Encode = (image: Sharp, quality: number) => Sharp;

/** The options as src/codec/<format>/encode.ts has them. */
export const ENCODERS = {
  mozjpeg: (image, quality) => image.jpeg({ quality, mozjpeg: true }),
  fastJpeg: (image, quality) => image.jpeg({ quality, quantisationTable: 3, optimiseCoding: false }),
  webp: (image, quality) => image.webp({ quality, effort: 4 }),
  fastWebp: (image, quality) => image.webp({ quality, effort: 1 }),
  avif: (image, quality) => image.avif({ quality, effort: 3 }),
  fastAvif: (image, quality) => image.avif({ quality, effort: 1 }),
} satisfies Record<string, Encode>;

interface Sample {
  readonly quality: number;
  readonly score: number;
  readonly bytes: number;
}

export interface Photo {
  readonly name: string;
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface EqualAppearance {
  /** For each libjpeg quality one value for each photograph: the encoder's quality, and its bytes over libjpeg's. */
  readonly quality: readonly number[][];
  readonly bytes: readonly number[][];
}

/** At which quality, and for how many bytes, `encode` comes to the SSIMULACRA2 of libjpeg at `libjpegQualities`. */
export async function compareAtEqualScore(
  photos: readonly Photo[],
  encode: Encode,
  libjpegQualities: readonly number[] = LIBJPEG,
): Promise<EqualAppearance> {
  const found = {
    quality: libjpegQualities.map((): number[] => []),
    bytes: libjpegQualities.map((): number[] => []),
  };
  for (const photo of photos) {
    const sample = await sampler(photo);
    const samples: Sample[] = [];
    for (const quality of GRID) samples.push(await sample(encode, quality));
    for (const [index, quality] of libjpegQualities.entries()) {
      const target = await sample(libjpeg, quality);
      const equal = atScore(samples, target.score);
      if (!equal) continue;
      found.quality[index]!.push(equal.quality);
      found.bytes[index]!.push(equal.bytes / target.bytes);
    }
  }
  return found;
}

/** What Pillow and ImageMagick write, too. */
const libjpeg: Encode = (image, quality) => image.jpeg({ quality, optimiseCoding: false });

async function sampler(photo: Photo): Promise<(encode: Encode, quality: number) => Promise<Sample>> {
  const reference = perceptualReference(photo);
  const raw = { width: photo.width, height: photo.height, channels: 3 as const };
  return async (encode, quality) => {
    const bytes = await encode(sharp(photo.pixels, { raw }), quality).toBuffer();
    const pixels = await sharp(bytes).removeAlpha().toColourspace('srgb').raw().toBuffer();
    return { quality, score: reference.score(pixels), bytes: bytes.length };
  };
}

async function main(): Promise<void> {
  const photos = await readPhotos(process.argv[2]);
  console.log(`${photos.length} photographs. libjpeg quality: ${LIBJPEG.join(' ')}`);
  for (const [name, encode] of Object.entries(ENCODERS)) {
    const { quality, bytes } = await compareAtEqualScore(photos, encode);
    console.log(name.padEnd(9), 'quality', quality.map((values) => median(values).toFixed(1)).join(' '));
    console.log(name.padEnd(9), 'bytes  ', bytes.map((values) => mean(values).toFixed(3)).join(' '));
  }
}

/** Between two neighbours of the grid, by straight lines; undefined outside of it. */
function atScore(samples: readonly Sample[], score: number): { quality: number; bytes: number } | undefined {
  for (let index = 1; index < samples.length; index++) {
    const [low, high] = [samples[index - 1]!, samples[index]!];
    if (low.score > score || high.score < score || high.score === low.score) continue;
    const share = (score - low.score) / (high.score - low.score);
    return {
      quality: low.quality + share * (high.quality - low.quality),
      bytes: Math.exp(Math.log(low.bytes) + share * (Math.log(high.bytes) - Math.log(low.bytes))),
    };
  }
  return undefined;
}

/** The photographs of a folder, or those that npm packages ship. */
export async function readPhotos(folder: string | undefined): Promise<Photo[]> {
  const packages = [
    'exif-js/example/Bloated-Hero.jpg',
    'exif-js/example/Bush-dog.jpg',
    'exif-js/example/DSCN0614_small.jpg',
  ];
  const files = folder
    ? readdirSync(folder)
        .sort()
        .map((name) => join(folder, name))
    : [...packages, 'exif-js/example/dsc_09827.jpg', 'baboon-image/baboon.png'].map((path) =>
        join('node_modules', path),
      );
  return Promise.all(files.map(readPhoto));
}

// Large JPEGs are halved and more, so that what an earlier encoder did to them is averaged away.
async function readPhoto(file: string): Promise<Photo> {
  const bytes = readFileSync(file);
  const { width, height, format } = await sharp(bytes).metadata();
  const isLossy = format !== 'png' && width * height > 300_000;
  const scale = Math.min(isLossy ? 0.5 : 1, Math.sqrt(600_000 / (width * height)));
  const { data, info } = await sharp(bytes)
    .autoOrient()
    .resize(Math.round(width * scale), Math.round(height * scale), { fit: 'inside' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { name: file, pixels: data, width: info.width, height: info.height };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
