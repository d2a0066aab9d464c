import { describe, expect, it, test } from 'vitest';
import { CorruptImageError } from '../../../src/codec/corrupt-image-error.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { concat, uint16 } from '../../support/fixtures/bytes.ts';
import { withTrailingBytes } from '../../support/fixtures/damage.ts';
import { iccProfile } from '../../support/fixtures/metadata.ts';
import {
  makeApng,
  makeApngAfterStill,
  makePng,
  PNG_SIGNATURE,
  pngC2pa,
  pngChromaticities,
  pngChunk,
  pngExif,
  pngGamma,
  pngIcc,
} from '../../support/fixtures/png.ts';

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
  ] as const)('reads %j (R09, R10)', (options, expected) => {
    expect(inspectImage(new ImageFile(makePng(options)))).toMatchObject({
      width: 64,
      height: 48,
      pages: 1,
      ...expected,
    });
  });

  it('treats tRNS as transparency', () => {
    const chunks = [pngChunk('tRNS', concat(uint16(0), uint16(0), uint16(0)))];
    expect(inspectImage(new ImageFile(makePng({ chunks })))).toMatchObject({ alpha: true, channels: 4 });
  });

  it('counts the frames of an APNG (R08)', () => {
    expect(inspectImage(new ImageFile(makeApng(5)))).toMatchObject({ pages: 5 });
  });

  it('finds orientation, profile and content credentials', async () => {
    const chunks = [pngIcc(await iccProfile()), pngExif({ orientation: 8 }), pngC2pa()];
    expect(inspectImage(new ImageFile(makePng({ chunks })))).toMatchObject({
      orientation: 8,
      icc: true,
      contentCredentials: true,
    });
  });

  it('counts the bytes after IEND', () => {
    expect(inspectImage(new ImageFile(withTrailingBytes(makePng(), 77)))?.trailingBytes).toBe(77);
  });

  it('reports colours that only PNG can describe', async () => {
    const withChunks = (...chunks: Uint8Array[]) => inspectImage(new ImageFile(makePng({ chunks })))?.ownColours;
    expect(withChunks()).toBeUndefined();
    expect(withChunks(pngGamma(45455), pngChromaticities())).toBeUndefined();
    expect(withChunks(pngGamma(100_000))).toBe(true);
    expect(withChunks(pngGamma(100_000), pngIcc(await iccProfile()))).toBeUndefined();
    expect(withChunks(pngChunk('cICP', Uint8Array.of(9, 16, 0, 1)))).toBe(true);
  });

  it('names what is wrong with a header', () => {
    const broken = makePng();
    broken[24] = 3;
    expect(() => inspectImage(new ImageFile(broken))).toThrow(/colour type 2 with 3 bits at byte 24/);
    expect(() => inspectImage(new ImageFile(PNG_SIGNATURE))).toThrow(CorruptImageError);
    expect(() => inspectImage(new ImageFile(makePng({ width: 0 })))).toThrow(/width or height of 0/);
  });

  it('counts the still picture of an APNG that is not one of its frames', () => {
    expect(inspectImage(new ImageFile(makeApng(1)))?.pages).toBe(1);
    expect(inspectImage(new ImageFile(makeApngAfterStill()))?.pages).toBe(2);
  });
});
