import { expect, test } from 'vitest';
import { runFuzz } from '../support/judge-fuzz.ts';

// `node bench/fuzz.ts` runs 2,000 and more of them.
const FILES = 300;

test('damaged files neither crash nor hang, are never laundered, and change no pixel in lossless mode', async () => {
  const { faults, outcomes } = await runFuzz(FILES);
  expect(faults).toEqual([]);
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(FILES);
  // A fuzz run in which nothing is compressed, or nothing refused, would prove nothing.
  expect(outcomes.compressed).toBeGreaterThan(FILES / 20);
  expect(outcomes.CorruptImage).toBeGreaterThan(FILES / 5);
});
