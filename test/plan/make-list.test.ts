import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ListDivision, makeList } from '../../src/plan/make-list.ts';
import { openSpillFolder } from '../../src/plan/spill.ts';

async function make(sizes: readonly (number | undefined)[], cut: ListDivision) {
  const folder = openSpillFolder(64);
  try {
    async function* lines() {
      for (const [i, size] of sizes.entries()) yield { entry: `s3://photos/"${i}" ö.jpg`, size };
    }
    const list = await makeList(lines(), cut, folder);
    return { ...list, map: JSON.parse([...list.text()].join('')) as Record<string, string[]> };
  } finally {
    folder.remove();
  }
}

test.each([
  [10, 4, [3, 3, 2, 2]],
  [10, 3, [4, 3, 3]],
  [2, 5, [1, 1]],
  [4, 4, [1, 1, 1, 1]],
  [3, 1, [3]],
])('%i lines in %i batches are %j', async (lines, batches, counts) => {
  const made = await make(Array(lines).fill(undefined), { batches, by: 'count' });
  expect(made.batches).toEqual(counts);
  expect(Object.keys(made.map)).toEqual(counts.map((_, i) => `batch_${i + 1}`));
});

test.each([
  [[1, 1, 1, 100, 1, 1], 3, [3, 1, 2]],
  [[100, 1, 1, 1], 2, [1, 3]],
  [[0, 0, 0], 3, [1, 1, 1]],
  [[1, 2, 3, 4, 5, 6], 2, [4, 2]],
])('sizes %j in %i batches of equal bytes are %j', async (sizes, batches, counts) => {
  expect((await make(sizes, { batches, by: 'bytes' })).batches).toEqual(counts);
});

test('keeps every line once, in order, in as many batches as were asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 70 }),
      fc.constantFrom('count' as const, 'bytes' as const),
      async (sizes, batches, by) => {
        const { map, batches: counts, images } = await make(sizes, { batches, by });
        expect(Object.values(map).flat()).toEqual(sizes.map((_, i) => `s3://photos/"${i}" ö.jpg`));
        expect(Object.values(map).map(({ length }) => length)).toEqual(counts);
        expect(counts).toHaveLength(Math.min(batches, sizes.length));
        expect(Math.min(...counts)).toBeGreaterThan(0);
        if (by === 'count') expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(2);
        expect(images).toBe(sizes.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('says what is missing', async () => {
  await expect(make([], { batches: 2, by: 'count' })).rejects.toThrow('The input contains no images');
  await expect(make([1, undefined], { batches: 2, by: 'bytes' })).rejects.toThrow(
    /The size of s3:\/\/photos\/"1" ö.jpg is unknown: divide by count/,
  );
});
