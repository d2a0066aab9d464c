import sharp from 'sharp';
import { expect, test } from 'vitest';
import { readBlocks } from '../../../src/codec/gif/blocks.ts';
import { findGifFault } from '../../../src/codec/gif/faults.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { concat } from '../../support/fixtures/bytes.ts';
import { makeAnimation } from '../../support/fixtures/gif-and-webp.ts';
import { photoPixels } from '../../support/fixtures/pixels.ts';

const IMAGE = 0x2c;

test.each([
  ['an animation', () => makeAnimation('gif', 4)],
  ['a photograph of 256 colours', () => makeGif({ colours: 256, width: 300, height: 200 })],
  ['two colours', () => makeGif({ colours: 2, width: 203, height: 149 })],
  ['one pixel', () => makeGif({ colours: 2, width: 1, height: 1 })],
  ['a plain area, whose codes stand for thousands of pixels', () => makePlainGif(800)],
] as const)('a sound GIF (%s) has codes for all its pixels', async (_name, make) => {
  expect(findGifFault(new ImageFile(await make()))).toBeUndefined();
});

test('a GIF whose codes end early is reported, even if it has a trailer', async () => {
  const gif = await makeGif({ colours: 256, width: 300, height: 200 });
  for (const share of [0.1, 0.5, 0.95, 0.99])
    expect(findGifFault(new ImageFile(cutAndMended(gif, share)))).toMatch('300 x 200');
  expect(findGifFault(new ImageFile(gif.subarray(0, -1)))).toMatch('trailer');
});

async function makeGif(options: { colours: number; width: number; height: number }): Promise<Uint8Array> {
  const { colours, width, height } = options;
  const image = sharp(photoPixels(width, height), { raw: { width, height, channels: 3 } });
  return new Uint8Array(await image.gif({ colours }).toBuffer());
}

async function makePlainGif(side: number): Promise<Uint8Array> {
  const create = { width: side, height: side, channels: 3 as const, background: '#345' };
  return new Uint8Array(await sharp({ create }).gif().toBuffer());
}

/** Cut between two of its sub-blocks, followed by the end of the data and of the file. */
function cutAndMended(gif: Uint8Array, share: number): Uint8Array {
  let at = [...readBlocks(gif)].find(({ kind }) => kind === IMAGE)!.dataAt;
  while (gif[at + gif[at]! + 1] !== 0 && at < gif.length * share) at += gif[at]! + 1;
  return concat(gif.subarray(0, at), [0, 0x3b]);
}
