import { expect, test } from 'vitest';
import { mosaicOf } from '../../../src/codec/score/picture-tiles.ts';

const picture = (width: number, height: number) => {
  const pixels = new Uint8Array(width * height * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = Math.floor(at / 3 / width) & 255;
  return { pixels, width, height };
};

test.each([
  [500, 500, 500, 500],
  [4000, 3000, 512, 512],
  // However long it is, no more of it is scored than of any other.
  [100, 20_000, 100, 2621],
  [20_000, 100, 2621, 100],
])('a picture of %i x %i is scored by %i x %i', (width, height, partWidth, partHeight) => {
  const mosaic = mosaicOf(picture(width, height));
  expect([mosaic.width, mosaic.height]).toEqual([partWidth, partHeight]);
  expect(mosaic.pixels.length).toBe(partWidth * partHeight * 3);
});

test('of a narrow picture the middle is taken, row by row', () => {
  const { pixels } = mosaicOf(picture(100, 20_000));
  expect(pixels[0]).toBe(((20_000 - 2621) >> 1) & 255);
  expect(pixels[100 * 3]).toBe((((20_000 - 2621) >> 1) + 1) & 255);
});
