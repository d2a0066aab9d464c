import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import { judgePng } from '../../../src/codec/png/judge.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { concat, uint32 } from '../../support/fixtures/bytes.ts';
import {
  makeApng,
  makeApngAfterStill,
  makePng,
  PNG_SIGNATURE,
  pngChunk,
  pngHeader,
} from '../../support/fixtures/png.ts';

interface Chunk {
  readonly type: string;
  readonly bytes: Uint8Array;
}

function chunksOf(png: Uint8Array): Chunk[] {
  const view = new DataView(png.buffer, png.byteOffset);
  const chunks: Chunk[] = [];
  for (let at = 8; at < png.length; ) {
    const end = at + 12 + view.getUint32(at);
    chunks.push({ type: Buffer.from(png.subarray(at + 4, at + 8)).toString(), bytes: png.subarray(at, end) });
    at = end;
  }
  return chunks;
}

/** The PNG with its chunks in another order or number. */
const arranged = (png: Uint8Array, arrange: (chunks: Chunk[]) => (Chunk | undefined)[]) =>
  concat(png.subarray(0, 8), ...arrange(chunksOf(png)).map((chunk) => chunk?.bytes ?? []));

const compress = (bytes: Uint8Array) =>
  compressBytes(bytes, { ...DEFAULT_COMPRESSION, mode: 'lossless' }, { budget: createMemoryBudget(2e9) });

const judge = (bytes: Uint8Array) => judgePng(new ImageFile(bytes));

describe('the frames of an animated PNG', () => {
  const apng = makeApng();
  const place =
    (type: string, nth = 0) =>
    (chunks: Chunk[]) =>
      chunks.findIndex((chunk) => chunk.type === type && chunks.filter((c) => c.type === type)[nth] === chunk);
  const without = (type: string, nth = 0) => arranged(apng, (chunks) => chunks.toSpliced(place(type, nth)(chunks), 1));

  test('are whole as an encoder writes them', async () => {
    for (const png of [makePng(), apng, makeApng(1), makeApngAfterStill()])
      expect(await judge(png)).toEqual({ is: 'whole' });
  });

  test.each([
    ['a control chunk that is missing', without('fcTL', 1)],
    ['the data of a frame that is missing', without('fdAT', 0)],
    ['the data of the last frame that is missing', without('fdAT', 1)],
    [
      'frames in another order',
      arranged(apng, (chunks) => {
        const [one, other] = [place('fcTL', 1)(chunks), place('fcTL', 2)(chunks)];
        return chunks.with(one, chunks[other]!).with(other, chunks[one]!);
      }),
    ],
    [
      'a frame twice',
      arranged(apng, (chunks) => chunks.toSpliced(place('fcTL', 1)(chunks), 0, chunks[place('fcTL', 1)(chunks)]!)),
    ],
  ])('leave only the first picture where there is %s', async (_name, png) => {
    const detail = expect.stringMatching(/Expected (number \d|the data of a frame|the control chunk)/);
    expect(await judge(png)).toEqual({ is: 'unproven', detail });
    expect(await compress(png)).toMatchObject({ status: 'kept', reason: 'unproven' });
    // Damage of the first picture counts.
    const at = Buffer.from(png).indexOf('IDAT') + 30;
    expect(await judge(png.with(at, png[at]! ^ 1))).toMatchObject({ is: 'damaged' });
  });

  test('are not proven where a chunk after the pixels does not match its checksum', async () => {
    const at = Buffer.from(apng).lastIndexOf('fcTL') + 25;
    const detail = expect.stringMatching(/^Expected chunk fcTL at byte \d+ to match its checksum/);
    expect(await judge(apng.with(at, apng[at]! ^ 1))).toEqual({ is: 'unproven', detail });
  });

  test('frames that the animation lacks leave its first picture, however many', async () => {
    const announced = pngChunk('acTL', concat(uint32(2_147_483_650), uint32(0)));
    const png = arranged(apng, (chunks) => chunks.with(place('acTL')(chunks), { type: 'acTL', bytes: announced }));
    expect(await compress(png)).toMatchObject({
      reason: 'unproven',
      detail: 'it has 3 of the 2147483650 frames of its animation',
    });
  });

  test('a header of a wrong length is believed by some viewers only', async () => {
    const header = pngChunk('acTL', concat(uint32(3), uint32(0), [0]));
    const png = arranged(apng, (chunks) => chunks.with(place('acTL')(chunks), { type: 'acTL', bytes: header }));
    const detail = 'the header of its animation (acTL) has 9 bytes instead of 8';
    expect(await judge(png)).toEqual({ is: 'unproven', detail });
  });

  test('frames without an acTL chunk leave a still picture, which is kept', async () => {
    const png = without('acTL');
    expect(await judge(png)).toEqual({ is: 'whole' });
    expect(await compress(png)).toMatchObject({ status: 'kept', reason: 'not-identical' });
  });

  test('are damaged where the data of one are too short', async () => {
    const payload = concat(uint32(2), deflateSync(new Uint8Array(100)));
    const png = arranged(apng, (chunks) =>
      chunks.with(place('fdAT')(chunks), { type: 'fdAT', bytes: pngChunk('fdAT', payload) }),
    );
    expect(await judge(png)).toMatchObject({
      is: 'damaged',
      detail: expect.stringContaining('found 100 in the picture'),
    });
    expect(await compress(png)).toMatchObject({ code: 'CorruptImage' });
  });
});

describe('the pixels of a PNG', () => {
  const [width, height] = [40, 30];
  const row = 1 + width * 3;
  const rows = Uint8Array.from({ length: height * row }, (_, at) => (at % row === 0 ? 0 : (at % row) + at / row));
  const data = new Uint8Array(deflateSync(rows, { level: 0 }));
  const withChunks = (...chunks: Uint8Array[]) =>
    concat(PNG_SIGNATURE, pngHeader(width, height, 8, 2), ...chunks, pngChunk('IEND'));
  const png = (compressed: Uint8Array) => withChunks(pngChunk('IDAT', compressed));
  const pixels = (bytes: Uint8Array) => sharp(bytes, { failOn: 'none' }).raw().toBuffer();
  const changed = (at: number, value: number) => new Uint8Array(deflateSync(rows.with(at, value)));

  test.each([
    [
      'one row short',
      png(deflateSync(rows.subarray(row))),
      `Expected ${rows.length} bytes of pixels but found ${rows.length - row}`,
    ],
    ['one byte short', png(deflateSync(rows.subarray(0, -1))), `found ${rows.length - 1}`],
    ['cut within their data', png(data.subarray(0, -40)), `Expected ${rows.length} bytes`],
    ['of another checksum', png(data.with(-1, data.at(-1)! ^ 1)), 'incorrect data check'],
    ['with an unknown filter', png(changed(3 * row, 5)), 'Expected a filter of 0 to 4 but found 5 in row 3'],
    [
      'interrupted by another chunk',
      withChunks(pngChunk('IDAT', data.subarray(0, 90)), pngChunk('tEXt'), pngChunk('IDAT', data.subarray(90))),
      `Expected ${rows.length} bytes`,
    ],
  ])('are damaged where they are %s', async (_name, bytes, detail) => {
    expect(await judge(bytes)).toEqual({ is: 'damaged', detail: expect.stringContaining(detail) });
    expect(await compress(bytes)).toMatchObject({ status: 'failed', code: 'CorruptImage' });
  });

  test.each([
    ['more rows follow', png(deflateSync(concat(rows, rows), { level: 0 })), 'more rows than its header announces'],
    ['one byte follows', png(deflateSync(concat(rows, [0]), { level: 0 })), 'more rows than its header announces'],
    ['other bytes follow their data', png(concat(data, [1, 2, 3])), '3 bytes follow its pixels'],
    ['their checksum is missing', png(data.subarray(0, -4)), 'the checksum of its pixels is missing'],
    [
      'a later chunk has data',
      withChunks(pngChunk('IDAT', data), pngChunk('tEXt'), pngChunk('IDAT', data)),
      'follow its pixels',
    ],
  ])('are all there, and are compressed, where %s', async (_name, bytes, detail) => {
    expect(await judge(bytes)).toEqual({ is: 'odd', detail: expect.stringContaining(detail) });
    const outcome = await compress(bytes);
    expect(outcome).toMatchObject({ status: 'compressed', detail: expect.stringContaining(detail) });
    if (outcome.status !== 'compressed') return;
    expect((await pixels(outcome.bytes)).equals(await pixels(png(data)))).toBe(true);
    expect(await judge(outcome.bytes)).toEqual({ is: 'whole' });
  });

  test.each([
    ['to a level that no memory could hold', deflateSync(new Uint8Array(300_000_000))],
    ['in thousands of parts', new Uint8Array(deflateSync(rows, { level: 0 }))],
  ])('are read without being held, %s', async (_name, compressed) => {
    const parts = Array.from({ length: Math.ceil(compressed.length / 100) }, (_, index) =>
      pngChunk('IDAT', compressed.subarray(index * 100, index * 100 + 100)),
    );
    const before = process.memoryUsage().arrayBuffers;
    expect((await judge(withChunks(...parts))).is).toMatch(/whole|odd/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });

  test.each([
    [2, 8],
    [6, 16],
    [0, 1],
    [0, 4],
    [3, 2],
    [4, 8],
  ] as const)('are counted in each of the passes of an interlaced one of type %i with %i bits', async (colourType, bitDepth) => {
    for (const [across, down] of [
      [1, 1],
      [3, 2],
      [5, 9],
      [64, 48],
    ] as const) {
      const source = makePng({ width: across, height: down, colourType, bitDepth });
      const interlaced = new Uint8Array(await sharp(source).png({ progressive: true }).toBuffer());
      expect(await judge(interlaced), `${across} x ${down}`).toEqual({ is: 'whole' });
    }
  });
});

describe('the palette of a PNG', () => {
  const png = (colours: number, bitDepth: 1 | 2 | 4 | 8, filter: number) => {
    const bytes = 1 + Math.ceil((20 * bitDepth) / 8);
    const pixels = Uint8Array.from({ length: 10 * bytes }, (_, at) =>
      at % bytes === 0 ? filter : at % bytes === 1 ? 1 : 0,
    );
    return makePng({ width: 20, height: 10, colourType: 3, bitDepth, colours, pixels });
  };

  test.each([
    [8, 0, 1],
    [8, 1, 1],
    [8, 2, 10],
    [8, 4, 10],
    // The row is 1 + half of 1 by the average of what is above: 1, 1.5, 1.75.
    [8, 3, 1],
    [4, 2, 10],
  ] as const)('has to hold each index (%i bits, filter %i: up to %i)', async (bitDepth, filter, highest) => {
    if (highest + 1 <= 2 ** bitDepth) expect(await judge(png(highest + 1, bitDepth, filter))).toEqual({ is: 'whole' });
    const detail = expect.stringContaining(`it uses colour ${highest} of a palette of ${highest}`);
    expect(await judge(png(highest, bitDepth, filter))).toEqual({ is: 'unproven', detail });
  });

  test('stands before the pixels also where it is only a suggestion', async () => {
    const suggestion = pngChunk('PLTE', new Uint8Array(6));
    expect(await judge(makePng({ chunks: [suggestion] }))).toEqual({ is: 'whole' });
    expect(await judge(makePng({ chunksAfter: [suggestion] }))).toMatchObject({ is: 'damaged' });
  });

  test('is needed, once, before the pixels', async () => {
    const palette = makePng({ colourType: 3 });
    const isPalette = ({ type }: Chunk) => type === 'PLTE';
    const [at] = [chunksOf(palette).findIndex(isPalette)];
    for (const chunks of [
      (all: Chunk[]) => all.toSpliced(at, 1),
      (all: Chunk[]) => all.toSpliced(at, 0, all[at]!),
      (all: Chunk[]) => [...all.toSpliced(at, 1).slice(0, -1), all[at], all.at(-1)],
    ])
      expect(await judge(arranged(palette, chunks))).toMatchObject({
        is: 'damaged',
        detail: expect.stringContaining('PLTE'),
      });
  });
});

test('data in the last chunk are damage', async () => {
  const detail = expect.stringContaining('Expected an empty IEND chunk');
  expect(await judge(concat(makePng().subarray(0, -12), pngChunk('IEND', Uint8Array.of(1))))).toEqual({
    is: 'damaged',
    detail,
  });
});

test('a critical chunk of an unknown kind proves nothing', async () => {
  const bytes = makePng({ chunks: [pngChunk('ABCD')] });
  expect(await judge(bytes)).toMatchObject({ is: 'unproven', detail: expect.stringContaining('ABCD') });
});

test('an ancillary chunk of a wrong length leaves all pixels there', async () => {
  const detail = 'all its pixels are there, but its pHYs chunk at byte 33 has a wrong length';
  expect(await judge(makePng({ chunks: [pngChunk('pHYs', new Uint8Array(5))] }))).toEqual({ is: 'odd', detail });
});

test('transparency that does not fit the picture proves nothing', async () => {
  const transparency = (length: number) => pngChunk('tRNS', new Uint8Array(length));
  expect(await judge(makePng({ chunks: [transparency(6)] }))).toEqual({ is: 'whole' });
  for (const options of [
    { chunks: [transparency(4)] },
    { chunks: [transparency(6), transparency(6)] },
    { chunksAfter: [transparency(6)] },
    { colourType: 3 as const, bitDepth: 2 as const, chunks: [transparency(5)] },
  ])
    expect(await judge(makePng(options))).toMatchObject({ is: 'unproven', detail: expect.stringContaining('tRNS') });
});

test('a palette of more colours than the indexes can name proves nothing', async () => {
  const detail = 'its palette has 18 colours for indexes of 4 bits';
  const pixels = new Uint8Array(48 * 33);
  expect(await judge(makePng({ colourType: 3, bitDepth: 4, colours: 18, pixels }))).toEqual({ is: 'unproven', detail });
});
