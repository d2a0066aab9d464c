import { expect, test } from 'vitest';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import { choosePackingEffort } from '../../../src/codec/png/packing-effort.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { makePng } from '../../support/fixtures/png.ts';

const picture = (width: number, bitDepth = 8) => ({
  width,
  height: 10_000,
  bitDepth,
  colourType: 2,
  interlaced: false,
  colours: Number.POSITIVE_INFINITY,
});

test('the larger a PNG is, the fewer filters are tried, until it takes too long', () => {
  const limit = 300_000;
  expect(choosePackingEffort([picture(5_000)], limit)).toEqual({});
  expect(choosePackingEffort([picture(15_000)], limit)).toEqual({ filter: [4] });
  // The time goes with the bytes, of all frames.
  expect(choosePackingEffort([picture(8_000, 16)], limit)).toEqual({ filter: [4] });
  expect(choosePackingEffort([picture(8_000), picture(8_000)], limit)).toEqual({ filter: [4] });
  expect(() => choosePackingEffort([picture(26_000)], limit)).toThrow(
    'packing 780 MB of pixels would take about 434 s and the limit is 300 s',
  );
  expect(choosePackingEffort([picture(26_000)], 900_000)).toEqual({});
});

test('a PNG that cannot be packed in time is kept, and a native call is not begun', async () => {
  const source = makePng({ width: 500, height: 400, compressionLevel: 0 });
  const settings = { ...DEFAULT_COMPRESSION, mode: 'lossless' } as const;
  const budget = createMemoryBudget(2e9);
  expect(await compressBytes(source, settings, { budget, timeLimitMs: 300 })).toMatchObject({
    status: 'kept',
    reason: 'too-slow',
    detail: 'packing 1 MB of pixels would take about 1 s and the limit is 0.3 s',
  });
  expect(await compressBytes(source, settings, { budget, timeLimitMs: 60_000 })).toMatchObject({
    status: 'compressed',
  });
});
