import sharp from 'sharp';
import { expect, test } from 'vitest';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import { findRiffChunk, readWebP, writeWebP } from '../../../src/codec/webp/riff.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { concat, uint16 } from '../../support/fixtures/bytes.ts';
import { photoPixels } from '../../support/fixtures/pixels.ts';

// Blue, green, red and alpha, and three loops.
const ANIMATION = concat([0x1e, 0x14, 0x0a, 0xff], uint16(3, true));

test.each([
  ['lossless', { mode: 'lossless' }, true],
  ['lossy', { quality: 40 }, false],
  ['lossy and smaller', { quality: 40, resize: { maxWidth: 32 } }, false],
] as const)('an animated WebP keeps its background and its loops (%s)', async (_name, changes, isLossless) => {
  const pixels = concat(...[1, 2, 3].map((seed) => photoPixels(64, 48, 3, seed)));
  const raw = { width: 64, height: 144, channels: 3 as const, pageHeight: 48 };
  const options = { lossless: isLossless, quality: 100, effort: 0, delay: [80, 90, 100], loop: 3 };
  const encoded = readWebP(new Uint8Array(await sharp(pixels, { raw }).webp(options).toBuffer()));
  const source = writeWebP(
    encoded.chunks.map((chunk) => (chunk.type === 'ANIM' ? { type: 'ANIM', payload: ANIMATION } : chunk)),
  );
  const settings = { ...DEFAULT_COMPRESSION, minSavings: { percent: 0, bytes: 1 }, ...changes };
  const outcome = await compressBytes(source, settings, { budget: createMemoryBudget(2e9) });
  expect(outcome).toMatchObject({ status: 'compressed' });
  if (outcome.status === 'compressed') expect(findRiffChunk(readWebP(outcome.bytes), 'ANIM')).toEqual(ANIMATION);
});
