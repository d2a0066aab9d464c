import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { makePhotos } from '../../../bench/photos.ts';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { findMarkerFault, findScanFault } from '../../../src/codec/jpeg/faults.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import type { CompressionSettings } from '../../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { concat, uint16 } from '../../support/fixtures/bytes.ts';
import { bitRotten, truncated, withTrailingBytes } from '../../support/fixtures/damage.ts';
import { makeJpeg, makeRestartJpeg } from '../../support/fixtures/jpeg.ts';

const KINDS = [
  ['baseline', false],
  ['progressive', true],
] as const;

test.each([
  ['4:2:0', () => makeJpeg({ width: 203, height: 149 })],
  ['4:4:4', () => makeJpeg({ chromaSubsampling: '4:4:4', width: 203, height: 149 })],
  ['grey', () => makeJpeg({ colourspace: 'b-w', width: 17, height: 3 })],
  ['CMYK', () => makeJpeg({ colourspace: 'cmyk' })],
  ['with restart markers', async () => makeRestartJpeg()],
  [
    'with its own Huffman tables',
    async () =>
      new Uint8Array(
        await sharp(await makeJpeg())
          .jpeg({ quality: 100 })
          .toBuffer(),
      ),
  ],
  ['whose components share one name', async () => withOneName(await makeJpeg())],
  ['with a scan for each component', async () => makeSeparateScans(0xc0, [1, 2, 3])],
  ['progressive, with a scan for each component', async () => makeSeparateScans(0xc2, [1, 2, 3])],
  ['with data after its end', async () => withTrailingBytes(await makeJpeg(), 500)],
  ['progressive', () => makeJpeg({ progressive: true, width: 203, height: 149 })],
  ['progressive, grey', () => makeJpeg({ progressive: true, colourspace: 'b-w', width: 17, height: 3 })],
  ['progressive, CMYK', () => makeJpeg({ progressive: true, colourspace: 'cmyk' })],
  ['progressive, 4:4:4', () => makeJpeg({ progressive: true, chromaSubsampling: '4:4:4', quality: 100 })],
  ['progressive, by mozjpeg', () => makeMozjpeg(203, 149)],
] as const)('a sound JPEG (%s) is walked through to its last code', async (_name, make) => {
  const jpeg = await make();
  expect([findMarkerFault(new ImageFile(jpeg)), findScanFault(new ImageFile(jpeg))]).toEqual([undefined, undefined]);
});

async function makeMozjpeg(width: number, height: number): Promise<Uint8Array> {
  const source = await makeJpeg({ quality: 95, width, height });
  return new Uint8Array(await sharp(source).jpeg({ mozjpeg: true, quality: 90 }).toBuffer());
}

test.each([
  ['fill bytes before the end', (jpeg: Buffer) => withBefore(jpeg, 0xd9, Buffer.alloc(1000, 0xff))],
  ['fill bytes before a restart', (jpeg: Buffer) => withBefore(jpeg, 0xd0, Buffer.alloc(30, 0xff))],
  ['a restart before the end', (jpeg: Buffer) => withBefore(jpeg, 0xd9, Buffer.from([0xff, 0xd3]))],
  ['mixed padding', (jpeg: Buffer) => withBefore(jpeg, 0xd9, Buffer.from([0, 0xff, 0, 0]))],
] as const)('%s is no damage', (_oddity, change) => {
  const jpeg = change(Buffer.from(makeRestartJpeg()));
  expect([findMarkerFault(new ImageFile(jpeg)), findScanFault(new ImageFile(jpeg))]).toEqual([undefined, undefined]);
});

/** The same with these bytes before the first marker of a kind. */
function withBefore(jpeg: Buffer, marker: number, bytes: Buffer): Buffer {
  const at = jpeg.indexOf(Buffer.from([0xff, marker]));
  return Buffer.concat([jpeg.subarray(0, at), bytes, jpeg.subarray(at)]);
}

/** The JPEG with the number 1 for all its components, in frame and scan. */
function withOneName(jpeg: Uint8Array): Uint8Array {
  const renamed = Buffer.from(jpeg);
  const frameAt = renamed.indexOf(Buffer.from([0xff, 0xc0]));
  const scanAt = renamed.indexOf(Buffer.from([0xff, 0xda]));
  for (let index = 0; index < 3; index++) {
    renamed[frameAt + 10 + 3 * index] = 1;
    renamed[scanAt + 5 + 2 * index] = 1;
  }
  return renamed;
}

/** A JPEG of one grey block in three components, each of these in a scan of its own. */
function makeSeparateScans(frameMarker: number, scanned: readonly number[]): Uint8Array {
  const segment = (marker: number, payload: readonly number[]) =>
    concat([0xff, marker], uint16(payload.length + 2), payload);
  // One code of one bit: no difference (DC), nothing more in the block (AC).
  const table = (id: number) => [id, 1, ...new Uint8Array(15), 0];
  const last = frameMarker === 0xc2 ? 0 : 63;
  return concat(
    [0xff, 0xd8],
    segment(0xdb, [0, ...new Uint8Array(64).fill(1)]),
    segment(frameMarker, [8, 0, 8, 0, 8, 3, ...[1, 2, 3].flatMap((id) => [id, 0x11, 0])]),
    segment(0xc4, [...table(0), ...table(0x10)]),
    ...scanned.flatMap((id) => [segment(0xda, [1, id, 0, 0, last, 0]), [0x3f]]),
    [0xff, 0xd9],
  );
}

test.each(KINDS)('a component without a scan is missed (%s)', async (_name, progressive) => {
  const frameMarker = progressive ? 0xc2 : 0xc0;
  expect(findMarkerFault(new ImageFile(makeSeparateScans(frameMarker, [1, 2])))).toMatch('number 3 has none');
  expect(findMarkerFault(new ImageFile(makeSeparateScans(frameMarker, [])))).toMatch('number 1 has none');
});

test('a JPEG with arithmetic codes is of an unknown kind', async () => {
  const jpeg = Buffer.from(await makeJpeg());
  jpeg[jpeg.indexOf(Buffer.from([0xff, 0xc0])) + 1] = 0xc9;
  expect(findScanFault(new ImageFile(jpeg))).toBe('unknown-kind');
});

test('a progressive JPEG that ends between two scans is still one', async () => {
  const jpeg = Buffer.from(await makeJpeg({ progressive: true }));
  const secondLast = jpeg.lastIndexOf(Buffer.from([0xff, 0xda]));
  const fewer = concat(jpeg.subarray(0, secondLast), [0xff, 0xd9]);
  expect(findScanFault(new ImageFile(fewer))).toBeUndefined();
  expect(findScanFault(new ImageFile(concat(jpeg.subarray(0, secondLast - 200), [0xff, 0xd9])))).toMatch('Expected');
});

test.each(KINDS)('a cut is found wherever it is (%s)', async (_name, progressive) => {
  const jpeg = await makeJpeg({ progressive });
  for (const share of [0.3, 0.6, 0.9, 0.99]) {
    expect(findMarkerFault(new ImageFile(truncated(jpeg, share)))).toMatch('end-of-image');
    expect(findScanFault(new ImageFile(truncated(jpeg, share)))).toMatch(/end-of-image|segment/);
  }
  // With a new end after the cut the markers are in order, and only the codes show it.
  const mended = concat(truncated(jpeg, 0.9), [0xff, 0xd9]);
  expect(findMarkerFault(new ImageFile(mended))).toBeUndefined();
  expect(findScanFault(new ImageFile(mended))).toMatch('Expected');
});

test.each(
  KINDS,
)('of flipped bits it finds all that a strict libvips finds, and more (%s)', async (_name, progressive) => {
  const jpeg = await makeJpeg({ quality: 90, width: 160, height: 160, progressive });
  let [both, walkedOnly] = [0, 0];
  for (let seed = 0; seed < 80; seed++) {
    const rotten = bitRotten(jpeg, 2, seed, 640);
    const isRefused = await sharp(rotten)
      .raw()
      .toBuffer()
      .then(
        () => false,
        () => true,
      );
    const isFound = findScanFault(new ImageFile(rotten)) !== undefined;
    if (isRefused) expect([seed, isFound]).toEqual([seed, true]);
    if (isRefused) both++;
    else if (isFound) walkedOnly++;
  }
  expect(both).toBeGreaterThan(0);
  expect(walkedOnly).toBeGreaterThan(0);
});

test('sound photographs with Huffman tables of their own are sound', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'image-press-scan-'));
  await makePhotos(folder, 36, 720, 540);
  const names = await readdir(folder);
  const faults = await Promise.all(
    names.map(async (name) => findScanFault(new ImageFile(await readFile(path.join(folder, name))))),
  );
  await rm(folder, { recursive: true, force: true });
  // Codes of different length may fill as many bits with their values: one photograph in four was taken for damaged.
  expect(faults).toEqual(names.map(() => undefined));
});

test('a restart marker before the scan is no damage, in any mode', async () => {
  const jpeg = await makeJpeg({ width: 600, height: 450, quality: 95 });
  const source = withBefore(Buffer.from(jpeg), 0xda, Buffer.from([0xff, 0xd0]));
  expect([findMarkerFault(new ImageFile(source)), findScanFault(new ImageFile(source))]).toEqual([
    undefined,
    undefined,
  ]);
  const budget = createMemoryBudget(2e9);
  for (const changes of [{}, { effort: 'fast' }, { mode: 'lossless' }] as const) {
    const settings: CompressionSettings = { ...DEFAULT_COMPRESSION, ...changes };
    expect(await compressBytes(source, settings, { budget })).toMatchObject({ status: 'compressed' });
  }
});

test.each([
  ['a byte', [0x41]],
  ['a second start of an image', [0xff, 0xd8]],
  ['an unknown marker', [0xff, 0x30, 0, 2]],
])('%s before the scan is damage', async (_name, bytes) => {
  const source = withBefore(Buffer.from(await makeJpeg()), 0xda, Buffer.from(bytes));
  expect(findScanFault(new ImageFile(source))).toMatch(/^Expected .* at byte \d+/);
});
