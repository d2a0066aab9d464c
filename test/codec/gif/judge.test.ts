import sharp from 'sharp';
import { expect, test } from 'vitest';
import { IMAGE, readBlocks } from '../../../src/codec/gif/blocks.ts';
import { judgeGif } from '../../../src/codec/gif/judge.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { concat } from '../../support/fixtures/bytes.ts';
import { makeAnimation } from '../../support/fixtures/gif-and-webp.ts';
import { photoPixels } from '../../support/fixtures/pixels.ts';

test.each([
  ['an animation', () => makeAnimation('gif', 4)],
  ['a photograph of 256 colours', () => makeGif({ colours: 256, width: 300, height: 200 })],
  ['two colours', () => makeGif({ colours: 2, width: 203, height: 149 })],
  ['one pixel', () => makeGif({ colours: 2, width: 1, height: 1 })],
  ['a plain area, whose codes stand for thousands of pixels', () => makePlainGif(800)],
] as const)('a sound GIF (%s) has codes for all its pixels', async (_name, make) => {
  expect(await judge(await make())).toEqual({ is: 'whole' });
});

test('a GIF whose codes end early is damaged, even if it has a trailer', async () => {
  const gif = await makeGif({ colours: 256, width: 300, height: 200 });
  for (const share of [0.1, 0.5, 0.95, 0.99])
    expect(await judge(cutAndMended(gif, share))).toEqual({
      is: 'damaged',
      detail: expect.stringContaining('300 x 200'),
    });
});

test('a code that is not defined is damage', async () => {
  const gif = await makeGif({ colours: 256, width: 300, height: 200 });
  const { dataAt } = imageOf(gif);
  // Its first code is the one that clears the table, and the code after the next has to be one of two pixels at most.
  const detail = expect.stringContaining('an undefined code follows after 1');
  expect(await judge(gif.with(dataAt + 2, 0xfe).with(dataAt + 3, 0xff))).toEqual({ is: 'damaged', detail });
});

test.each([0, 9, 255])('pixels of %i bits are damage', async (bits) => {
  const gif = await makeGif({ colours: 4, width: 50, height: 40 });
  const detail = expect.stringContaining('an undefined code follows after 0');
  expect(await judge(gif.with(imageOf(gif).dataAt - 1, bits))).toEqual({ is: 'damaged', detail });
});

test('what stands between two blocks is damage', async () => {
  const gif = await makeAnimation('gif', 3);
  const { at } = imageOf(gif);
  const damaged = concat(gif.subarray(0, at), [0x99], gif.subarray(at));
  expect(await judge(damaged)).toMatchObject({ is: 'damaged' });
  const last = [...readBlocks(gif)].filter(({ kind }) => kind === IMAGE).at(-1)!.at;
  const detail = `Expected a block or the trailer of the GIF at byte ${last} but found 0x99`;
  expect(await judge(concat(gif.subarray(0, last), [0x99], gif.subarray(last)))).toEqual({ is: 'damaged', detail });
});

test('a GIF whose trailer is missing is not proven, one whose codes are missing is damaged', async () => {
  const still = await makeGif({ colours: 256, width: 300, height: 200 });
  const detail = 'its trailer is missing, and decoders disagree about its transparency';
  for (const cut of [-1, -2]) expect(await judge(still.subarray(0, cut))).toEqual({ is: 'unproven', detail });
  expect(await judge((await makeAnimation('gif', 3)).subarray(0, -1))).toMatchObject({ is: 'unproven' });
  expect(await judge(still.subarray(0, 800))).toMatchObject({ is: 'damaged' });
});

test('a GIF without a picture is damaged', async () => {
  const gif = await makeGif({ colours: 2, width: 8, height: 8 });
  expect(await judge(concat(gif.subarray(0, imageOf(gif).at), [0x3b]))).toMatchObject({ is: 'damaged' });
});

test('a frame beyond the screen is left open: decoders treat it in different ways', async () => {
  const gif = await makeAnimation('gif', 3);
  const last = [...readBlocks(gif)].filter(({ kind }) => kind === IMAGE).at(-1)!.at;
  expect(await judge(gif.with(last + 1, 9))).toEqual({
    is: 'unproven',
    detail: 'frame 3 of 3 reaches beyond the screen of 32 x 24',
  });
});

test('a screen without a size is as large as its first frame', async () => {
  const gif = (await makeAnimation('gif', 3)).fill(0, 6, 10);
  expect(inspectImage(new ImageFile(gif))).toMatchObject({ width: 32, height: 24, pages: 3 });
  expect(await judge(gif)).toEqual({ is: 'unproven', detail: 'its screen has no size' });
});

test('a screen that decoders replace by the size of its frame proves nothing', async () => {
  const gif = await makeGif({ colours: 4, width: 52, height: 45 });
  const detail = 'decoders disagree about the size of its screen';
  expect(await judge(gif.with(9, 0x10))).toEqual({ is: 'unproven', detail });
});

test('colours that no table has prove nothing', async () => {
  const gif = await makeGif({ colours: 4, width: 50, height: 40 });
  expect(await judge(gif)).toEqual({ is: 'whole' });
  // The table of four colours becomes one of two.
  const flags = gif[10]!;
  expect(flags & 7).toBe(1);
  const table = 13 + 12;
  const half = concat(gif.subarray(0, 10), [flags - 1], gif.subarray(11, 19), gif.subarray(table));
  const detail = 'frame 1 of 1 uses colours that its table does not have';
  expect(await judge(half)).toEqual({ is: 'unproven', detail });
});

const judge = (bytes: Uint8Array) => {
  const file = new ImageFile(bytes);
  return judgeGif(file, inspectImage(file)!);
};

const imageOf = (gif: Uint8Array) => [...readBlocks(gif)].find(({ kind }) => kind === IMAGE)!;

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
  let at = imageOf(gif).dataAt;
  while (gif[at + gif[at]! + 1] !== 0 && at < gif.length * share) at += gif[at]! + 1;
  return concat(gif.subarray(0, at), [0, 0x3b]);
}
