import { expect, test } from 'vitest';
import { hasColourEdges } from '../../../src/codec/score/colour-edges.ts';

type Colour = readonly [red: number, green: number, blue: number];
const RED: Colour = [255, 0, 0];
const BLUE: Colour = [0, 0, 255];

/** Odd sides: the last row and column are in no block. */
const [WIDTH, HEIGHT] = [201, 101];

test('a red letter on blue has colour edges', () => {
  expect(hasColourEdges(pictureOf((x) => (x % 10 === 3 ? RED : BLUE)))).toBe(true);
});

test('colours that meet between the blocks have none', () => {
  expect(hasColourEdges(pictureOf((x) => (x < 100 ? RED : BLUE)))).toBe(false);
});

test('edges of brightness are none of colour', () => {
  expect(hasColourEdges(pictureOf((x, y) => ((x + y) % 2 === 0 ? [0, 0, 0] : [255, 255, 255])))).toBe(false);
});

test.each([
  ['the top right', 1, 0],
  ['the bottom left', 0, 1],
  ['the bottom right', 1, 1],
])('a pixel of another colour counts at %s of a block', (_place, left, top) => {
  const isOther = (x: number, y: number) => x % 2 === left && y % 2 === top;
  expect(hasColourEdges(pictureOf((x, y) => (isOther(x, y) ? RED : BLUE)))).toBe(true);
});

test('one block of a hundred is allowed', () => {
  const marked = (count: number) => pictureOf((x, y) => (y === 0 && x % 2 === 0 && x < 2 * count ? RED : BLUE));
  // Of 100 x 50 blocks.
  expect(hasColourEdges(marked(50))).toBe(false);
  expect(hasColourEdges(marked(51))).toBe(true);
});

function pictureOf(colourAt: (x: number, y: number) => Colour) {
  const pixels = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) pixels.set(colourAt(x, y), (y * WIDTH + x) * 3);
  return { pixels, width: WIDTH, height: HEIGHT };
}
