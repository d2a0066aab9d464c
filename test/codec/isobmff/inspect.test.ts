import { describe, expect, it, test } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { withIsoMetadata } from '../../../src/codec/isobmff/insert-metadata.ts';
import { makeAvif, makeOddAvif } from '../../support/fixtures/avif.ts';
import { inspected } from '../../support/image-facts.ts';

describe('inspectImage on AVIF', () => {
  it('reports colours other than sRGB', async () => {
    const avif = await makeAvif();
    const withCode = (primaries: number, transfer: number) => {
      const icc = Uint8Array.of(0, primaries, 0, transfer, 0, 6, 0x80);
      const changed = Buffer.from(withIsoMetadata(avif, { icc, orientation: 1 }));
      changed.write('nclx', changed.indexOf('colrprof') + 4, 'latin1');
      return inspectImage(new ImageFile(changed))?.ownColours;
    };
    expect([withCode(1, 13), withCode(1, 1), withCode(2, 2)]).toEqual([undefined, undefined, undefined]);
    // Display P3, and the curve of HDR10.
    expect([withCode(12, 13), withCode(9, 16)]).toEqual([true, true]);
  });

  it('reads depth, transparency and sampling', async () => {
    expect(await inspected(makeAvif())).toMatchObject({
      format: 'avif',
      width: 96,
      height: 64,
      bitsPerChannel: 8,
      chromaSubsampling: '4:4:4',
      alpha: false,
      orientation: 1,
    });
    expect(await inspected(makeAvif({ alpha: true }))).toMatchObject({ alpha: true, channels: 4 });
  });

  test.each([
    ['a second picture', { multiPicture: true }],
    ['a depth map', { multiPicture: true }],
    ['a thumbnail', { multiPicture: false, trailingBytes: 0 }],
    ['the video of a motion photo', { trailingBytes: 508 }],
    ['a trailer in no box', { trailingBytes: 21 }],
    ['a part to be shown', { cropped: true }],
  ] as const)('finds %s', async (oddity, facts) => {
    expect(await inspected(makeOddAvif(oddity))).toMatchObject({ width: 96, height: 64, ...facts });
  });
});
