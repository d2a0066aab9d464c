import { expect, test } from 'vitest';
import { applyMetadata } from '../../../src/codec/apply-metadata.ts';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { readMetadata } from '../../../src/codec/inspect-image.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import { witnessPixels } from '../../../src/codec/second-witness.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { makeAvif } from '../../support/fixtures/avif.ts';
import { ascii, concat } from '../../support/fixtures/bytes.ts';
import { extendedWebp, makeWebp, riffChunk } from '../../support/fixtures/gif-and-webp.ts';
import { makeJpeg, withSegments } from '../../support/fixtures/jpeg.ts';
import { iccProfile } from '../../support/fixtures/metadata.ts';
import { makePng, pngIcc } from '../../support/fixtures/png.ts';
import { inspected } from '../../support/image-facts.ts';

const iccSegment = (...content: readonly number[]) => ({
  marker: 0xe2,
  payload: concat(ascii('ICC_PROFILE\0'), content),
});

const EMPTY_SEGMENTS = {
  'one of one, without a profile': [iccSegment(1, 1)],
  'nothing behind its name': [iccSegment()],
  'two, both without a profile': [iccSegment(1, 2), iccSegment(2, 2)],
  'too few bytes for the header of a profile': [iccSegment(1, 1, ...new Uint8Array(131))],
};

test.each(Object.entries(EMPTY_SEGMENTS))('an ICC segment with %s is no profile', async (_, segments) => {
  const jpeg = withSegments(await makeJpeg(), segments);
  expect(await inspected(jpeg)).toMatchObject({ icc: false });
  const source = { format: 'jpeg', file: new ImageFile(jpeg) } as const;
  expect(readMetadata(source).icc).toBeUndefined();
  const avif = applyMetadata(source, new ImageFile(await makeAvif()), 'avif', 'keep', { orientation: 1 });
  expect(Buffer.from(avif).includes('prof')).toBe(false);
});

test('a profile of which a part is missing still counts, so that the picture is not shown in other colours', async () => {
  expect(await inspected(withSegments(await makeJpeg(), [iccSegment(1, 2, ...new Uint8Array(50))]))).toMatchObject({
    icc: true,
  });
});

test('a JPEG with an empty profile becomes an AVIF that a strict reader opens', async () => {
  const jpeg = withSegments(await makeJpeg({ quality: 95, width: 200, height: 150 }), [iccSegment(1, 1)]);
  const settings = { ...DEFAULT_COMPRESSION, format: 'avif', minSavings: { percent: 0, bytes: 1 } } as const;
  const outcome = await compressBytes(jpeg, settings, { budget: createMemoryBudget(2e9) });
  if (outcome.status !== 'compressed') throw new Error(`Expected an AVIF but the image was ${outcome.status}`);
  expect(await witnessPixels(outcome.bytes, await inspected(outcome.bytes))).toMatchObject({ width: 200, height: 150 });
});

test.each([
  ['a PNG', makePng({ chunks: [pngIcc(new Uint8Array(20))] })],
  ['a WebP', makeWebp().then((webp) => extendedWebp(webp, 0x20, [riffChunk('ICCP', new Uint8Array(20))]))],
])('%s with too few bytes for a profile hands on none', async (_, source) => {
  const bytes = await source;
  const { format } = await inspected(bytes);
  expect(readMetadata({ format, file: new ImageFile(bytes) }).icc).toBeUndefined();
});

test('a whole profile is handed on byte for byte', async () => {
  const profile = await iccProfile();
  const png = makePng({ chunks: [pngIcc(profile)] });
  expect(Buffer.compare(readMetadata({ format: 'png', file: new ImageFile(png) }).icc!, profile)).toBe(0);
});
