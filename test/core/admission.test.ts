import { expect, test } from 'vitest';
import { FORMATS } from '../../src/codec/formats.ts';
import { estimateMemory, isStreamed } from '../../src/core/admission.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { chooseRecipe, type EncodeRecipe, type ImageFacts } from '../../src/core/recipe.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { factsOf } from '../support/image-facts.ts';

const FAST = { ...DEFAULT_COMPRESSION, effort: 'fast' } as const;
const PHOTO = factsOf({ format: 'jpeg', width: 10_000, height: 10_000, sourceQuality: 95 });
const FILE_BYTES = 20e6;

const planFor = (facts: ImageFacts, settings: CompressionSettings) => ({
  facts,
  recipe: chooseRecipe(facts, settings, FORMATS) as EncodeRecipe,
  settings,
});
const estimate = (settings = DEFAULT_COMPRESSION, facts = PHOTO) =>
  estimateMemory(planFor(facts, settings), FILE_BYTES, FORMATS) / 1e6;
const streams = (settings: CompressionSettings, facts = PHOTO) => isStreamed(planFor(facts, settings), FORMATS);

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

test('a JPEG with a scan for each colour is held whole, as a progressive one', () => {
  const separate = { ...PHOTO, separateScans: true };
  expect(streams(FAST)).toBe(true);
  expect(streams(FAST, separate)).toBe(false);
  expect(estimate(FAST, separate)).toBe(estimate(FAST, { ...PHOTO, progressive: true }));
});

test('every frame of an animation counts', () => {
  const still = factsOf({ format: 'webp', width: 1000, height: 1000 });
  const file = (3 * FILE_BYTES) / 1e6;
  expect(estimate(FAST, { ...still, pages: 50 }) - file).toBe(50 * (estimate(FAST, still) - file));
});

test('scores and palettes need memory of their own', () => {
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
  expect(streams(settings, facts)).toBe(false);
});
