import { expect, test } from 'vitest';
import { byteAt, uint16At, uint32At, uintAt } from '../../src/codec/bytes.ts';

const BYTES = Uint8Array.of(0x81, 2, 3, 4, 5, 6, 7, 8);

test('numbers are read in both byte orders and never as negative ones', () => {
  expect(byteAt(BYTES, 0)).toBe(0x81);
  expect(uint16At(BYTES, 0)).toBe(0x8102);
  expect(uint16At(BYTES, 0, true)).toBe(0x0281);
  expect(uint32At(BYTES, 0)).toBe(0x81020304);
  expect(uint32At(BYTES.toReversed(), 4, true)).toBe(0x81020304);
  expect(uintAt(BYTES, 1, 3)).toBe(0x020304);
  expect(uintAt(BYTES, 1, 0)).toBe(0);
  expect(uintAt(BYTES.subarray(1), 0, 6)).toBe(0x020304050607);
});

test('what lies beyond the end, or before the start, reads as 0', () => {
  expect(byteAt(BYTES, 8)).toBe(0);
  expect(byteAt(BYTES, -1)).toBe(0);
  expect(uint16At(BYTES, 7)).toBe(0x0800);
  expect(uint16At(BYTES, 7, true)).toBe(8);
  expect(uint32At(BYTES, 6)).toBe(0x07080000);
  expect(uint32At(BYTES, 6, true)).toBe(0x0807);
  expect(uintAt(BYTES, 7, 2)).toBe(0x0800);
});
