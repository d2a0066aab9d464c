import sharp from 'sharp';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { CorruptImageError } from '../../src/codec/corrupt-image-error.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage, sniffFormat } from '../../src/codec/inspect-image.ts';
import { withinCpuSecond } from '../support/cpu-limit.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { ascii, concat, uint32 } from '../support/fixtures/bytes.ts';
import { mutated } from '../support/fixtures/damage.ts';
import { makeAnimation, makeWebp } from '../support/fixtures/gif-and-webp.ts';
import { exifSegment, iccSegments, makeJpeg, makeRestartJpeg, withSegments } from '../support/fixtures/jpeg.ts';
import { makeGainMapJpeg } from '../support/fixtures/jpeg-parts.ts';
import { iccProfile } from '../support/fixtures/metadata.ts';
import { makeApng, makePng, PNG_SIGNATURE, pngExif, pngIcc } from '../support/fixtures/png.ts';
import { makeTiff } from '../support/fixtures/tiff.ts';

describe('sniffFormat', () => {
  test.each<[name: string, bytes: Uint8Array, format: string | undefined]>([
    ['JPEG', concat([0xff, 0xd8, 0xff, 0xe0]), 'jpeg'],
    ['PNG', PNG_SIGNATURE, 'png'],
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
    expect(sniffFormat(await makeWebp())).toBe('webp');
    expect(inspectImage(new ImageFile(ascii('<html>png</html>')))).toBeUndefined();
  });
});

test('inspectImage agrees with libvips on size, channels and depth', async () => {
  const files = [
    await makeJpeg(),
    await makeJpeg({ colourspace: 'cmyk' }),
    makePng({ colourType: 6, bitDepth: 16 }),
    await makeWebp({ alpha: true }),
    await makeAvif({ alpha: true }),
    await makeTiff('cmyk'),
  ];
  for (const bytes of files) {
    const { width, height, channels, hasAlpha } = await sharp(bytes).metadata();
    expect(inspectImage(new ImageFile(bytes))).toMatchObject({ width, height, channels, alpha: hasAlpha });
  }
});

describe('inspectImage on hostile bytes', () => {
  const seeds: Uint8Array[] = [];
  beforeAll(async () => {
    const icc = await iccProfile(70_000);
    const exif = exifSegment({ orientation: 6, gps: true, thumbnail: makeRestartJpeg() });
    seeds.push(
      withSegments(await makeJpeg(), [exif, ...iccSegments(icc)]),
      await makeGainMapJpeg(),
      makePng({ chunks: [pngIcc(icc), pngExif({ orientation: 3 })] }),
      makeApng(),
      await makeAnimation('gif'),
      await makeAnimation('webp'),
      await makeAvif({ alpha: true }),
      await makeTiff(),
    );
  });

  it('answers with facts or CorruptImageError, and at once', () => {
    for (const seed of seeds) {
      for (let round = 0; round < 300; round++) {
        const bytes = mutated(seed, round);
        withinCpuSecond(() => {
          try {
            inspectImage(new ImageFile(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(CorruptImageError);
          }
        });
      }
    }
  });
});
