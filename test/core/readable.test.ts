import { describe, expect, it } from 'vitest';
import { countOf, readableBytes, readableCount, readablePercent, readableSeconds } from '../../src/core/readable.ts';

describe('readable numbers', () => {
  it.each([
    [0, '0 B'],
    [87, '87 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [1235, '1.24 kB'],
    [9_996, '10.0 kB'],
    [99_960, '100 kB'],
    [999_400, '999 kB'],
    [999_700, '1.00 MB'],
    [1_240_000_000, '1.24 GB'],
    [5e18, '5000 PB'],
  ])('%i bytes read as %s', (bytes, text) => {
    expect(readableBytes(bytes)).toBe(text);
  });

  it.each([
    [0.42, '0.4 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [60, '1 min'],
    [200, '3 min 20 s'],
    [7500, '2 h 5 min'],
    [7199, '2 h'],
  ])('%f seconds read as %s', (seconds, text) => {
    expect(readableSeconds(seconds)).toBe(text);
  });

  it.each([
    [0, '0.0 %'],
    [43.25, '43.3 %'],
    [99.97, '99.97 %'],
    [100, '100.0 %'],
  ])('%f percent read as %s', (percent, text) => {
    expect(readablePercent(percent)).toBe(text);
  });

  it('groups thousands and uses the right plural', () => {
    expect(readableCount(1234567)).toBe('1,234,567');
    expect(readableCount(999)).toBe('999');
    expect(countOf(1, 'image')).toBe('1 image');
    expect(countOf(2000, 'batch', 'batches')).toBe('2,000 batches');
  });
});
