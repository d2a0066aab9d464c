import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { withinCpuSecond } from '../../support/cpu-limit.ts';
import { ascii, concat, uint16, uint32 } from '../../support/fixtures/bytes.ts';
import { c2paSegment } from '../../support/fixtures/jpeg.ts';
import { makeTiff, tiffBytes, withTiffTags } from '../../support/fixtures/tiff.ts';
import { inspected } from '../../support/image-facts.ts';

describe('inspectImage on TIFF', () => {
  it('reports no known colour where a sample has no known meaning', async () => {
    const rgba = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#f00' } })
      .tiff({ compression: 'none' })
      .toBuffer();
    const tiff = new Uint8Array(rgba);
    expect(inspectImage(new ImageFile(tiff))).toMatchObject({ alpha: true, colour: 'rgb' });
    // ExtraSamples, one SHORT: 0 is unspecified.
    const entry = rgba.indexOf(Buffer.from([0x52, 0x01, 3, 0, 1, 0, 0, 0]));
    tiff.set([0, 0], entry + 8);
    expect(inspectImage(new ImageFile(tiff))).toMatchObject({ alpha: false, colour: 'other' });
  });

  it('reads the colours', async () => {
    expect(await inspected(makeTiff())).toMatchObject({
      format: 'tiff',
      colour: 'rgb',
      width: 64,
      height: 48,
    });
    expect(await inspected(makeTiff('cmyk'))).toMatchObject({ colour: 'cmyk', channels: 4 });
    expect(await inspected(makeTiff('lab'))).toMatchObject({ colour: 'lab' });
  });

  it('finds content credentials', async () => {
    const store = c2paSegment().payload.subarray(8);
    const tiff = withTiffTags(await makeTiff(), [tiffBytes(52545, store)]);
    expect(await inspected(tiff)).toMatchObject({ contentCredentials: true });
  });

  it('does not follow a directory that points to itself', () => {
    const entry = concat(uint16(256), uint16(4), uint32(1), uint32(5));
    const second = concat(uint16(257), uint16(4), uint32(1), uint32(5));
    const tiff = concat(ascii('MM\0*'), uint32(8), uint16(2), entry, second, uint32(8));
    expect(inspectImage(new ImageFile(tiff))).toMatchObject({ pages: 1, width: 5 });
  });

  it('counts overlapping pages without reading each of them, up to a limit', () => {
    expect(withinCpuSecond(() => inspectImage(new ImageFile(makeOverlappingTiff(300))))).toMatchObject({ pages: 301 });
    expect(withinCpuSecond(() => inspectImage(new ImageFile(makeOverlappingTiff(3000))))).toMatchObject({
      pages: 1000,
    });
  });
});

/** A directory of 65,535 entries begins at every twelfth byte, and the offset of the next one follows its entries. */
function makeOverlappingTiff(pages: number): Uint8Array {
  const entry = concat(uint16(256), uint16(3), uint32(1), uint16(64), [0, 0]);
  const entries = Buffer.alloc((65_535 + pages) * 12, entry);
  const tiff = Buffer.concat([concat(ascii('MM\0*'), uint32(8), [0, 0]), entries, new Uint8Array(8)]);
  tiff.writeUInt16BE(257, 10 + 12);
  for (let page = 0; page < pages; page++) {
    const at = 8 + 12 * page;
    tiff.writeUInt16BE(65_535, at);
    tiff.writeUInt32BE(at + 12, at + 2 + 12 * 65_535);
  }
  return tiff;
}
