import sharp from 'sharp';
import { expect, test } from 'vitest';
import { EngineError } from '../../src/codec/engines.ts';
import { type WitnessPicture, witnessPixels } from '../../src/codec/second-witness.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { bytesOf } from '../support/fixtures/bytes.ts';
import { truncated } from '../support/fixtures/damage.ts';
import { photoPixels } from '../support/fixtures/pixels.ts';
import { factsOf } from '../support/image-facts.ts';

const SIZE = { width: 96, height: 64 };
const photo = () => sharp(photoPixels(96, 64, 3), { raw: { ...SIZE, channels: 3 } });

const ENCODERS = {
  avif: () => photo().avif({ effort: 0, quality: 60 }),
  webp: () => photo().webp({ quality: 60 }),
  png: () => photo().png(),
  tiff: () => photo().tiff({ compression: 'lzw' }),
} as const;

const encoded = async (format: keyof typeof ENCODERS) => bytesOf(await ENCODERS[format]().toBuffer());

function greatestDifference(picture: WitnessPicture, rgba: Uint8Array): number {
  let greatest = 0;
  for (let at = 0; at < rgba.length; at++) {
    const [pixel, channel] = [at >> 2, at & 3];
    const own = channel < picture.channels ? picture.pixels[pixel * picture.channels + channel]! : 255;
    greatest = Math.max(greatest, Math.abs(own - rgba[at]!));
  }
  return greatest;
}

test.each([
  'avif',
  'webp',
  'png',
  'tiff',
] as const)('a sound %s gives the pixels that libvips gives', async (format) => {
  const bytes = await encoded(format);
  const picture = await witnessPixels(bytes, factsOf({ format, ...SIZE }));
  expect(picture).toMatchObject(SIZE);
  expect(greatestDifference(picture!, await sharp(bytes).ensureAlpha().raw().toBuffer())).toBeLessThanOrEqual(1);
});

test.each(['avif', 'webp', 'png', 'tiff'] as const)('a truncated %s is refused', async (format) => {
  const decoding = witnessPixels(truncated(await encoded(format), 0.7), factsOf({ format, ...SIZE }));
  await expect(decoding).rejects.toThrow(EngineError);
  await expect(decoding).rejects.toThrow(/^Expected \w+ data that decode in full but a second decoder found/);
});

test('samples of 16 bits stay 16 bits', async () => {
  const bytes = bytesOf(await photo().toColourspace('rgb16').png().toBuffer());
  const picture = await witnessPixels(bytes, factsOf({ format: 'png', bitsPerChannel: 16, ...SIZE }));
  expect(picture?.pixels).toBeInstanceOf(Uint16Array);
  expect(picture?.pixels).toHaveLength(96 * 64 * 3);
});

test('an AVIF of another major brand is read all the same', async () => {
  const bytes = (await makeAvif()).slice();
  bytes.set(Buffer.from('mif1'), 8);
  expect(await witnessPixels(bytes, factsOf({ format: 'avif', ...SIZE }))).toMatchObject(SIZE);
});

test('another size than the header was read to have is refused', async () => {
  const facts = factsOf({ format: 'png', width: 95, height: 64 });
  await expect(witnessPixels(await encoded('png'), facts)).rejects.toThrow('Expected 95 x 64 pixels');
});

test('a kind of image that it does not read proves nothing', async () => {
  expect(await witnessPixels(new Uint8Array(100), factsOf({ format: 'gif' }))).toBeUndefined();
  const jpegInTiff = bytesOf(await photo().tiff({ compression: 'jpeg' }).toBuffer());
  expect(await witnessPixels(jpegInTiff, factsOf({ format: 'tiff', ...SIZE }))).toBeUndefined();
});

test('a size over the limit is not decoded', async () => {
  const facts = factsOf({ format: 'png', width: 30_000, height: 30_000 });
  expect(await witnessPixels(await encoded('png'), facts)).toBeUndefined();
});
