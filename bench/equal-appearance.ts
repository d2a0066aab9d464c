/**
 * Makes the table of src/core/quality.ts: which quality of each encoder looks like libjpeg at 30, 40, … 95 (equal
 * SSIMULACRA2), and how many bytes that takes. `node bench/equal-appearance.ts [folder of photographs]`
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { perceptualReference } from '../src/codec/perceptual-score.ts';

const LIBJPEG = [10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95];
const GRID = [6, 12, 20, 28, 36, 44, 52, 60, 66, 72, 78, 84, 88, 92, 96, 99];

/** The options as src/codec/encode-image.ts has them. */
const ENCODERS: Record<string, (image: Sharp, quality: number) => Sharp> = {
  mozjpeg: (image, quality) => image.jpeg({ quality, mozjpeg: true }),
  fastJpeg: (image, quality) => image.jpeg({ quality, quantisationTable: 3, optimiseCoding: false }),
  webp: (image, quality) => image.webp({ quality, effort: 4 }),
  webpFast: (image, quality) => image.webp({ quality, effort: 1 }),
  webp6s: (image, quality) => image.webp({ quality, effort: 6, smartSubsample: true }),
  avif: (image, quality) => image.avif({ quality, effort: 2 }),
  avifFast: (image, quality) => image.avif({ quality, effort: 0 }),
};

interface Sample {
  readonly quality: number;
  readonly score: number;
  readonly bytes: number;
}

interface Photo {
  readonly name: string;
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

async function main(): Promise<void> {
  const photos = await readPhotos(process.argv[2]);
  const found: Record<string, { quality: number[][]; bytes: number[][]; cpu: number }> = {};
  for (const photo of photos) {
    const reference = perceptualReference(photo);
    const sample = async (encode: (image: Sharp, quality: number) => Sharp, quality: number) => {
      const raw = { width: photo.width, height: photo.height, channels: 3 as const };
      const bytes = await encode(sharp(photo.pixels, { raw }), quality).toBuffer();
      const pixels = await sharp(bytes).removeAlpha().toColourspace('srgb').raw().toBuffer();
      return { quality, score: reference.score(pixels), bytes: bytes.length };
    };
    const targets: Sample[] = [];
    for (const quality of LIBJPEG) {
      targets.push(await sample((image, q) => image.jpeg({ quality: q, optimiseCoding: false }), quality));
    }
    for (const [name, encode] of Object.entries(ENCODERS)) {
      const cpu = process.cpuUsage();
      const samples: Sample[] = [];
      for (const quality of GRID) samples.push(await sample(encode, quality));
      found[name] ??= { quality: LIBJPEG.map(() => []), bytes: LIBJPEG.map(() => []), cpu: 0 };
      const encoder = found[name];
      const used = process.cpuUsage(cpu);
      encoder.cpu += (used.user + used.system) / 1e6 / GRID.length;
      targets.forEach((target, index) => {
        const equal = atScore(samples, target.score);
        if (!equal) return;
        encoder.quality[index]!.push(equal.quality);
        encoder.bytes[index]!.push(equal.bytes / target.bytes);
      });
    }
    console.error(
      photo.name,
      photo.width,
      photo.height,
      targets.map(({ score }) => score.toFixed(1)).join(' '),
    );
  }
  print(found, photos.length);
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

function print(
  found: Record<string, { quality: number[][]; bytes: number[][]; cpu: number }>,
  photos: number,
): void {
  console.log(`${photos} photographs. libjpeg quality: ${LIBJPEG.join(' ')}`);
  for (const [name, { quality, bytes, cpu }] of Object.entries(found)) {
    console.log(name.padEnd(9), 'quality', quality.map((values) => median(values).toFixed(1)).join(' '));
    console.log(
      name.padEnd(9),
      'bytes  ',
      bytes.map((values) => mean(values).toFixed(3)).join(' '),
      `n=${bytes.map((v) => v.length).join(',')} cpu ${cpu.toFixed(2)}`,
    );
  }
}

async function readPhotos(folder: string | undefined): Promise<Photo[]> {
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

// JPEG sources are halved, so that what an earlier encoder did to them is averaged away.
async function readPhoto(file: string): Promise<Photo> {
  const bytes = readFileSync(file);
  const { width, height, format } = await sharp(bytes).metadata();
  const scale = Math.min(format === 'png' ? 1 : 0.5, Math.sqrt(400_000 / (width * height)));
  const { data, info } = await sharp(bytes)
    .autoOrient()
    .resize(Math.round(width * scale), Math.round(height * scale), { fit: 'inside' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { name: file, pixels: data, width: info.width, height: info.height };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await main();
