import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { makePhotos } from '../../../bench/photos.ts';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { judgeJpeg } from '../../../src/codec/jpeg/judge.ts';
import { readJpeg } from '../../../src/codec/jpeg/segments.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import type { CompressionSettings } from '../../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { concat, uint16 } from '../../support/fixtures/bytes.ts';
import { bitRotten, truncated, withTrailingBytes } from '../../support/fixtures/damage.ts';
import { makeJpeg, makeRestartJpeg } from '../../support/fixtures/jpeg.ts';

const verdictOn = (jpeg: Uint8Array) => judgeJpeg(new ImageFile(jpeg));

/** What is wrong with it; undefined where it is whole. */
function faultOf(jpeg: Uint8Array): string | undefined {
  const verdict = verdictOn(jpeg);
  return verdict.is === 'whole' ? undefined : verdict.detail;
}

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
  expect(verdictOn(jpeg)).toEqual({ is: 'whole' });
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
  expect(verdictOn(jpeg)).toEqual({ is: 'whole' });
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
  expect(faultOf(makeSeparateScans(frameMarker, [1, 2]))).toMatch('number 3 has none');
  expect(faultOf(makeSeparateScans(frameMarker, []))).toMatch('number 1 has none');
});

test('a scan that comes again is damage, as decoders say', async () => {
  const jpeg = await makeJpeg();
  const scanAt = Buffer.from(jpeg).indexOf(Buffer.from([0xff, 0xda]));
  const twice = concat(jpeg.subarray(0, -2), jpeg.subarray(scanAt));
  expect(verdictOn(twice)).toMatchObject({ is: 'damaged', detail: expect.stringContaining('comes again') });
  const outcome = await compressBytes(
    twice,
    { ...DEFAULT_COMPRESSION, mode: 'lossless' },
    { budget: createMemoryBudget(2e9) },
  );
  expect(outcome).toMatchObject({ status: 'failed', code: 'CorruptImage' });
});

test('a refinement whose first scan is lost is damage', async () => {
  const jpeg = Buffer.from(await makeJpeg({ progressive: true }));
  const scans = [...jpeg.toString('latin1').matchAll(/\xff\xda/g)].map(({ index }) => index);
  const lost = scans.map((at, number) =>
    concat(jpeg.subarray(0, at), jpeg.subarray(scans[number + 1] ?? jpeg.length - 2)),
  );
  const orders = lost.map((file) => faultOf(file)?.includes('in order') ?? false);
  // The last scans refine, and nothing refines those.
  expect(orders.filter(Boolean).length).toBeGreaterThan(2);
  expect(faultOf(jpeg)).toBeUndefined();
});

test.each<[string, (jpeg: Buffer) => Uint8Array, RegExp]>([
  [
    'a Huffman table with more than its codes',
    (jpeg) => grownBy(jpeg, 0xc4, 1),
    /of its own length at byte \d+ but 0xc4/,
  ],
  [
    'a quantisation table number 4',
    (jpeg) => jpeg.fill(4, jpeg.indexOf(Buffer.from([0xff, 0xdb])) + 4, jpeg.indexOf(Buffer.from([0xff, 0xdb])) + 5),
    /0xdb/,
  ],
  ['a code for values beyond 8-bit samples', (jpeg) => withSymbol(jpeg, 0x10, 0x0b), /Huffman code in block/],
  [
    'a value of more than 15 bits in an unused code',
    (jpeg) => withLastSymbol(jpeg, 0x00, 0x1b),
    /Huffman tables of each scan/,
  ],
  ['a frame that is too long', (jpeg) => grownBy(jpeg, 0xc0, 2), /0xc0/],
  [
    'no Huffman table of the scan',
    (jpeg) => jpeg.fill(3, jpeg.indexOf(Buffer.from([0xff, 0xc4])) + 4, jpeg.indexOf(Buffer.from([0xff, 0xc4])) + 5),
    /Huffman tables of each scan/,
  ],
])('%s is damage', async (_name, change, fault) => {
  expect(verdictOn(new Uint8Array(change(Buffer.from(await makeJpeg()))))).toMatchObject({
    is: 'damaged',
    detail: expect.stringMatching(fault),
  });
});

/** With another first symbol in the first Huffman table of this class and number. */
function withSymbol(jpeg: Buffer, id: number, symbol: number): Buffer {
  const { segments } = readJpeg(jpeg);
  const table = segments.find(({ marker, payload }) => marker === 0xc4 && payload[0] === id);
  return jpeg.fill(symbol, table!.at + 21, table!.at + 22);
}

/** With another last symbol in the only Huffman table of its segment. */
function withLastSymbol(jpeg: Buffer, id: number, symbol: number): Buffer {
  const { segments } = readJpeg(jpeg);
  const table = segments.find(({ marker, payload }) => marker === 0xc4 && payload[0] === id)!;
  const count = table.payload.subarray(1, 17).reduce((sum, codes) => sum + codes, 0);
  return jpeg.fill(symbol, table.at + 20 + count, table.at + 21 + count);
}

/** With zeros at the end of the first segment of this marker. */
function grownBy(jpeg: Buffer, marker: number, count: number): Buffer {
  const at = jpeg.indexOf(Buffer.from([0xff, marker]));
  const end = at + 2 + jpeg.readUInt16BE(at + 2);
  const grown = Buffer.concat([jpeg.subarray(0, end), Buffer.alloc(count), jpeg.subarray(end)]);
  grown.writeUInt16BE(end - at - 2 + count, at + 2);
  return grown;
}

test('a JPEG with arithmetic codes cannot be judged', async () => {
  const jpeg = Buffer.from(await makeJpeg());
  jpeg[jpeg.indexOf(Buffer.from([0xff, 0xc0])) + 1] = 0xc9;
  expect(verdictOn(jpeg)).toMatchObject({ is: 'unproven' });
});

test('a progressive JPEG that ends between two scans is still one', async () => {
  const jpeg = Buffer.from(await makeJpeg({ progressive: true }));
  const secondLast = jpeg.lastIndexOf(Buffer.from([0xff, 0xda]));
  const fewer = concat(jpeg.subarray(0, secondLast), [0xff, 0xd9]);
  expect(faultOf(fewer)).toBeUndefined();
  expect(faultOf(concat(jpeg.subarray(0, secondLast - 200), [0xff, 0xd9]))).toMatch('Expected');
});

test.each(KINDS)('a cut is found wherever it is (%s)', async (_name, progressive) => {
  const jpeg = await makeJpeg({ progressive });
  for (const share of [0.3, 0.6, 0.9, 0.99]) {
    expect([share, verdictOn(truncated(jpeg, share))]).toMatchObject([share, { is: 'damaged' }]);
  }
  // With a new end after the cut the markers are in order, and only the codes show it.
  expect(faultOf(concat(truncated(jpeg, 0.9), [0xff, 0xd9]))).toMatch('Expected');
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
    const isFound = faultOf(rotten) !== undefined;
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
  const faults = await Promise.all(names.map(async (name) => faultOf(await readFile(path.join(folder, name)))));
  await rm(folder, { recursive: true, force: true });
  // Codes of different length may fill as many bits with their values: one photograph in four was taken for damaged.
  expect(faults).toEqual(names.map(() => undefined));
});

test('a restart marker before the scan is no damage, in any mode', async () => {
  const jpeg = await makeJpeg({ width: 600, height: 450, quality: 95 });
  const source = withBefore(Buffer.from(jpeg), 0xda, Buffer.from([0xff, 0xd0]));
  expect(verdictOn(source)).toEqual({ is: 'whole' });
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
  expect(faultOf(source)).toMatch(/^Expected .* at byte \d+/);
});

describe('whole, although decoders warn of it', () => {
  const fieldsOfScan = (jpeg: Buffer) => jpeg.indexOf(Buffer.from([0xff, 0xda])) + 11;
  test.each<[string, (jpeg: Buffer) => Uint8Array, string]>([
    [
      'scan fields as phones write them',
      (jpeg) => jpeg.fill(0, fieldsOfScan(jpeg), fieldsOfScan(jpeg) + 3),
      'scan fields',
    ],
    [
      'an approximation of a sequential scan',
      (jpeg) => jpeg.fill(0x11, fieldsOfScan(jpeg) + 2, fieldsOfScan(jpeg) + 3),
      'scan fields',
    ],
    ['a later revision of JFIF', (jpeg) => withBefore(jpeg, 0xdb, JFIF_3), 'JFIF revision'],
    [
      'a transform of Adobe that three components have not',
      (jpeg) => withBefore(jpeg, 0xdb, adobe(2)),
      'Adobe transform',
    ],
    ['components of one number', withOneName, 'same number'],
    ['stray bytes before the end', (jpeg) => withBefore(jpeg, 0xd9, Buffer.from([0, 0, 0x12])), '3 stray bytes'],
  ])('%s', async (_name, change, oddity) => {
    const sound = await makeJpeg({ width: 600, height: 450, quality: 95 });
    const source = new Uint8Array(change(Buffer.from(sound)));
    expect(verdictOn(source)).toMatchObject({
      is: 'odd',
      detail: expect.stringMatching(`${oddity}.*all [\\d,]+ blocks present`),
    });
    for (const changes of [{}, { effort: 'fast' }, { mode: 'lossless' }] as const) {
      const outcome = await compressBytes(
        source,
        { ...DEFAULT_COMPRESSION, ...changes },
        { budget: createMemoryBudget(2e9) },
      );
      expect(outcome).toMatchObject({ status: 'compressed', detail: expect.stringContaining('blocks present') });
      if (outcome.status !== 'compressed') continue;
      expect(verdictOn(outcome.bytes)).toEqual({ is: 'whole' });
      if (outcome.encoding.lossless) expect(await pixelsOf(outcome.bytes)).toEqual(await pixelsOf(sound));
    }
  });

  test('a JPEG without an end marker is kept, with the true reason', async () => {
    const source = (await makeJpeg({ width: 600, height: 450, quality: 95 })).subarray(0, -2);
    const outcome = await compressBytes(source, DEFAULT_COMPRESSION, { budget: createMemoryBudget(2e9) });
    expect(outcome).toMatchObject({
      status: 'kept',
      reason: 'unproven',
      detail: expect.stringContaining('no end-of-image marker'),
    });
  });

  test('a JPEG whose height stands after its first scan is of an unsupported kind', async () => {
    const jpeg = Buffer.from(await makeJpeg({ width: 64, height: 48, quality: 95 }));
    const frameAt = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.fill(0, frameAt + 5, frameAt + 7);
    const source = new Uint8Array(withBefore(jpeg, 0xd9, Buffer.from([0xff, 0xdc, 0, 4, 0, 48])));
    const outcome = await compressBytes(source, DEFAULT_COMPRESSION, { budget: createMemoryBudget(2e9) });
    expect(outcome).toMatchObject({
      status: 'kept',
      reason: 'unsupported-format',
      detail: expect.stringContaining('DNL'),
    });
  });
});

test('an Adobe segment that is cut off leaves open which colours there are', async () => {
  const cut = Buffer.from([0xff, 0xee, 0, 9, ...Buffer.from('Adobe'), 0, 100]);
  const source = withBefore(Buffer.from(await makeJpeg()), 0xdb, cut);
  expect(verdictOn(new Uint8Array(source))).toMatchObject({
    is: 'unproven',
    detail: expect.stringContaining('Adobe segment'),
  });
});

const JFIF_3 = Buffer.from([0xff, 0xe0, 0, 16, ...Buffer.from('JFIF\0'), 3, 1, 0, 0, 1, 0, 1, 0, 0]);

function adobe(transform: number): Buffer {
  return Buffer.from([0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, transform]);
}

async function pixelsOf(jpeg: Uint8Array): Promise<Buffer> {
  return sharp(jpeg).raw().toBuffer();
}

describe('bytes left over before the end', () => {
  test('are damage where the last code ends within data', async () => {
    // One flipped bit, and the codes after it end elsewhere.
    const jpeg = await makeJpeg({ width: 320, height: 240, quality: 90 });
    const verdicts = Array.from({ length: 200 }, (_, seed) => verdictOn(bitRotten(jpeg, 1, seed, 640)));
    const leftOver = verdicts.filter((verdict) => verdict.is !== 'whole' && verdict.detail.includes('of it are left'));
    expect(leftOver.length).toBeGreaterThan(5);
    expect(leftOver.every(({ is }) => is === 'damaged')).toBe(true);
  });

  test('are damage where they are more than a decoder loads in advance', async () => {
    const stray = Buffer.from('twelve bytes and more of them');
    const source = withBefore(Buffer.from(await makeJpeg({ width: 200, height: 150 })), 0xd9, stray);
    expect(verdictOn(source)).toMatchObject({
      is: 'damaged',
      detail: expect.stringContaining(`${stray.length} bytes of it are left`),
    });
  });
});
