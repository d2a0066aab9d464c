import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spreadSample } from '../../src/core/spread-sample.ts';

test('is spread evenly over any number of items', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 40 }), (count, size) => {
      const sample = spreadSample<number>(size);
      for (let n = 0; n < count; n++) sample.offer(n);
      const items = sample.items();
      expect(items.length).toBeGreaterThan(Math.min(count, size) / 2 - 1);
      expect(items.length).toBeLessThanOrEqual(size);
      const gaps = new Set(items.slice(1).map((item, n) => item - items[n]!));
      expect(gaps.size).toBeLessThanOrEqual(1);
      expect(count - items.at(-1)!).toBeLessThanOrEqual(Math.max(1, (2 * count) / Math.min(size, count)));
    }),
  );
});
