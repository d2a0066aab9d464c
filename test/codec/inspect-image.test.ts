import sharp from 'sharp';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { CorruptImageError, inspectImage, sniffFormat } from '../../src/codec/inspect-image.ts';
import { withIsoMetadata } from '../../src/codec/isobmff/insert-metadata.ts';
import type { ImageFacts } from '../../src/core/recipe.ts';
import * as make from '../support/fixtures.ts';

const { ascii, concat, uint16, uint32 } = make;

describe('sniffFormat', () => {
  test.each<[name: string, bytes: Uint8Array, format: string | undefined]>([
    ['JPEG', concat([0xff, 0xd8, 0xff, 0xe0]), 'jpeg'],
    ['PNG', make.PNG_SIGNATURE, 'png'],
    ['GIF', ascii('GIF89a'), 'gif'],
    ['WebP', ascii('RIFF\x04\0\0\0WEBPVP8 '), 'webp'],
    ['little-endian TIFF', ascii('II*\0'), 'tiff'],
    ['big-endian TIFF', ascii('MM\0*'), 'tiff'],
    ['BigTIFF', ascii('II+\0\x08\0\0\0'), 'tiff'],
    ['AVIF', concat(uint32(20), ascii('ftypavif'), uint32(0), ascii('mif1')), 'avif'],
    ['AVIF under the brand mif1', concat(uint32(20), ascii('ftypmif1'), uint32(0), ascii('avif')), 'avif'],
    ['HEIC', concat(uint32(20), ascii('ftypheic'), uint32(0), ascii('mif1')), 'heif'],
    ['an MP4 film', concat(uint32(20), ascii('ftypisom'), uint32(0), ascii('mp42')), undefined],
    ['JPEG XL as a stream', concat([0xff, 0x0a]), 'jxl'],
    ['JPEG XL in boxes', ascii('\0\0\0\x0cJXL \r\n\x87\n'), 'jxl'],
    ['JPEG 2000', ascii('\0\0\0\x0cjP  \r\n\x87\n'), 'jp2'],
    ['JPEG 2000 as a stream', concat([0xff, 0x4f, 0xff, 0x51]), 'jp2'],
    ['BMP', concat(ascii('BM'), new Uint8Array(12), uint32(40, true), new Uint8Array(20)), 'bmp'],
    ['text that begins with BM', ascii('BMW is a maker of cars and motorcycles'), undefined],
    ['Photoshop', ascii('8BPS\0\x01'), 'psd'],
    ['an icon', concat([0, 0, 1, 0, 1, 0, 16, 16, 0, 0], new Uint8Array(14)), 'ico'],
    ['PPM', ascii('P6\n# a comment\n4 4\n255\n'), 'pnm'],
    ['PAM', ascii('P7\nWIDTH 4\n'), 'pnm'],
    ['QOI', ascii('qoif\0\0\0\x04'), 'qoi'],
    ['SVG', ascii('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'svg'],
    ['SVG after a prologue', ascii('<?xml version="1.0"?>\n<!-- <b> --><!DOCTYPE svg>\n<svg/>'), 'svg'],
    ['HTML that holds a drawing', ascii('<!doctype html><html><svg></svg></html>'), undefined],
    ['plain text', ascii('no picture'), undefined],
    ['nothing', new Uint8Array(), undefined],
  ])('recognises %s', (_, bytes, format) => {
    expect(sniffFormat(bytes)).toBe(format);
  });

  it('goes by the bytes, not by the name (R20)', async () => {
    expect(sniffFormat(await make.makeWebp())).toBe('webp');
    expect(inspectImage(ascii('<html>png</html>'))).toBeUndefined();
  });
});

async function factsOf(bytes: Uint8Array | Promise<Uint8Array>): Promise<ImageFacts> {
  return inspectImage(await bytes)!;
}

describe('inspectImage on JPEG', () => {
  it('reads size, colours, sampling and quality', async () => {
    expect(await factsOf(make.makeJpeg({ quality: 60 }))).toEqual({
      format: 'jpeg',
      width: 96,
      height: 64,
      pages: 1,
      channels: 3,
      bitsPerChannel: 8,
      colour: 'rgb',
      alpha: false,
      icc: false,
      orientation: 1,
      progressive: false,
      sourceQuality: 60,
      chromaSubsampling: '4:2:0',
      lossless: false,
      gainMap: false,
      multiPicture: false,
      contentCredentials: false,
      trailingBytes: 0,
    });
  });

  it('distinguishes grey, CMYK (R06), 4:4:4 and progressive (R17)', async () => {
    expect(await factsOf(make.makeJpeg({ colourspace: 'b-w' }))).toMatchObject({
      colour: 'grey',
      channels: 1,
    });
    expect(await factsOf(make.makeJpeg({ colourspace: 'cmyk' }))).toMatchObject({
      colour: 'cmyk',
      channels: 4,
    });
    expect(await factsOf(make.makeJpeg({ chromaSubsampling: '4:4:4' }))).toMatchObject({
      chromaSubsampling: '4:4:4',
    });
    expect(await factsOf(make.makeJpeg({ progressive: true }))).toMatchObject({ progressive: true });
  });

  test.each(['II', 'MM'] as const)('reads the orientation of EXIF in byte order %s', async (byteOrder) => {
    for (const orientation of [1, 3, 6, 8]) {
      const jpeg = make.withSegments(await make.makeJpeg(), [make.exifSegment({ byteOrder, orientation })]);
      expect(inspectImage(jpeg)).toMatchObject({ orientation });
    }
  });

  it('takes an invalid orientation for none', async () => {
    const jpeg = make.withSegments(await make.makeJpeg(), [make.exifSegment({ orientation: 9 })]);
    expect(inspectImage(jpeg)).toMatchObject({ orientation: 1 });
  });

  it('sees an ICC profile of several segments (R04)', async () => {
    const icc = await make.iccProfile(150_000);
    expect(inspectImage(make.withSegments(await make.makeJpeg(), make.iccSegments(icc)))?.icc).toBe(true);
  });

  it('finds gain maps in every way they are written (R12)', async () => {
    for (const kind of ['hdrgm', 'iso', 'apple'] as const) {
      expect(await factsOf(make.makeGainMapJpeg(kind))).toMatchObject({
        gainMap: true,
        multiPicture: true,
        trailingBytes: 0,
      });
    }
  });

  it('distinguishes previews from pictures, and sees whether anything but the index points at them', async () => {
    expect(await factsOf(make.makeJpegWithPreview())).toMatchObject({
      multiPicture: true,
      trailingParts: { isPointedAt: false, isMetadata: true },
      trailingBytes: 0,
    });
    // Sony's maker notes point at the picture's own header, 130 bytes into it.
    for (const pointer of [0, -32, 130]) {
      expect(await factsOf(make.makeJpegWithPreview(pointer))).toMatchObject({
        trailingParts: { isPointedAt: true, isMetadata: true },
      });
    }
    const preview = await make.makeJpegWithPreview();
    const damaged = Buffer.from(preview);
    damaged[damaged.lastIndexOf(Buffer.from([0xff, 0xd8]))] = 0;
    for (const file of [damaged, preview.slice(0, -1), make.withTrailingBytes(preview, 9)]) {
      expect(inspectImage(file)?.trailingParts).toBeUndefined();
    }
  });

  it('knows what phones store after a picture, alone and after its previews', async () => {
    const notes = { isPointedAt: false, isMetadata: true };
    const film = { isPointedAt: false, isMetadata: false };
    const photo = await make.makeJpeg({ width: 600, height: 450 });
    const preview = await make.makeJpegWithPreview();
    const gainMap = await make.makeGainMapJpeg();
    const trailers = [
      [make.samsungSef(), notes],
      [make.makeMotionVideo(), film],
      [make.concat(make.makeMotionVideo(), make.samsungSef()), film],
      [make.samsungSef([[0x0a30, 'MotionPhoto_Data', make.makeMotionVideo()]]), film],
    ] as const;
    for (const [trailer, trailingParts] of trailers) {
      expect(inspectImage(make.concat(photo, trailer))).toMatchObject({ trailingParts, trailingBytes: 0 });
      expect(inspectImage(make.concat(preview, trailer))).toMatchObject({
        trailingParts,
        multiPicture: true,
        trailingBytes: 0,
      });
      const withMap = inspectImage(make.concat(gainMap, trailer));
      expect(withMap).toMatchObject({ gainMap: true, trailingBytes: 0 });
      expect(withMap?.trailingParts).toBeUndefined();
      const stereo = inspectImage(make.concat(await make.makeMpo(), trailer));
      expect(stereo).toMatchObject({ multiPicture: true, trailingBytes: 0 });
      expect(stereo?.trailingParts).toBeUndefined();
      expect(inspectImage(make.concat(photo, trailer, [7]))).toMatchObject({
        trailingBytes: trailer.length + 1,
      });
    }
  });

  it('sees the second picture of an MPO', async () => {
    expect(await factsOf(make.makeMpo())).toMatchObject({
      gainMap: false,
      multiPicture: true,
      trailingParts: undefined,
      trailingBytes: 0,
    });
  });

  it('sees content credentials', async () => {
    const jpeg = make.withSegments(await make.makeJpeg(), [make.c2paSegment()]);
    expect(inspectImage(jpeg)).toMatchObject({ contentCredentials: true });
  });

  it('counts what follows the end, but not padding', async () => {
    const jpeg = await make.makeJpeg();
    expect(inspectImage(make.withTrailingBytes(jpeg, 500))?.trailingBytes).toBe(500);
    expect(inspectImage(make.withTrailingBytes(jpeg, new Uint8Array(500)))?.trailingBytes).toBe(0);
    expect(inspectImage(make.withTrailingBytes(await make.makeMpo(), 500))?.trailingBytes).toBe(500);
  });

  it('is not led astray by a JPEG inside a segment', async () => {
    const thumbnail = await make.makeJpeg({ width: 16, height: 16 });
    const jpeg = make.withSegments(await make.makeJpeg(), [make.exifSegment({ thumbnail })]);
    expect(inspectImage(jpeg)).toMatchObject({ width: 96, height: 64, trailingBytes: 0 });
  });

  it('reads over restart markers and fill bytes', () => {
    const jpeg = make.makeRestartJpeg();
    const filled = concat(jpeg.subarray(0, 2), [0xff, 0xff], jpeg.subarray(2));
    expect(inspectImage(filled)).toMatchObject({ width: 48, height: 32, colour: 'grey', trailingBytes: 0 });
  });

  it('names the byte where a header breaks off', async () => {
    const jpeg = await make.makeJpeg();
    expect(() => inspectImage(jpeg.slice(0, 100))).toThrow(CorruptImageError);
    expect(() => inspectImage(concat([0xff, 0xd8, 0xff, 0xd9]))).toThrow(/no frame header \(SOF\) at byte 4/);
  });
});

describe('inspectImage on PNG', () => {
  test.each([
    [
      { colourType: 0, bitDepth: 1 },
      { colour: 'grey', channels: 1, bitsPerChannel: 1, alpha: false },
    ],
    [
      { colourType: 0, bitDepth: 16 },
      { colour: 'grey', channels: 1, bitsPerChannel: 16, alpha: false },
    ],
    [
      { colourType: 2, bitDepth: 8 },
      { colour: 'rgb', channels: 3, bitsPerChannel: 8, alpha: false },
    ],
    [
      { colourType: 3, bitDepth: 4 },
      { colour: 'palette', channels: 3, bitsPerChannel: 4, alpha: false },
    ],
    [
      { colourType: 4, bitDepth: 8 },
      { colour: 'grey', channels: 2, bitsPerChannel: 8, alpha: true },
    ],
    [
      { colourType: 6, bitDepth: 16 },
      { colour: 'rgb', channels: 4, bitsPerChannel: 16, alpha: true },
    ],
  ] as const)('tells %j (R09, R10)', (options, expected) => {
    expect(inspectImage(make.makePng(options))).toMatchObject({
      width: 64,
      height: 48,
      pages: 1,
      ...expected,
    });
  });

  it('takes tRNS for transparency', () => {
    const chunks = [make.pngChunk('tRNS', concat(uint16(0), uint16(0), uint16(0)))];
    expect(inspectImage(make.makePng({ chunks }))).toMatchObject({ alpha: true, channels: 4 });
  });

  it('counts the frames of an APNG (R08)', () => {
    expect(inspectImage(make.makeApng(5))).toMatchObject({ pages: 5 });
  });

  it('sees orientation, profile and content credentials', async () => {
    const chunks = [make.pngIcc(await make.iccProfile()), make.pngExif({ orientation: 8 }), make.pngC2pa()];
    expect(inspectImage(make.makePng({ chunks }))).toMatchObject({
      orientation: 8,
      icc: true,
      contentCredentials: true,
    });
  });

  it('counts what follows IEND', () => {
    expect(inspectImage(make.withTrailingBytes(make.makePng(), 77))?.trailingBytes).toBe(77);
  });

  it('sees when only PNG can say what its colours mean', async () => {
    const withChunks = (...chunks: Uint8Array[]) => inspectImage(make.makePng({ chunks }))?.ownColours;
    expect(withChunks()).toBeUndefined();
    expect(withChunks(make.pngGamma(45455), make.pngChromaticities())).toBeUndefined();
    expect(withChunks(make.pngGamma(100_000))).toBe(true);
    expect(withChunks(make.pngGamma(100_000), make.pngIcc(await make.iccProfile()))).toBeUndefined();
    expect(withChunks(make.pngChunk('cICP', Uint8Array.of(9, 16, 0, 1)))).toBe(true);
  });

  it('names what is wrong with a header', () => {
    const broken = make.makePng();
    broken[24] = 3;
    expect(() => inspectImage(broken)).toThrow(/colour type 2 with 3 bits at byte 24/);
    expect(() => inspectImage(make.PNG_SIGNATURE)).toThrow(CorruptImageError);
    expect(() => inspectImage(make.makePng({ width: 0 }))).toThrow(/width or height of 0/);
  });
});

test('sees that the colours of a JPEG come in scans of their own', async () => {
  const jpeg = Buffer.from(await make.makeJpeg());
  expect(inspectImage(jpeg)?.separateScans).toBeUndefined();
  jpeg[jpeg.indexOf(Buffer.from([0xff, 0xda])) + 4] = 1;
  expect(inspectImage(new Uint8Array(jpeg))?.separateScans).toBe(true);
});

describe('inspectImage on other formats', () => {
  it('counts the frames of animated GIF and WebP (R07)', async () => {
    expect(await factsOf(make.makeAnimation('gif', 4))).toMatchObject({
      format: 'gif',
      pages: 4,
      height: 24,
    });
    expect(await factsOf(make.makeAnimation('webp', 4))).toMatchObject({
      format: 'webp',
      pages: 4,
      height: 24,
    });
  });

  it('distinguishes lossy from lossless WebP and sees transparency', async () => {
    expect(await factsOf(make.makeWebp())).toMatchObject({
      lossless: false,
      alpha: false,
      width: 96,
      height: 64,
    });
    expect(await factsOf(make.makeWebp({ lossless: true }))).toMatchObject({ lossless: true, width: 96 });
    expect(await factsOf(make.makeWebp({ alpha: true }))).toMatchObject({ alpha: true, channels: 4 });
    expect(await factsOf(make.makeWebp({ alpha: true, lossless: true }))).toMatchObject({ alpha: true });
  });

  it('recognises an AVIF whose colours are not sRGB’s', async () => {
    const avif = await make.makeAvif();
    const withCode = (primaries: number, transfer: number) => {
      const icc = Uint8Array.of(0, primaries, 0, transfer, 0, 6, 0x80);
      const changed = Buffer.from(withIsoMetadata(avif, { icc, orientation: 1 }));
      changed.write('nclx', changed.indexOf('colrprof') + 4, 'latin1');
      return inspectImage(changed)?.ownColours;
    };
    expect([withCode(1, 13), withCode(1, 1), withCode(2, 2)]).toEqual([undefined, undefined, undefined]);
    // Display P3, and the curve of HDR10.
    expect([withCode(12, 13), withCode(9, 16)]).toEqual([true, true]);
  });

  it('reads depth, transparency and sampling of AVIF', async () => {
    expect(await factsOf(make.makeAvif())).toMatchObject({
      format: 'avif',
      width: 96,
      height: 64,
      bitsPerChannel: 8,
      chromaSubsampling: '4:4:4',
      alpha: false,
      orientation: 1,
    });
    expect(await factsOf(make.makeAvif({ alpha: true }))).toMatchObject({ alpha: true, channels: 4 });
  });

  test.each([
    ['a second picture', { multiPicture: true }],
    ['a depth map', { multiPicture: true }],
    ['a thumbnail', { multiPicture: false, trailingBytes: 0 }],
    ['the video of a motion photo', { trailingBytes: 508 }],
    ['a trailer in no box', { trailingBytes: 21 }],
    ['a part to be shown', { cropped: true }],
  ] as const)('sees %s in an AVIF', async (oddity, facts) => {
    expect(await factsOf(make.makeOddAvif(oddity))).toMatchObject({ width: 96, height: 64, ...facts });
  });

  it('sees that a WebP is transparent though its header denies it', async () => {
    const webp = await make.makeWebp({ alpha: true });
    expect(inspectImage(webp)?.undeclaredAlpha).toBeUndefined();
    webp[20]! &= ~0x10;
    expect(inspectImage(webp)).toMatchObject({ undeclaredAlpha: true });
  });

  it('counts the still picture of an APNG that is none of its frames', () => {
    expect(inspectImage(make.makeApng(1))?.pages).toBe(1);
    expect(inspectImage(make.makeApngAfterStill())?.pages).toBe(2);
  });

  it('takes a sample of unknown meaning in a TIFF for none of a known colour', async () => {
    const rgba = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#f00' } })
      .tiff({ compression: 'none' })
      .toBuffer();
    const tiff = new Uint8Array(rgba);
    expect(inspectImage(tiff)).toMatchObject({ alpha: true, colour: 'rgb' });
    // ExtraSamples, one SHORT: 0 says nothing of what it is.
    const entry = rgba.indexOf(Buffer.from([0x52, 0x01, 3, 0, 1, 0, 0, 0]));
    tiff.set([0, 0], entry + 8);
    expect(inspectImage(tiff)).toMatchObject({ alpha: false, colour: 'other' });
  });

  it('reads the colours and pages of TIFF', async () => {
    expect(await factsOf(make.makeTiff())).toMatchObject({
      format: 'tiff',
      colour: 'rgb',
      width: 64,
      height: 48,
    });
    expect(await factsOf(make.makeTiff('cmyk'))).toMatchObject({ colour: 'cmyk', channels: 4 });
    expect(await factsOf(make.makeTiff('lab'))).toMatchObject({ colour: 'lab' });
  });

  it('sees content credentials in TIFF and GIF', async () => {
    const store = make.c2paSegment().payload.subarray(8);
    const tiff = make.withTiffTags(await make.makeTiff(), [make.tiffBytes(52545, store)]);
    const blocks = concat([store.length], store, [0]);
    const gif = make.withGifApplication(await make.makeAnimation('gif'), 'C2PA_GIF\x01\0\0', blocks);
    for (const file of [tiff, gif]) expect(await factsOf(file)).toMatchObject({ contentCredentials: true });
  });

  it('agrees with libvips on size, channels and depth', async () => {
    const files = [
      await make.makeJpeg(),
      await make.makeJpeg({ colourspace: 'cmyk' }),
      make.makePng({ colourType: 6, bitDepth: 16 }),
      await make.makeWebp({ alpha: true }),
      await make.makeAvif({ alpha: true }),
      await make.makeTiff('cmyk'),
    ];
    for (const bytes of files) {
      const { width, height, channels, hasAlpha } = await sharp(bytes).metadata();
      expect(inspectImage(bytes)).toMatchObject({ width, height, channels, alpha: hasAlpha });
    }
  });
});

describe('inspectImage on hostile bytes', () => {
  const seeds: Uint8Array[] = [];
  beforeAll(async () => {
    const icc = await make.iccProfile(70_000);
    const exif = make.exifSegment({ orientation: 6, gps: true, thumbnail: make.makeRestartJpeg() });
    seeds.push(
      make.withSegments(await make.makeJpeg(), [exif, ...make.iccSegments(icc)]),
      await make.makeGainMapJpeg(),
      make.makePng({ chunks: [make.pngIcc(icc), make.pngExif({ orientation: 3 })] }),
      make.makeApng(),
      await make.makeAnimation('gif'),
      await make.makeAnimation('webp'),
      await make.makeAvif({ alpha: true }),
      await make.makeTiff(),
    );
  });

  it('answers with facts or CorruptImageError, and at once', () => {
    for (const seed of seeds) {
      for (let round = 0; round < 300; round++) {
        const bytes = make.mutated(seed, round);
        const started = performance.now();
        try {
          inspectImage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptImageError);
        }
        expect(performance.now() - started).toBeLessThan(1000);
      }
    }
  });

  it('does not follow a directory that names itself', () => {
    const entry = concat(uint16(256), uint16(4), uint32(1), uint32(5));
    const second = concat(uint16(257), uint16(4), uint32(1), uint32(5));
    const tiff = concat(ascii('MM\0*'), uint32(8), uint16(2), entry, second, uint32(8));
    expect(inspectImage(tiff)).toMatchObject({ pages: 1, width: 5 });
  });
});
