import sharp from 'sharp';
import { expect, test } from 'vitest';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import { findChunk, readPng } from '../../../src/codec/png/chunks.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { concat, uint32 } from '../../support/fixtures/bytes.ts';
import { makePng, pngChunk } from '../../support/fixtures/png.ts';

const DENSITY = concat(uint32(5906), uint32(5906), [1]);

/** A drawing with soft edges, which a palette shows exactly enough. */
async function icon(chunks: Uint8Array[]): Promise<Uint8Array> {
  const circles = ['#c33', '#3a3', '#33c'].map(
    (fill, index) => `<circle cx="${60 + 60 * index}" cy="90" r="55" fill="${fill}" opacity="0.9"/>`,
  );
  const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="240" height="180">${circles.join('')}</svg>`);
  const pixels = await sharp(svg).flatten({ background: '#fff' }).raw().toBuffer();
  const rows = Array.from({ length: 180 }, (_, y) => concat([0], pixels.subarray(y * 720, (y + 1) * 720)));
  return makePng({ width: 240, height: 180, pixels: concat(...rows), compressionLevel: 0, chunks });
}

test.each([
  ['a palette', {}],
  ['a smaller picture', { resize: { maxWidth: 100 } }],
] as const)('a PNG has the density of its source, or none (%s)', async (_name, changes) => {
  const densityOf = async (bytes: Uint8Array) => {
    const outcome = await compressBytes(
      bytes,
      { ...DEFAULT_COMPRESSION, ...changes },
      { budget: createMemoryBudget(2e9) },
    );
    if (outcome.status !== 'compressed') throw new Error(`Expected an output but received ${JSON.stringify(outcome)}`);
    if (!('resize' in changes)) expect(outcome.encoding).toMatchObject({ lossless: false });
    return findChunk(readPng(outcome.bytes), 'pHYs')?.payload;
  };
  expect(await densityOf(await icon([]))).toBeUndefined();
  expect(await densityOf(await icon([pngChunk('pHYs', DENSITY)]))).toEqual(DENSITY);
});
