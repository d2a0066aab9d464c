import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { expect, test, vi } from 'vitest';
import { perceptualReference, type RgbPixels } from '../../../src/codec/score/perceptual-score.ts';

const require = createRequire(import.meta.url);

async function readPixels(file: string | Buffer, width = 256): Promise<RgbPixels> {
  const image = sharp(file).resize(width).removeAlpha().toColourspace('srgb').raw();
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  return { pixels: new Uint8Array(data), width: info.width, height: info.height };
}

async function atQuality({ pixels, width, height }: RgbPixels, quality: number): Promise<Uint8Array> {
  const jpeg = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
  return (await readPixels(jpeg, width)).pixels;
}

const PHOTOS = [
  require.resolve('baboon-image/baboon.png'),
  join(dirname(require.resolve('exif-js/package.json')), 'example/Bloated-Hero.jpg'),
];

test('the same picture scores 100, and less quality scores less', async () => {
  for (const file of PHOTOS) {
    const photo = await readPixels(file);
    const reference = perceptualReference(photo);
    expect(reference.score(photo.pixels)).toBe(100);
    const scores = [];
    for (const quality of [20, 40, 60, 80, 95]) scores.push(reference.score(await atQuality(photo, quality)));
    expect(scores).toEqual(scores.toSorted((one, other) => one - other));
    expect(scores.every((score) => score < 100)).toBe(true);
  }
});

let comparisons = 0;

/** The Rust implementation as WebAssembly: version 2.0 of the metric, whose weights and offsets were others. */
async function rustScore(reference: RgbPixels, other: Uint8Array): Promise<number> {
  const folder = join(process.cwd(), 'node_modules/calc-s2-rust');
  const rust = await import(pathToFileURL(join(folder, 'calc_s2_rust.js')).href);
  const { memory } = rust.initSync(readFileSync(join(folder, 'calc_s2_rust_bg.wasm')));
  // A buffer keeps its first size for good, so each comparison has its own two.
  const [one, two] = [`one ${++comparisons}`, `two ${comparisons}`];
  for (const [name, pixels] of [
    [one, reference.pixels],
    [two, other],
  ] as const) {
    const at = rust.new_buffer(name, pixels.length);
    new Uint8Array(memory.buffer, at, pixels.length).set(pixels);
  }
  return rust.calc_s2(one, two, reference.width, reference.height);
}

test('another implementation gives the same score within three points', async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
  for (const file of PHOTOS) {
    const photo = await readPixels(file);
    const reference = perceptualReference(photo);
    for (const quality of [30, 60, 85]) {
      const other = await atQuality(photo, quality);
      const [own, rust] = [reference.score(other), await rustScore(photo, other)];
      expect(Math.abs(own - rust)).toBeLessThan(3);
    }
  }
});

test('a picture of a few scales is judged as its larger self is', async () => {
  const [file] = PHOTOS;
  const [large, small] = [await readPixels(file!, 512), await readPixels(file!, 200)];
  const scores = [];
  for (const photo of [large, small]) scores.push(perceptualReference(photo).score(await atQuality(photo, 60)));
  expect(Math.abs(scores[0]! - scores[1]!)).toBeLessThan(8);
});

test('pictures too small or of another size are refused', async () => {
  expect(() => perceptualReference({ pixels: new Uint8Array(7 * 9 * 3), width: 7, height: 9 })).toThrow('8 x 8');
  const reference = perceptualReference({ pixels: new Uint8Array(8 * 8 * 3), width: 8, height: 8 });
  expect(() => reference.score(new Uint8Array(3))).toThrow('Expected 192 bytes of pixels but received 3');
});
