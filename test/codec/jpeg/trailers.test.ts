import { describe, expect, test } from 'vitest';
import { readTrailer } from '../../../src/codec/jpeg/trailers.ts';
import { ascii, concat, uint32 } from '../../support/fixtures/bytes.ts';
import { makeMotionVideo, samsungSef } from '../../support/fixtures/jpeg-parts.ts';

describe('readTrailer', () => {
  test('distinguishes metadata from what can be looked at or listened to', () => {
    const note = [0x0910, 'Front_Cam_Selfie_Info', ascii('Front_Cam_Selfie_Info')] as const;
    expect(readTrailer(samsungSef())).toEqual({ isMetadata: true });
    expect(readTrailer(samsungSef([note]))).toEqual({ isMetadata: true });
    expect(readTrailer(concat(new Uint8Array(9), samsungSef()))).toEqual({ isMetadata: true });
    expect(readTrailer(concat(samsungSef(), ascii('\r\n\0')))).toEqual({ isMetadata: true });
    const content = { isMetadata: false };
    for (const padding of ['\n', '\0'.repeat(40), ' '.repeat(40)])
      expect(readTrailer(concat(makeMotionVideo(), ascii(padding)))).toEqual(content);
    expect(readTrailer(makeMotionVideo())).toEqual(content);
    expect(readTrailer(concat(makeMotionVideo(), samsungSef()))).toEqual(content);
    // A last box of size 0 reaches to the end of the file.
    expect(readTrailer(concat(makeMotionVideo(), uint32(0), ascii('mdat'), new Uint8Array(50)))).toEqual(content);
    expect(readTrailer(samsungSef([note, [0x0100, 'SoundShot_000', ascii('la')]]))).toEqual(content);
    expect(readTrailer(samsungSef([[0x0001, 'Depth_Info', new Uint8Array(70_000)]]))).toEqual(content);
  });

  test('accepts only what it has read to the last byte', () => {
    const [video, sef] = [makeMotionVideo(), samsungSef()];
    const unknown = [
      new Uint8Array(),
      new Uint8Array(1000),
      ascii('an unknown trailer, of some length here'),
      concat(video, [1]),
      video.subarray(0, -1),
      video.subarray(8),
      concat(sef, [7]),
      concat([1], sef),
      sef.subarray(1),
      concat(ascii('sound'), sef.subarray(0, -4), ascii('SEFT')),
      // The old directory of sounds, which holds their offsets in the file.
      concat(sef, ascii('QDIO'), uint32(101, true), uint32(20, true), ascii('QDIOBS')),
      samsungSef([]),
    ];
    for (const bytes of unknown) expect([bytes, readTrailer(bytes)]).toEqual([bytes, undefined]);
  });

  test('reads nothing beyond its bytes, whatever a directory says', () => {
    const notes = samsungSef();
    for (let at = 0; at < notes.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = notes.slice();
        damaged[at] = value;
        expect(() => readTrailer(damaged)).not.toThrow();
        expect(() => readTrailer(damaged.subarray(at))).not.toThrow();
      }
    }
  });
});
