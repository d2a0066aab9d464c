import { readFile } from 'node:fs/promises';
import jpegJs from 'jpeg-js';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { sameBytes } from '../../../src/codec/bytes.ts';
import { CorruptImageError } from '../../../src/codec/corrupt-image-error.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { joinExtendedXmp, joinIccSegments } from '../../../src/codec/jpeg/metadata.ts';
import { readPictureEntries } from '../../../src/codec/jpeg/multi-picture.ts';
import { recompressJpeg } from '../../../src/codec/jpeg/recompress.ts';
import { type Jpeg, readJpeg } from '../../../src/codec/jpeg/segments.ts';
import { ascii, concat, uint32 } from '../../support/fixtures/bytes.ts';
import { mutated, withTrailingBytes } from '../../support/fixtures/damage.ts';
import {
  commentSegment,
  exifSegment,
  extendedXmpSegments,
  iccSegments,
  iptcSegment,
  type JpegOptions,
  jfif,
  makeJpeg,
  makeRestartJpeg,
  withSegments,
  xmpSegment,
} from '../../support/fixtures/jpeg.ts';
import { makeGainMapJpeg, makeMpo } from '../../support/fixtures/jpeg-parts.ts';
import { iccProfile, xmpDescription, xmpPacket } from '../../support/fixtures/metadata.ts';

/** Pixels by a decoder that shares no code with the encoder, and by libvips. */
async function expectSamePixels(one: Uint8Array, other: Uint8Array): Promise<void> {
  const options = { useTArray: true as const, formatAsRGBA: false, tolerantDecoding: false };
  const [left, right] = [jpegJs.decode(one, options), jpegJs.decode(other, options)];
  expect([right.width, right.height]).toEqual([left.width, left.height]);
  expect(sameBytes(left.data, right.data)).toBe(true);
  const raw = (bytes: Uint8Array) => sharp(bytes, { failOn: 'warning', ignoreIcc: true }).raw().toBuffer();
  expect((await raw(one)).equals(await raw(other))).toBe(true);
}

function payloads(jpeg: Jpeg): string[] {
  return jpeg.segments
    .filter(({ kind }) => kind !== 'coding')
    .map(({ marker, payload }) => `${marker.toString(16)}:${Buffer.from(payload).toString('base64')}`);
}

const GUID = 'A1B2C3D4E5F60718293A4B5C6D7E8F90';
let rich: Uint8Array;

beforeAll(async () => {
  const xmp = xmpPacket({ orientation: 6, gps: true, creator: 'Ann', rights: 'hers', extended: GUID });
  rich = withSegments(await makeJpeg({ width: 200, height: 150 }), [
    jfif(300, 300),
    exifSegment({
      byteOrder: 'II',
      orientation: 6,
      artist: 'Ann Artist',
      copyright: '(c) Ann',
      gps: true,
      makerNote: ascii('a maker note with a serial number 4711'),
      thumbnail: makeRestartJpeg(),
    }),
    xmpSegment(xmp),
    ...extendedXmpSegments(xmpDescription('', '<a/>'.repeat(12_000)), GUID),
    ...iccSegments(await iccProfile(150_000)),
    iptcSegment({ byline: 'Ann', copyright: 'hers', city: 'Paris' }),
    commentSegment('a comment from Paris'),
    { marker: 0xe5, payload: ascii('something nobody knows') },
  ]);
});

describe('recompressJpeg keeps pixels', () => {
  test.each<[name: string, options: JpegOptions]>([
    ['4:2:0', {}],
    ['4:4:4', { chromaSubsampling: '4:4:4' }],
    ['progressive', { progressive: true }],
    ['grey', { colourspace: 'b-w' }],
    ['low quality', { quality: 10 }],
    ['an odd size', { width: 101, height: 37 }],
  ])('identical: %s', async (_, options) => {
    const source = await makeJpeg({ width: 200, height: 150, ...options });
    const result = await recompressJpeg(new ImageFile(source), 'keep');
    await expectSamePixels(source, result);
    expect(result.length).toBeLessThan(source.length);
  });

  it('identical: CMYK with its Adobe marker (R06)', async () => {
    const source = await makeJpeg({ width: 160, height: 120, colourspace: 'cmyk' });
    const result = await recompressJpeg(new ImageFile(source), 'keep');
    const raw = (bytes: Uint8Array) => sharp(bytes).pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer();
    expect((await raw(source)).equals(await raw(result))).toBe(true);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ colour: 'cmyk', channels: 4 });
    expect(payloads(readJpeg(result))).toEqual(payloads(readJpeg(source)));
  });

  it('identical: RGB that only its component ids or its Adobe marker show', async () => {
    const plain = await makeJpeg({ width: 160, height: 120, chromaSubsampling: '4:4:4' });
    const adobe = { marker: 0xee, payload: concat(ascii('Adobe'), [0, 100, 0, 0, 0, 0, 0]) };
    const source = withSegments(plain, [adobe]);
    const result = await recompressJpeg(new ImageFile(source), 'keep');
    await expectSamePixels(source, result);
    const asYcc = await sharp(plain).raw().toBuffer();
    expect((await sharp(result).raw().toBuffer()).equals(asYcc)).toBe(false);
  });

  it('identical: restart markers', async () => {
    const source = makeRestartJpeg();
    await expectSamePixels(source, await recompressJpeg(new ImageFile(source), 'keep'));
  });

  test.each(['dsc_09827.jpg', 'Bush-dog.jpg', 'DSCN0614_small.jpg'])('identical: the camera file %s', async (name) => {
    const source = new Uint8Array(await readFile(`node_modules/exif-js/example/${name}`));
    const result = await recompressJpeg(new ImageFile(source), 'keep');
    await expectSamePixels(source, result);
    expect(payloads(readJpeg(result))).toEqual(payloads(readJpeg(source)));
    expect(result.length).toBeLessThan(source.length);
  });
});

describe('recompressJpeg under keep', () => {
  it('carries every marker over, byte for byte and in order (R01, R04, R16)', async () => {
    const result = await recompressJpeg(new ImageFile(rich), 'keep');
    expect(payloads(readJpeg(result))).toEqual(payloads(readJpeg(rich)));
    await expectSamePixels(rich, result);
    expect(result.length).toBeLessThan(rich.length);
    const { orientation, icc, density, exif } = await sharp(result).metadata();
    expect({ orientation, icc: icc?.length, density }).toEqual({
      orientation: 6,
      icc: 150_000,
      density: 300,
    });
    expect(exif?.includes('a maker note')).toBe(true);
    expect(joinExtendedXmp(readJpeg(result))?.length).toBe(joinExtendedXmp(readJpeg(rich))?.length);
    expect(sameBytes(joinIccSegments(readJpeg(result))!, joinIccSegments(readJpeg(rich))!)).toBe(true);
  });

  it('adds no marker that the source did not have', async () => {
    const source = await makeJpeg({ width: 200, height: 150 });
    expect(payloads(readJpeg(await recompressJpeg(new ImageFile(source), 'keep')))).toEqual(payloads(readJpeg(source)));
  });

  test.each([
    'hdrgm',
    'iso',
    'apple',
  ] as const)('carries a gain map (%s) whole and its index true (R12)', async (kind) => {
    const source = await makeGainMapJpeg(kind);
    const result = await recompressJpeg(new ImageFile(source), 'keep');
    expect(result.length).toBeLessThan(source.length);
    const [before, after] = [readJpeg(source), readJpeg(result)];
    expect(sameBytes(source.subarray(before.end), result.subarray(after.end))).toBe(true);
    const index = Buffer.from(after.segments.find(({ kind: of }) => of === 'multi-picture')!.payload);
    const base = after.segments.find(({ kind: of }) => of === 'multi-picture')!.at + 8;
    const entries = 4 + 8 + 2 + 36 + 4;
    expect(index.readUInt32BE(entries + 4)).toBe(after.end);
    expect(base + index.readUInt32BE(entries + 16 + 8)).toBe(after.end);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ gainMap: true, multiPicture: true, trailingBytes: 0 });
    await expectSamePixels(source.subarray(0, before.end), result.subarray(0, after.end));
  });

  it('finds the second picture where the index says it is, not where the first ends by its length', async () => {
    const source = await makeGainMapJpeg();
    const entry = readPictureEntries(readJpeg(source))[0]!;
    // Google's camera writes the length of the first picture some bytes short.
    source.set(uint32(entry.length - 24), entry.at + 4);
    const result = await recompressJpeg(new ImageFile(source), 'keep');
    const [before, after] = [readJpeg(source), readJpeg(result)];
    expect(result.length).toBeLessThan(source.length);
    expect(sameBytes(source.subarray(before.end), result.subarray(after.end))).toBe(true);
    const [first, second] = readPictureEntries(after);
    expect([first?.length, second?.start]).toEqual([after.end, after.end]);
  });

  it('leaves alone what it cannot carry: MPO, unknown trailers, a gain map after a stale index', async () => {
    const gainMap = await makeGainMapJpeg();
    const files = [
      await makeMpo(),
      withTrailingBytes(await makeJpeg(), 300),
      withTrailingBytes(gainMap, 300),
      gainMap.slice(0, -20),
    ];
    for (const file of files) expect(await recompressJpeg(new ImageFile(file), 'keep')).toBe(file);
  });
});

describe('recompressJpeg under copyright and strip', () => {
  it('keeps credits, profile and orientation, and nothing of the place (R15)', async () => {
    const result = await recompressJpeg(new ImageFile(rich), 'copyright');
    await expectSamePixels(rich, result);
    const { orientation, icc, density, exif, xmpAsString } = await sharp(result).metadata();
    expect({ orientation, icc: icc?.length, density }).toEqual({
      orientation: 6,
      icc: 150_000,
      density: 300,
    });
    expect(exif?.toString('latin1')).toMatch(/Ann Artist.*\(c\) Ann/s);
    expect(xmpAsString).toMatch(/<dc:creator>.*Ann.*<dc:rights>.*hers/s);
    const text = Buffer.from(result).toString('latin1');
    expect(text.includes('8BIM')).toBe(true);
    const secrets = ['Paris', 'GPSLatitude', '48,51', 'serial number', 'nobody knows'];
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  });

  it('keeps profile and orientation only (R01, R04)', async () => {
    const result = await recompressJpeg(new ImageFile(rich), 'strip');
    await expectSamePixels(rich, result);
    expect(
      readJpeg(result)
        .segments.map(({ kind }) => kind)
        .filter((kind) => kind !== 'coding'),
    ).toEqual(['jfif', 'exif', 'icc', 'icc', 'icc']);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6, icc: true });
    expect(Buffer.from(result).includes('Ann Artist')).toBe(false);
  });

  it('never lets go of a gain map or a second picture', async () => {
    for (const file of [await makeGainMapJpeg(), await makeMpo()]) {
      expect(await recompressJpeg(new ImageFile(file), 'strip')).toBe(file);
    }
  });
});

describe('recompressJpeg on damaged files', () => {
  it('refuses an unreadable header by name', async () => {
    await expect(recompressJpeg(new ImageFile(rich.slice(0, 300)), 'keep')).rejects.toThrow(CorruptImageError);
  });

  it('survives damage of every kind', async () => {
    const seed = withSegments(await makeJpeg(), [exifSegment({ orientation: 6 })]);
    for (let round = 0; round < 200; round++) {
      const result = await recompressJpeg(new ImageFile(mutated(seed, round)), 'copyright').catch(
        (error: unknown) => error,
      );
      if (!(result instanceof Error)) expect(() => readJpeg(result as Uint8Array)).not.toThrow();
    }
  });
});
