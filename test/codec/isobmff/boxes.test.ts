import { describe, expect, test } from 'vitest';
import { sniffFormat } from '../../../src/codec/inspect-image.ts';
import { isIsoFile, readBoxes, readBrands } from '../../../src/codec/isobmff/boxes.ts';
import { ascii, concat, uint32 } from '../../support/fixtures/bytes.ts';
import { makeMotionVideo } from '../../support/fixtures/jpeg-parts.ts';

const box = (type: string, size: number, content: Uint8Array = new Uint8Array()) =>
  concat(uint32(size), ascii(type), content);

/** A box whose size is written in eight bytes. */
const longBox = (type: string, content: Uint8Array) =>
  concat(uint32(1), ascii(type), uint32(0), uint32(16 + content.length), content);

const brands = ascii('avif\0\0\0\0mif1miaf');

describe('readBoxes', () => {
  const read = (bytes: Uint8Array) => readBoxes(bytes, 0, bytes.length).map(({ type, from, end }) => [type, from, end]);

  test('knows sizes of eight bytes, sizes of 0, and types of sixteen more bytes', () => {
    expect(read(concat(longBox('free', new Uint8Array(5)), box('mdat', 0, new Uint8Array(9))))).toEqual([
      ['free', 16, 21],
      ['mdat', 29, 38],
    ]);
    expect(read(box('uuid', 30, new Uint8Array(22)))).toEqual([['uuid', 24, 30]]);
  });

  test.each([
    ['ends after its container', box('free', 9)],
    ['is smaller than its own head', box('free', 7)],
    ['has no place for its type', box('uuid', 12, new Uint8Array(4))],
    ['has no place for its size', concat(uint32(1), ascii('free'), uint32(0))],
  ])('stops at a box that %s', (_name, damaged) => {
    expect(read(concat(box('skip', 8), damaged))).toEqual([['skip', 8, 8]]);
  });
});

test('brands are read whichever way the size of ftyp is written', () => {
  for (const bytes of [box('ftyp', 24, brands), longBox('ftyp', brands), box('ftyp', 0, brands)]) {
    expect(readBrands(bytes)).toEqual(['avif', 'mif1', 'miaf']);
    expect(sniffFormat(bytes)).toBe('avif');
  }
});

describe('isIsoFile', () => {
  test('accepts a last box that reaches to the end of the file, whatever its size says', () => {
    const head = box('ftyp', 24, ascii('mp42\0\0\0\0mp42isom'));
    const media = new Uint8Array(40);
    expect(isIsoFile(makeMotionVideo())).toBe(true);
    expect(isIsoFile(concat(head, box('mdat', 48, media)))).toBe(true);
    expect(isIsoFile(concat(head, longBox('mdat', media)))).toBe(true);
    expect(isIsoFile(concat(head, box('mdat', 0, media)))).toBe(true);
  });

  test('accepts nothing else', () => {
    const video = makeMotionVideo();
    for (const bytes of [new Uint8Array(), video.subarray(1), video.slice(0, -1), concat(video, [7])])
      expect(isIsoFile(bytes)).toBe(false);
    expect(isIsoFile(concat(video, box('\x01\x02\x03\x04', 8)))).toBe(false);
  });
});
