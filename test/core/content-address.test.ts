import { expect, test } from 'vitest';
import { isNamedLikeHash } from '../../src/core/content-address.ts';

const hex = (length: number) => '0a1b2c3d4e5f6789'.repeat(8).slice(0, length);

test.each([
  [`ab/cd/${hex(64)}`, true],
  [`files/md5/ab/${hex(30)}`, true],
  [`ab/${hex(38)}.jpg`, true],
  [`photos/${hex(32)}.jpg`, true],
  [`logo-${hex(40)}.png`, true],
  [`${hex(128)}`, true],
  [`${hex(24)}.jpg`, false],
  [`${hex(33)}.jpg`, false],
  ['2025/11/28/IMG_20251128_101500.jpg', false],
  ['123e4567-e89b-12d3-a456-426614174000.jpg', false],
])('%s looks like the key of a content-addressed store: %s', (key, expected) => {
  expect(isNamedLikeHash(key)).toBe(expected);
});
