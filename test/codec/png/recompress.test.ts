import { readFile } from 'node:fs/promises';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { describe, expect, it, test } from 'vitest';
import { sameBytes } from '../../../src/codec/bytes.ts';
import { CorruptImageError } from '../../../src/codec/corrupt-image-error.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { findChunk, readPng } from '../../../src/codec/png/chunks.ts';
import { apngFrames } from '../../../src/codec/png/frames.ts';
import { readPngIcc } from '../../../src/codec/png/metadata-chunks.ts';
import { recompressPng } from '../../../src/codec/png/recompress.ts';
import { ascii, concat, uint16, uint32 } from '../../support/fixtures/bytes.ts';
import { mutated, truncated, withTrailingBytes } from '../../support/fixtures/damage.ts';
import { iccProfile, xmpPacket } from '../../support/fixtures/metadata.ts';
import {
  makeApng,
  makePng,
  PNG_SIGNATURE,
  type PngOptions,
  pngChromaticities,
  pngChunk,
  pngExif,
  pngGamma,
  pngIcc,
  pngText,
  pngXmp,
} from '../../support/fixtures/png.ts';

/** Pixels by a decoder in plain JavaScript, and in full depth by libvips. */
async function expectSamePixels(one: Uint8Array, other: Uint8Array): Promise<void> {
  const [left, right] = [PNG.sync.read(Buffer.from(one)), PNG.sync.read(Buffer.from(other))];
  expect([right.width, right.height]).toEqual([left.width, left.height]);
  expect(left.data.equals(right.data)).toBe(true);
  const deep = inspectImage(new ImageFile(one))!.bitsPerChannel === 16;
  const raw = (bytes: Uint8Array) =>
    sharp(bytes, { ignoreIcc: true })
      .toColourspace(deep ? 'rgb16' : 'srgb')
      .ensureAlpha()
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer();
  expect((await raw(one)).equals(await raw(other))).toBe(true);
}

function payloadOf(png: Uint8Array, type: string): number[] | undefined {
  const payload = findChunk(readPng(png), type)?.payload;
  return payload && [...payload];
}

/** Rows of one byte a sample, made by a rule. */
function rows(width: number, height: number, samples: number, rule: (x: number, y: number) => number[]): Uint8Array {
  const bytes = new Uint8Array(height * (1 + width * samples));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) bytes.set(rule(x, y), y * (1 + width * samples) + 1 + x * samples);
  }
  return bytes;
}

const grey = rows(64, 48, 3, (x, y) => [x ^ y, x ^ y, x ^ y]);
const fewColours = rows(64, 48, 3, (x, y) => [(x * y) % 5 === 0 ? 200 : 10, ((x ^ y) % 3) * 80, 7]);
const opaque = rows(64, 48, 4, (x, y) => [x * 3, y * 5, (x * y) & 255, 255]);

describe('recompressPng keeps pixels', () => {
  test.each<[PngOptions['colourType'], PngOptions['bitDepth']]>([
    [0, 1],
    [0, 2],
    [0, 4],
    [0, 8],
    [0, 16],
    [2, 8],
    [2, 16],
    [3, 1],
    [3, 2],
    [3, 4],
    [3, 8],
    [4, 8],
    [4, 16],
    [6, 8],
    [6, 16],
  ])('identical: colour type %i with %i bits', async (colourType, bitDepth) => {
    const source = makePng({ colourType, bitDepth });
    const result = await recompressPng(new ImageFile(source), 'keep');
    await expectSamePixels(source, result);
    expect(result.length).toBeLessThan(source.length);
  });

  it('identical: a transparent colour, also when the colour type changes', async () => {
    const transparent = pngChunk('tRNS', concat(uint16(5), uint16(5), uint16(5)));
    for (const pixels of [undefined, grey, fewColours]) {
      const source = makePng({ pixels, chunks: [transparent] });
      const result = await recompressPng(new ImageFile(source), 'keep');
      await expectSamePixels(source, result);
      if (pixels === grey) expect(inspectImage(new ImageFile(result))?.alpha).toBe(true);
    }
  });

  it('identical: colours under full transparency', async () => {
    const source = makePng({
      colourType: 6,
      pixels: rows(64, 48, 4, (x, y) => [x * 4, y * 5, 99, (x + y) % 2 ? 255 : 0]),
    });
    const result = await recompressPng(new ImageFile(source), 'keep');
    const rgba = (bytes: Uint8Array) => PNG.sync.read(Buffer.from(bytes)).data;
    expect(rgba(result).equals(rgba(source))).toBe(true);
  });

  it('identical: a real photograph', async () => {
    const source = new Uint8Array(await readFile('node_modules/baboon-image/baboon.png'));
    const result = await recompressPng(new ImageFile(source), 'keep');
    await expectSamePixels(source, result);
    expect(result.length).toBeLessThan(source.length);
  });

  it('keeps 16 bits, even where 8 would hold the same (R09)', async () => {
    const pixels = rows(64, 48, 2, (x, y) => [(x * y) & 255, (x * y) & 255]);
    const result = await recompressPng(new ImageFile(makePng({ colourType: 0, bitDepth: 16, pixels })), 'keep');
    expect(inspectImage(new ImageFile(result))).toMatchObject({ bitsPerChannel: 16, colour: 'grey' });
  });

  test.each([
    [{ colourType: 3, bitDepth: 4 }],
    [{ colourType: 3, bitDepth: 8, width: 8, height: 8 }],
    [{ colourType: 3, bitDepth: 1, width: 4, height: 4 }],
    [{ colourType: 0, bitDepth: 2 }],
  ] as const)('never inflates %j (R10)', async (options) => {
    const source = makePng(options);
    const result = await recompressPng(new ImageFile(source), 'keep');
    const bits = ({ header }: ReturnType<typeof readPng>) =>
      header.bitDepth * (header.colourType === 3 ? 1 : (header.colourType & 2) + 1);
    expect(bits(readPng(result))).toBeLessThanOrEqual(bits(readPng(source)));
  });
});

describe('recompressPng on animations (R08)', () => {
  it('keeps every frame, its place and its time', async () => {
    const source = makeApng(4);
    const result = await recompressPng(new ImageFile(source), 'keep');
    expect(result.length).toBeLessThan(source.length);
    const [before, after] = [apngFrames(source), apngFrames(result)];
    expect(after).toHaveLength(4);
    for (const [index, frame] of before.entries()) {
      expect(sameBytes(frame.control, after[index]!.control)).toBe(true);
      await expectSamePixels(frame.png, after[index]!.png);
    }
    expect(inspectImage(new ImageFile(result))?.pages).toBe(4);
    const numbers = readPng(result).chunks.filter(({ type }) => type === 'fcTL' || type === 'fdAT');
    expect(numbers.map(({ payload }) => payload[3])).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('keeps them under strip too', async () => {
    expect(inspectImage(new ImageFile(await recompressPng(new ImageFile(makeApng(3)), 'strip')))?.pages).toBe(3);
  });
});

describe('recompressPng under keep', () => {
  it('carries every ancillary chunk over (R04, R16)', async () => {
    const icc = await iccProfile(3000);
    const source = makePng({
      colourType: 6,
      chunks: [
        pngIcc(icc),
        pngGamma(50_000),
        pngChromaticities(),
        pngChunk('sBIT', Uint8Array.of(8, 8, 8, 8)),
        pngChunk('bKGD', concat(uint16(1), uint16(2), uint16(3))),
        pngChunk('pHYs', concat(uint32(2835), uint32(2835), [1])),
        pngText('Title', 'a title'),
        pngXmp(xmpPacket({ creator: 'Ann' })),
        pngChunk('prVt', ascii('private')),
      ],
      chunksAfter: [
        pngText('Comment', 'after the pixels'),
        pngExif({ orientation: 6, make: 'Cam' }),
        pngChunk('tIME', Uint8Array.of(7, 232, 5, 6, 7, 8, 9)),
      ],
    });
    const result = await recompressPng(new ImageFile(source), 'keep');
    await expectSamePixels(source, result);
    const metadataOf = (png: Uint8Array) =>
      readPng(png)
        .chunks.filter(({ type }) => !['IHDR', 'IDAT', 'IEND'].includes(type))
        .map(({ type, payload }) => `${type}:${Buffer.from(payload).toString('base64')}`);
    expect(metadataOf(result).sort()).toEqual(metadataOf(source).sort());
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6, icc: true });
    const types = readPng(result).chunks.map(({ type }) => type);
    expect(types.indexOf('iCCP')).toBeLessThan(types.indexOf('IDAT'));
    expect(types.indexOf('tIME')).toBeGreaterThan(types.indexOf('IDAT'));
  });

  test.each([
    ['cICP', 4],
    ['mDCV', 24],
    ['mDCv', 24],
    ['cLLI', 8],
    ['cLLi', 8],
  ])('writes %s before the palette', async (type, length) => {
    const chunks = [pngChunk(type, new Uint8Array(length))];
    const source = makePng({ colourType: 3, bitDepth: 4, chunks });
    const types = readPng(await recompressPng(new ImageFile(source), 'keep')).chunks.map((chunk) => chunk.type);
    expect(types).toEqual(['IHDR', type, 'PLTE', 'IDAT', 'IEND']);
  });

  it('leaves out a chunk of a wrong length, which others refuse', async () => {
    const source = makePng({ chunks: [pngChunk('pHYs', new Uint8Array(5)), pngChunk('tIME', new Uint8Array(7))] });
    const types = readPng(await recompressPng(new ImageFile(source), 'keep')).chunks.map(({ type }) => type);
    expect(types).toEqual(['IHDR', 'tIME', 'IDAT', 'IEND']);
  });

  it('rewrites background and significant bits where the colour type changes', async () => {
    const significant = pngChunk('sBIT', Uint8Array.of(8, 8, 8));
    const background = pngChunk('bKGD', concat(uint16(9), uint16(9), uint16(9)));
    const asGrey = await recompressPng(
      new ImageFile(makePng({ pixels: grey, chunks: [significant, background] })),
      'keep',
    );
    expect(readPng(asGrey).header.colourType).toBe(0);
    expect(payloadOf(asGrey, 'sBIT')).toEqual([8]);
    expect(payloadOf(asGrey, 'bKGD')).toEqual([0, 9]);
    const opaqueBits = pngChunk('sBIT', Uint8Array.of(5, 6, 5, 8));
    const asRgb = await recompressPng(
      new ImageFile(makePng({ colourType: 6, pixels: opaque, chunks: [opaqueBits] })),
      'keep',
    );
    expect(readPng(asRgb).header.colourType).toBe(2);
    expect(payloadOf(asRgb, 'sBIT')).toEqual([5, 6, 5]);
  });

  it('keeps the colour type where another could not express the background', async () => {
    const background = pngChunk('bKGD', concat(uint16(1), uint16(2), uint16(3)));
    const result = await recompressPng(new ImageFile(makePng({ pixels: grey, chunks: [background] })), 'keep');
    expect(readPng(result).header.colourType).toBe(2);
    expect(payloadOf(result, 'bKGD')).toEqual([0, 1, 0, 2, 0, 3]);
  });

  it('keeps a background that is an entry of the palette', async () => {
    const source = makePng({
      colourType: 3,
      bitDepth: 4,
      chunks: [pngChunk('bKGD', Uint8Array.of(11))],
    });
    const result = await recompressPng(new ImageFile(source), 'keep');
    const colourAt = (png: Uint8Array) => {
      const at = payloadOf(png, 'bKGD')![0]! * 3;
      return payloadOf(png, 'PLTE')!.slice(at, at + 3);
    };
    expect(colourAt(result)).toEqual(colourAt(source));
    await expectSamePixels(source, result);
  });

  it('leaves grey pixels with an RGB profile in RGB (R04)', async () => {
    const icc = await iccProfile();
    const result = await recompressPng(new ImageFile(makePng({ pixels: grey, chunks: [pngIcc(icc)] })), 'keep');
    expect(readPng(result).header.colourType & 2).toBe(2);
    expect(sameBytes(readPngIcc(readPng(result))!, icc)).toBe(true);
  });

  it('leaves grey with a profile grey, also where a palette would be smaller (R04, R10)', async () => {
    const pixels = rows(64, 48, 1, (x, y) => [((x * y) % 3) * 100 + 17]);
    const chunks = [pngIcc(await iccProfile())];
    const result = await recompressPng(new ImageFile(makePng({ colourType: 0, pixels, chunks })), 'keep');
    expect(readPng(result).header.colourType).toBe(0);
  });

  it("drops Apple's table of offsets, which would be wrong, and nothing else", async () => {
    const source = makePng({ chunks: [pngChunk('iDOT', new Uint8Array(28)), pngText('a', 'b')] });
    const types = readPng(await recompressPng(new ImageFile(source), 'keep')).chunks.map(({ type }) => type);
    expect(types).toEqual(['IHDR', 'tEXt', 'IDAT', 'IEND']);
  });

  it('returns a file with trailing data unchanged', async () => {
    const source = withTrailingBytes(makePng(), 40);
    expect(await recompressPng(new ImageFile(source), 'keep')).toBe(source);
  });

  it('returns a file unchanged whose unknown chunks depend on the pixels', async () => {
    for (const type of ['mkBF', 'CgBI']) {
      const source = makePng({ chunks: [pngChunk(type, new Uint8Array(20))] });
      expect(await recompressPng(new ImageFile(source), 'keep')).toBe(source);
    }
  });
});

describe('recompressPng under copyright and strip', () => {
  const source = () =>
    makePng({
      chunks: [
        pngGamma(),
        pngText('Author', 'Ann Author'),
        pngText('Comment', 'taken in Paris'),
        pngText('Raw profile type exif', 'GPSLatitude'),
        pngXmp(xmpPacket({ creator: 'Ann X', gps: true, orientation: 6 })),
      ],
      chunksAfter: [pngExif({ orientation: 6, artist: 'Ann E', gps: true, make: 'Cam 4711' })],
    });

  it('keeps credits and orientation, and no location (R15)', async () => {
    const result = await recompressPng(new ImageFile(source()), 'copyright');
    const text = Buffer.from(result).toString('latin1');
    for (const credit of ['Ann Author', 'Ann X', 'Ann E']) expect(text.includes(credit)).toBe(true);
    for (const secret of ['Paris', 'GPSLatitude', '48,51', '4711']) expect(text.includes(secret)).toBe(false);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6 });
    await expectSamePixels(source(), result);
  });

  it('keeps orientation and the meaning of colours only', async () => {
    const result = await recompressPng(new ImageFile(source()), 'strip');
    expect(readPng(result).chunks.map(({ type }) => type)).toEqual(['IHDR', 'gAMA', 'eXIf', 'IDAT', 'IEND']);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6 });
  });
});

describe('recompressPng on damaged files', () => {
  it('refuses a file without a header and one that is cut off', async () => {
    await expect(recompressPng(new ImageFile(PNG_SIGNATURE), 'keep')).rejects.toThrow(CorruptImageError);
    await expect(recompressPng(new ImageFile(truncated(makePng())), 'keep')).rejects.toThrow();
  });

  it('survives damage of every kind', async () => {
    const seed = makePng({ width: 24, height: 16, chunks: [pngText('a', 'b')] });
    for (let round = 0; round < 200; round++) {
      const result = await recompressPng(new ImageFile(mutated(seed, round)), 'copyright').catch(
        (error: unknown) => error,
      );
      if (!(result instanceof Error)) expect(() => readPng(result as Uint8Array)).not.toThrow();
    }
  });
});
