import { expect, test } from 'vitest';
import { AVIF } from '../../src/codec/isobmff/encode.ts';
import { FAST_JPEG, MOZJPEG } from '../../src/codec/jpeg/encode.ts';
import { WEBP } from '../../src/codec/webp/encode.ts';
import { encoderQuality } from '../../src/core/quality.ts';

const CURVES = { MOZJPEG, FAST_JPEG, WEBP, AVIF };

test('70 looks like libjpeg at 70 with every encoder', () => {
  expect(Object.values(CURVES).map((curve) => encoderQuality(curve, 70))).toEqual([74, 71, 75, 57]);
});

test.each(Object.entries(CURVES))('more quality is never less for %s, and always from 1 to 100', (_, points) => {
  const curve = Array.from({ length: 100 }, (_, index) => encoderQuality(points, index + 1));
  expect(curve).toEqual(curve.toSorted((one, other) => one - other));
  expect([Math.min(...curve) >= 1, curve.at(-1)]).toEqual([true, 100]);
  expect(curve.every(Number.isInteger)).toBe(true);
});

test('between two measured points the line is straight', () => {
  expect(encoderQuality(MOZJPEG, 65)).toBe(Math.round((66.5 + 74) / 2));
});
