import { describe, expect, it, test } from 'vitest';
import { CorruptImageError } from '../../../src/codec/corrupt-image-error.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import * as make from '../../support/fixtures.ts';

const { concat, uint16 } = make;

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
    expect(inspectImage(make.makePng(options))).toMatchObject({
      width: 64,
      height: 48,
      pages: 1,
      ...expected,
    });
  });

  it('treats tRNS as transparency', () => {
    const chunks = [make.pngChunk('tRNS', concat(uint16(0), uint16(0), uint16(0)))];
    expect(inspectImage(make.makePng({ chunks }))).toMatchObject({ alpha: true, channels: 4 });
  });

  it('counts the frames of an APNG (R08)', () => {
    expect(inspectImage(make.makeApng(5))).toMatchObject({ pages: 5 });
  });

  it('finds orientation, profile and content credentials', async () => {
    const chunks = [make.pngIcc(await make.iccProfile()), make.pngExif({ orientation: 8 }), make.pngC2pa()];
    expect(inspectImage(make.makePng({ chunks }))).toMatchObject({
      orientation: 8,
      icc: true,
      contentCredentials: true,
    });
  });

  it('counts the bytes after IEND', () => {
    expect(inspectImage(make.withTrailingBytes(make.makePng(), 77))?.trailingBytes).toBe(77);
  });

  it('reports colours that only PNG can describe', async () => {
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

  it('counts the still picture of an APNG that is not one of its frames', () => {
    expect(inspectImage(make.makeApng(1))?.pages).toBe(1);
    expect(inspectImage(make.makeApngAfterStill())?.pages).toBe(2);
  });
});
