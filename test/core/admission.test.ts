import { expect, test } from 'vitest';
import { estimateMemory, isStreamed } from '../../src/core/admission.ts';
import { chooseRecipe, type EncodeRecipe } from '../../src/core/recipe.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { factsOf } from '../support/image-facts.ts';

const FAST = { ...DEFAULT_COMPRESSION, effort: 'fast' } as const;
const PHOTO = factsOf({ format: 'jpeg', width: 10_000, height: 10_000, sourceQuality: 95 });
const FILE_BYTES = 20e6;

const estimate = (settings = DEFAULT_COMPRESSION, facts = PHOTO) =>
  estimateMemory(facts, chooseRecipe(facts, settings) as EncodeRecipe, settings, FILE_BYTES) / 1e6;

test('a 100 MP photo streams through the fast preset in what a small Lambda has', () => {
  expect(estimate(FAST)).toBeLessThan(250);
});

test('mozjpeg, progressive sources and AVIF hold the whole picture, in this order', () => {
  const sizes = [
    estimate(FAST),
    estimate(),
    estimate(DEFAULT_COMPRESSION, { ...PHOTO, progressive: true }),
    estimate({ ...DEFAULT_COMPRESSION, format: 'avif' }),
  ];
  expect(sizes).toEqual(sizes.toSorted((one, other) => one - other));
  expect(sizes.at(-1)).toBeGreaterThan(3000);
});

test('a JPEG whose colours come apart is held whole, as a progressive one', () => {
  const apart = { ...PHOTO, apart: true };
  expect(isStreamed(PHOTO, chooseRecipe(PHOTO, FAST) as EncodeRecipe, FAST)).toBe(true);
  expect(isStreamed(apart, chooseRecipe(apart, FAST) as EncodeRecipe, FAST)).toBe(false);
  expect(estimate(FAST, apart)).toBe(estimate(FAST, { ...PHOTO, progressive: true }));
});

test('every frame of an animation counts', () => {
  const still = factsOf({ format: 'webp', width: 1000, height: 1000 });
  const file = (3 * FILE_BYTES) / 1e6;
  expect(estimate(FAST, { ...still, pages: 50 }) - file).toBe(50 * (estimate(FAST, still) - file));
});

test('scores and palettes need room of their own', () => {
  const small = factsOf({ format: 'png', width: 100, height: 100 });
  expect(estimate(DEFAULT_COMPRESSION, small)).toBeGreaterThan(estimate(FAST, small) + 100);
});

test.each([
  ['a progressive source', { ...PHOTO, progressive: true }, FAST],
  ['a progressive output', PHOTO, { ...FAST, progressive: true }],
  ['the best effort', PHOTO, DEFAULT_COMPRESSION],
  ['pixels turned upright', { ...PHOTO, orientation: 6 }, { ...FAST, autoOrient: true }],
  ['another format', PHOTO, { ...FAST, format: 'webp' }],
  ['a search', PHOTO, { ...FAST, mode: 'auto' }],
] as const)('%s does not stream', (_name, facts, settings) => {
  expect(isStreamed(facts, chooseRecipe(facts, settings) as EncodeRecipe, settings)).toBe(false);
});
