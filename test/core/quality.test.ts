import { expect, test } from 'vitest';
import { type Encoder, encoderQuality } from '../../src/core/quality.ts';

const ENCODERS: readonly Encoder[] = ['mozjpeg', 'fastJpeg', 'webp', 'avif'];

test('70 looks like libjpeg at 70 with every encoder', () => {
  expect(ENCODERS.map((encoder) => encoderQuality(encoder, 70))).toEqual([74, 71, 75, 57]);
});

test.each(ENCODERS)('more quality is never less for %s, and always from 1 to 100', (encoder) => {
  const curve = Array.from({ length: 100 }, (_, index) => encoderQuality(encoder, index + 1));
  expect(curve).toEqual(curve.toSorted((one, other) => one - other));
  expect([Math.min(...curve) >= 1, curve.at(-1)]).toEqual([true, 100]);
  expect(curve.every(Number.isInteger)).toBe(true);
});

test('between two measured points the line is straight', () => {
  expect(encoderQuality('mozjpeg', 65)).toBe(Math.round((66.5 + 74) / 2));
});
