import { describe, expect, test } from 'vitest';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { judgeAvif, judgeHeif } from '../../../src/codec/isobmff/judge.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import type { CompressionSettings } from '../../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { makeAvif, makeOddAvif } from '../../support/fixtures/avif.ts';
import {
  codedItem,
  LIMITED_GREY_AVIF,
  makeGridAvif,
  makeItemsAvif,
  makeSequenceAvif,
} from '../../support/fixtures/avif-parts.ts';
import { ascii } from '../../support/fixtures/bytes.ts';
import { truncated, withTrailingBytes } from '../../support/fixtures/damage.ts';

async function verdictOf(bytes: Uint8Array | Promise<Uint8Array>): Promise<string> {
  const file = new ImageFile(await bytes);
  const verdict = await judgeAvif(file, inspectImage(file)!);
  return 'detail' in verdict ? `${verdict.is}: ${verdict.detail}` : verdict.is;
}

/** With other bytes behind the first occurrence of this text. */
function changed(bytes: Uint8Array, text: string, at: number, ...values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, Buffer.from(bytes).indexOf(text, 0, 'latin1') + at);
  return copy;
}

describe('the judge of AVIF', () => {
  test.each([
    ['8 bits', makeAvif()],
    ['10 bits', makeAvif({ bitdepth: 10 })],
    ['12 bits', makeAvif({ bitdepth: 12 })],
    ['transparency', makeAvif({ alpha: true })],
    ['a thumbnail', makeOddAvif('a thumbnail')],
    ['a grid of tiles', makeGridAvif()],
    ['a part to be shown', makeOddAvif('a part to be shown')],
    ['unknown data behind its end', makeAvif().then((avif) => withTrailingBytes(avif, 100))],
  ])('finds one with %s whole', async (_, avif) => {
    expect(await verdictOf(avif)).toBe('whole');
  });

  test.each([0.95, 0.8, 0.6])('finds one that ends after %d of its bytes damaged', async (share) => {
    const avifs = [await makeAvif(), await makeAvif({ alpha: true }), await makeGridAvif()];
    for (const avif of avifs)
      expect(await verdictOf(truncated(avif, share))).toMatch(
        /^damaged: Expected the data of item \d \(av01\) within \d+ bytes but they reach to byte \d+$/,
      );
  });

  test('finds damaged data of a tile', async () => {
    const avif = await makeGridAvif();
    const broken = avif.slice();
    broken.fill(0xff, avif.length - 60, avif.length - 20);
    expect(await verdictOf(broken)).toMatch(/^damaged: .* a second decoder found/);
  });

  test.each([
    ['fewer tiles than its layout', { tiles: [2, 3, 4] }, 'Expected 2 x 2 tiles of item 1 (grid) but it refers to 3'],
    ['a tile that does not exist', { tiles: [2, 3, 4, 9] }, 'a dimg reference names 9'],
    ['a tile that is the grid itself', { tiles: [2, 3, 4, 1] }, 'made of each other'],
    [
      'tiles that do not cover it',
      { size: [300, 128] as [number, number] },
      'Expected 2 x 2 tiles to cover 300 x 128 pixels',
    ],
    ['more columns than tiles', { columns: 3 }, 'Expected 3 x 2 tiles'],
  ])('finds a grid of %s damaged', async (_, grid, detail) => {
    const verdict = await verdictOf(makeGridAvif(grid));
    expect(verdict).toMatch(/^damaged/);
    expect(verdict).toContain(detail);
  });

  test('leaves open which of two sizes a grid has', async () => {
    const tile = await codedItem();
    const grid = { type: 'grid', data: Uint8Array.of(0, 0, 0, 1, 0, 192, 0, 64), size: [64, 64] as const };
    const avif = makeItemsAvif([grid, tile, tile], [{ type: 'dimg', from: 1, to: [2, 3] }]);
    expect(await verdictOf(avif)).toBe('unproven: its boxes say 64 x 64 pixels but the layout of its grid 192 x 64');
  });

  test('finds one without any pixels damaged', async () => {
    const item = { ...(await codedItem()), size: [96, 0] as const };
    expect(await verdictOf(makeItemsAvif([item]))).toBe(
      'damaged: Expected pixels of item 1 (av01) but its size is 96 x 0',
    );
  });

  test('finds a grid with a tile of another size damaged', async () => {
    const [tile, smaller] = [await codedItem(), await codedItem([96, 60])];
    const layout = Uint8Array.of(0, 0, 0, 1, 0, 192, 0, 64);
    const grid = { type: 'grid', data: layout, size: [192, 64] as const };
    const avif = makeItemsAvif([grid, tile, smaller], [{ type: 'dimg', from: 1, to: [2, 3] }]);
    expect(await verdictOf(avif)).toContain('damaged: Expected tiles of one size but item 3 (av01) has another');
  });

  test.each([
    ['an item list with fewer items than it says', 'iinf', 9, 'Expected 7 items in iinf but found 5', 7],
    ['a reference list with a cut box', 'dimg', -1, 'Expected the iref box to be made of whole boxes', 200],
    ['a location table with fewer rows than it says', 'iloc', 11, 'Expected all rows of iloc', 9],
  ])('finds %s damaged', async (_, box, at, detail, value) => {
    const verdict = await verdictOf(changed(await makeGridAvif(), box, at, value));
    expect(verdict).toMatch(/^damaged/);
    expect(verdict).toContain(detail);
  });

  test('keeps one whose data may be larger than its boxes say, before anything is allocated for it', async () => {
    const avif = makeItemsAvif([await codedItem([48, 32])]);
    expect(await verdictOf(avif)).toBe('unproven: its data may hold 96 x 64 pixels but its boxes say 48 x 32');
  });

  test('finds one of another size than its boxes say damaged', async () => {
    expect(await verdictOf(makeItemsAvif([await codedItem([960, 640])]))).toMatch(
      /^damaged: .* a second decoder found/,
    );
  });

  test('keeps grey values of limited range, which libvips reads as full range', async () => {
    expect(await verdictOf(LIMITED_GREY_AVIF)).toBe(
      'unproven: two decoders read its colours differently, by up to 20 of 255 levels',
    );
  });

  test('keeps one whose colour box contradicts its data', async () => {
    const contradicting = changed(LIMITED_GREY_AVIF, 'nclx', 10, 0x80);
    expect(await verdictOf(contradicting)).toBe(
      'unproven: its colr box says full range and its data say limited range',
    );
  });

  test('keeps one without the number of bits, which strict readers refuse and others read', async () => {
    expect(await verdictOf(changed(await makeAvif(), 'pixi', 0, ...ascii('free')))).toBe(
      'unproven: two decoders disagree: one reads all of it, the other refuses it',
    );
  });

  test('keeps one whose last box is cut but holds no data of the picture', async () => {
    const cutBox = Uint8Array.of(0, 0, 1, 0, 0x66, 0x72, 0x65, 0x65, 0, 0);
    expect(await verdictOf(withTrailingBytes(await makeAvif(), cutBox))).toMatch(/^unproven: its last box \(free/);
  });
});

test('one that does not fit into memory is held against its boxes alone', async () => {
  const whole = new ImageFile(await makeAvif());
  expect(await judgeAvif(whole, inspectImage(whole)!, false)).toEqual({
    is: 'unproven',
    detail: 'too large to be decoded here',
  });
  const cut = new ImageFile(truncated(whole.bytes, 0.8));
  expect(await judgeAvif(cut, inspectImage(cut)!, false)).toMatchObject({ is: 'damaged' });
});

describe('the judge of image sequences', () => {
  test('keeps one whose frames are all in the file', async () => {
    expect(await verdictOf(makeSequenceAvif([100, 50], 20))).toMatch(/^unproven: an image sequence/);
  });

  test('finds one with a frame outside the file damaged', async () => {
    expect(await verdictOf(makeSequenceAvif([100, 50_000], 20))).toMatch(
      /^damaged: Expected frame 2 to lie within the file of \d+ bytes .*\(track 1\)$/,
    );
  });

  test('finds one without its table of frames damaged', async () => {
    const bytes = (await makeAvif()).slice();
    bytes.set(ascii('avis'), 16);
    expect(await verdictOf(bytes)).toContain('damaged: Expected the moov box of an image sequence');
  });
});

test('the judge of HEIC finds data outside the file, which nothing decodes', async () => {
  const heic = (await makeAvif()).slice();
  heic.set(ascii('heic'), 8);
  // The item of an AVIF under brands of HEIC.
  expect(judgeHeif(new ImageFile(heic))).toMatchObject({ is: 'unproven', detail: expect.stringContaining('AV1') });
  const type = Buffer.from(heic).indexOf('infe');
  heic.set(ascii('hvc1'), Buffer.from(heic).indexOf('av01', type));
  expect(judgeHeif(new ImageFile(heic))).toEqual({ is: 'whole' });
  expect(judgeHeif(new ImageFile(truncated(heic, 0.8)))).toMatchObject({ is: 'damaged' });
});

describe('compressBytes', () => {
  const compress = (bytes: Uint8Array, changes: Partial<CompressionSettings> = {}, capacity = 2e9) =>
    compressBytes(
      bytes,
      { ...DEFAULT_COMPRESSION, minSavings: { percent: 0, bytes: 1 }, ...changes },
      { budget: createMemoryBudget(capacity) },
    );

  test.each([
    {},
    { mode: 'lossless' },
    { format: 'webp' },
    { mode: 'auto' },
  ] as const)('fails a truncated grid and a grid with a damaged tile (%o)', async (changes) => {
    const grid = await makeGridAvif();
    const broken = grid.slice();
    broken.fill(0xff, grid.length - 60, grid.length - 20);
    for (const damagedGrid of [truncated(grid, 0.55), broken])
      expect(await compress(damagedGrid, changes)).toMatchObject({ status: 'failed', code: 'CorruptImage' });
  });

  test('never keeps as sound what is not proven', async () => {
    const broken = changed(await makeAvif(), 'pixi', 0, ...ascii('free'));
    expect(await compress(broken, { mode: 'lossless' })).toMatchObject({ status: 'kept', reason: 'unproven' });
    expect(await compress(await makeAvif(), { mode: 'lossless' })).toMatchObject({ reason: 'unsupported-format' });
  });

  test('keeps grey of limited range and tells why', async () => {
    expect(await compress(LIMITED_GREY_AVIF, { format: 'webp' })).toMatchObject({
      status: 'kept',
      reason: 'unproven',
      detail: expect.stringContaining('two decoders read its colours differently'),
    });
  });

  test('holds a kept AVIF against its boxes where memory is too short to decode it', async () => {
    const avif = await makeAvif();
    expect(await compress(avif, { mode: 'lossless' }, 1000)).toMatchObject({ status: 'kept' });
    expect(await compress(truncated(avif, 0.8), { mode: 'lossless' }, 1000)).toMatchObject({ code: 'CorruptImage' });
  });
});
