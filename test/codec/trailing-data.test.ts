import { expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage } from '../../src/codec/inspect-image.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { ascii, concat } from '../support/fixtures/bytes.ts';
import { makeAnimation, makeWebp } from '../support/fixtures/gif-and-webp.ts';
import { exifSegment, makeJpeg, withSegments } from '../support/fixtures/jpeg.ts';
import { makePng } from '../support/fixtures/png.ts';

const compress = (bytes: Uint8Array, changes: Partial<CompressionSettings>) =>
  compressBytes(bytes, { ...DEFAULT_COMPRESSION, ...changes }, { budget: createMemoryBudget(2e9) });

const photo = async () => withSegments(await makeJpeg({ width: 300, height: 200 }), [exifSegment({ gps: true })]);

const PADDING: Record<string, Uint8Array> = {
  'a newline': ascii('\n'),
  'CR and LF': ascii('\r\n'),
  'blanks and tabs': ascii(' \t \t '),
  zeros: new Uint8Array(500),
  'bytes of 0xff': new Uint8Array(500).fill(0xff),
};

test.each(Object.entries(PADDING))('%s after the end is padding in every format', async (_name, padding) => {
  const files = {
    jpeg: await photo(),
    png: makePng(),
    gif: await makeAnimation('gif'),
    webp: await makeWebp(),
    avif: await makeAvif(),
  };
  for (const [format, file] of Object.entries(files)) {
    const facts = inspectImage(new ImageFile(concat(file, padding)));
    expect([format, facts?.trailingBytes, facts?.trailingParts]).toEqual([format, 0, undefined]);
  }
});

test.each(Object.entries(PADDING))('%s after the end is left out of an output', async (_name, padding) => {
  const source = concat(await photo(), padding);
  for (const metadata of ['keep', 'copyright', 'strip'] as const) {
    const outcome = await compress(source, { mode: 'lossless', metadata });
    if (outcome.status !== 'compressed') throw new Error(JSON.stringify(outcome));
    expect([...outcome.bytes.subarray(-2)]).toEqual([0xff, 0xd9]);
    expect(Buffer.from(outcome.bytes).includes('Exif')).toBe(metadata === 'keep');
  }
});

test.each([
  ['PNG', makePng, ascii('\0\0\0\0IEND\xae\x42\x60\x82')],
  ['JPEG', photo, ascii('\xff\xd9\xff\xd9')],
])('the end of a %s once more is padding', async (_name, make, end) => {
  const outcome = await compress(concat(await make(), end), { mode: 'lossless' });
  expect(outcome.status).toBe('compressed');
});

test('one byte of anything else is data', async () => {
  const facts = inspectImage(new ImageFile(concat(await photo(), ascii('\n\n\0\0x'))));
  expect(facts?.trailingBytes).toBe(5);
});
