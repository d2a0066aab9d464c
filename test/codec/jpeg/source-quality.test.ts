import sharp from 'sharp';
import { expect, it, test } from 'vitest';
import { readJpeg } from '../../../src/codec/jpeg/segments.ts';
import { estimateSourceQuality, quantisationTables } from '../../../src/codec/jpeg/source-quality.ts';
import { makeJpeg } from '../../support/fixtures/jpeg.ts';
import { photoPixels } from '../../support/fixtures/pixels.ts';

const raw = { width: 96, height: 64, channels: 3 as const };

async function estimateOf(options: object): Promise<number> {
  const jpeg = await sharp(photoPixels(96, 64), { raw }).jpeg(options).toBuffer();
  return estimateSourceQuality(quantisationTables(readJpeg(new Uint8Array(jpeg))))!;
}

test.each([1, 10, 25, 37, 44, 50, 70, 75, 90, 95, 100])('tells libjpeg quality %i exactly', async (quality) => {
  expect(await estimateOf({ quality })).toBe(quality);
});

test.each([
  [44, 40],
  [74, 70],
  [84, 80],
  [94, 90],
])('takes mozjpeg %i for libjpeg %i, which looks the same', async (quality, expected) => {
  expect(await estimateOf({ quality, mozjpeg: true })).toBe(expected);
});

test.each([1, 2, 4, 5, 6, 7, 8])('comes near with table %i, which is not libjpeg’s', async (quantisationTable) => {
  for (const quality of [40, 60, 80]) {
    expect(Math.abs((await estimateOf({ quality, quantisationTable })) - quality)).toBeLessThanOrEqual(15);
  }
});

it('grows with the quality for any table', async () => {
  const estimates = await Promise.all([30, 50, 70, 90].map((quality) => estimateOf({ quality, quantisationTable: 2 })));
  expect(estimates).toEqual([...estimates].sort((one, other) => one - other));
});

it('has no answer without a usable table', async () => {
  expect(estimateSourceQuality([])).toBeUndefined();
  expect(estimateSourceQuality([[1, 2, 3]])).toBeUndefined();
  expect(estimateSourceQuality([Array.from({ length: 64 }, () => 0)])).toBeUndefined();
  expect(estimateSourceQuality(quantisationTables(readJpeg(await makeJpeg())))).toBe(85);
});
