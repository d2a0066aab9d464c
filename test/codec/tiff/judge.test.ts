import sharp, { type TiffOptions } from 'sharp';
import { describe, expect, test } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { nextDirectory, readDirectory, readTiff } from '../../../src/codec/metadata/tiff-directory.ts';
import { judgeTiff } from '../../../src/codec/tiff/judge.ts';
import { concat, uint16, uint32 } from '../../support/fixtures/bytes.ts';
import { photoPixels } from '../../support/fixtures/pixels.ts';

const judge = (bytes: Uint8Array) => {
  const file = new ImageFile(bytes);
  return judgeTiff(file, inspectImage(file)!);
};

async function makeTiff(options: TiffOptions, channels: 3 | 4 = 3): Promise<Uint8Array> {
  const image = sharp(photoPixels(90, 70, channels), { raw: { width: 90, height: 70, channels } });
  return new Uint8Array(await image.tiff(options).toBuffer());
}

/** The TIFF with the first value of a tag changed. */
function withTag(tiff: Uint8Array, tag: number, value: number): Uint8Array {
  const { type, valueAt } = entryOf(tiff, tag);
  const copy = tiff.slice();
  copy.set(type === 3 ? uint16(value, true) : uint32(value, true), valueAt);
  return copy;
}

function entryOf(tiff: Uint8Array, tag: number) {
  const parsed = readTiff(tiff)!;
  return readDirectory(parsed, parsed.first)!.entries.get(tag)!;
}

const TAG = { compression: 259, stripOffsets: 273, rowsPerStrip: 278, stripLengths: 279 } as const;

test.each<[string, TiffOptions, (3 | 4)?]>([
  ['uncompressed', { compression: 'none' }],
  ['LZW with a predictor', { compression: 'lzw', predictor: 'horizontal' }],
  ['deflate, transparent', { compression: 'deflate' }, 4],
  ['packbits', { compression: 'packbits' }],
  ['in tiles', { compression: 'lzw', tile: true, tileWidth: 32, tileHeight: 16 }],
])('a sound TIFF (%s) is whole', async (_name, options, channels) => {
  expect(await judge(await makeTiff(options, channels))).toEqual({ is: 'whole' });
});

test('a kind that only libvips reads is not proven', async () => {
  expect(await judge(await makeTiff({ compression: 'webp' }))).toMatchObject({ is: 'unproven' });
});

test('a kind that the second decoder reads in another way is not proven', async () => {
  const tiff = await makeTiff({ compression: 'none' });
  // Its orientation becomes the order of the bits within a byte, which the second decoder ignores.
  const at = entryOf(tiff, 274).at;
  const reversed = tiff.slice();
  reversed.set(concat(uint16(266, true), uint16(3, true), uint32(1, true), uint32(2, true)), at);
  const detail = 'two decoders disagree about its pixels';
  expect(await judge(sortedDirectory(reversed))).toEqual({ is: 'unproven', detail });
});

/** The entries of the first directory in the order of their tags. */
function sortedDirectory(tiff: Uint8Array): Uint8Array {
  const view = new DataView(tiff.buffer, tiff.byteOffset);
  const from = view.getUint32(4, true) + 2;
  const entries = Array.from({ length: view.getUint16(from - 2, true) }, (_, index) =>
    tiff.slice(from + index * 12, from + index * 12 + 12),
  );
  const sorted = entries.sort((one, other) => one[0]! + one[1]! * 256 - other[0]! - other[1]! * 256);
  return concat(tiff.subarray(0, from), ...sorted, tiff.subarray(from + entries.length * 12));
}

describe('a TIFF is damaged', () => {
  test('where a strip is not within the file', async () => {
    const tiff = await makeTiff({ compression: 'lzw' });
    const moved = withTag(tiff, TAG.stripOffsets, tiff.length - 10);
    expect(await judge(moved)).toMatchObject({
      is: 'damaged',
      detail: expect.stringMatching(/^Expected strip or tile 1 of \d+ up to byte \d+ but the file has \d+ in page 1$/),
    });
  });

  test('where a strip that is not compressed is too short', async () => {
    const tiff = await makeTiff({ compression: 'none' });
    expect(await judge(withTag(tiff, TAG.stripLengths, 100))).toMatchObject({
      is: 'damaged',
      detail: expect.stringMatching(/^Expected \d+ bytes in strip or tile 1 of \d+ but found 100/),
    });
  });

  test('where there are fewer strips than rows need', async () => {
    const tiff = await makeTiff({ compression: 'lzw' });
    expect(await judge(withTag(tiff, TAG.rowsPerStrip, 1))).toMatchObject({
      is: 'damaged',
      detail: expect.stringContaining('Expected the offsets of 70 strips or tiles but found'),
    });
  });

  test('where both decoders refuse its codes', async () => {
    const tiff = await makeTiff({ compression: 'lzw' });
    const [at] = [new DataView(tiff.buffer).getUint32(entryOf(tiff, TAG.stripOffsets).valueAt, true)];
    expect(await judge(tiff.slice().fill(0xff, at + 20, at + 400))).toMatchObject({ is: 'damaged' });
  });

  test('where its pages are a circle, or end outside the file', async () => {
    const tiff = await makeTiff({ compression: 'lzw' });
    const { nextAt, at } = readDirectory(readTiff(tiff)!, readTiff(tiff)!.first)!;
    const leadingTo = (offset: number) => {
      const copy = tiff.slice();
      copy.set(uint32(offset, true), nextAt);
      return judge(copy);
    };
    expect(await leadingTo(at)).toEqual({
      is: 'damaged',
      detail: `Expected the end of the pages but page 1 leads back to byte ${at}`,
    });
    expect(await leadingTo(tiff.length - 1)).toMatchObject({
      is: 'damaged',
      detail: expect.stringContaining('page 2'),
    });
  });
});

describe('each page of a TIFF is judged', () => {
  const pages = async (options: TiffOptions) => {
    const raw = { width: 40, height: 90, channels: 3, pageHeight: 30 } as const;
    return new Uint8Array(await sharp(photoPixels(40, 90), { raw }).tiff(options).toBuffer());
  };
  const third = (tiff: Uint8Array, tag: number) => {
    const parsed = readTiff(tiff)!;
    const at = nextDirectory(parsed, nextDirectory(parsed, parsed.first)!)!;
    return readDirectory(parsed, at)!.entries.get(tag)!.valueAt;
  };

  test('and the third may be damaged', async () => {
    const tiff = await pages({ compression: 'lzw' });
    expect(inspectImage(new ImageFile(tiff))).toMatchObject({ pages: 3 });
    expect(await judge(tiff)).toEqual({ is: 'whole' });
    const at = new DataView(tiff.buffer).getUint32(third(tiff, TAG.stripOffsets), true);
    expect(await judge(tiff.slice().fill(0xff, at + 20, at + 200))).toMatchObject({
      is: expect.stringMatching(/damaged|unproven/),
      detail: expect.stringMatching(/in page 3$/),
    });
  });

  test('and the third may be too large to be decoded', async () => {
    const tiff = await pages({ compression: 'none' });
    tiff.set(uint16(10_000, true), third(tiff, 256));
    expect((await judge(tiff)).is).toMatch(/damaged|unproven/);
  });
});

test('JPEG that is sampled otherwise than its tags say is not proven', async () => {
  const tiff = await makeTiff({ compression: 'jpeg', quality: 95, tile: true, tileWidth: 32, tileHeight: 32 });
  expect(await judge(tiff)).toEqual({ is: 'whole' });
  const frame = Buffer.from(tiff).indexOf(Buffer.from([0xff, 0xc0, 0, 17]));
  expect(frame).toBeGreaterThan(0);
  const detail = 'its JPEG is not sampled as its tags say';
  expect(await judge(tiff.with(frame + 11, 0x41))).toEqual({ is: 'unproven', detail });
});

test('a strip that is left out proves nothing', async () => {
  const tiff = await makeTiff({ compression: 'lzw' });
  expect(await judge(withTag(tiff, TAG.stripLengths, 0))).toMatchObject({ is: 'unproven' });
  expect(await judge(withTag(tiff, TAG.compression, 6))).toMatchObject({ is: 'unproven' });
});
