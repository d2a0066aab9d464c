import sharp from 'sharp';
import { expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';

test('libvips is configured by the first image that is compressed, not by an import', async () => {
  expect(sharp.cache().memory.max).toBeGreaterThan(0);
  const host = { budget: createMemoryBudget(1e9) };
  await compressBytes(await makeJpeg(), DEFAULT_COMPRESSION, host);
  expect(sharp.cache().memory.max).toBe(0);
  expect(sharp.concurrency()).toBe(1);
});
