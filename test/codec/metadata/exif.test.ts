import { describe, expect, it, test } from 'vitest';
import { sameBytes, textAt } from '../../../src/codec/bytes.ts';
import {
  buildExif,
  readCredits,
  readOrientation,
  withOrientation,
  withoutExifPrefix,
} from '../../../src/codec/metadata/exif.ts';
import { readDirectory, readTiff, textOf } from '../../../src/codec/metadata/tiff-directory.ts';
import { ascii, concat, uint16, uint32 } from '../../support/fixtures/bytes.ts';
import { mutated } from '../../support/fixtures/damage.ts';
import { exifBlock } from '../../support/fixtures/metadata.ts';

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('utf8').split('\0')[0];

describe.each(['II', 'MM'] as const)('EXIF in byte order %s', (byteOrder) => {
  const makerNote = ascii('offsets in here must stay true');

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('is turned to orientation %i in place', (orientation) => {
    const exif = exifBlock({ byteOrder, orientation: 6, makerNote, gps: true });
    const turned = withOrientation(exif, orientation);
    expect(readOrientation(turned)).toBe(orientation);
    expect(turned.length).toBe(exif.length);
    expect(Buffer.from(turned).indexOf('offsets in here')).toBe(Buffer.from(exif).indexOf('offsets in here'));
  });

  test.each([
    ['BYTE', 1],
    ['SHORT', 3],
    ['LONG', 4],
    ['SBYTE', 6],
    ['SSHORT', 8],
    ['SLONG', 9],
  ])('has its orientation in a %s, too, as some cameras write it', (_name, type) => {
    const little = byteOrder === 'II';
    const exif = Buffer.from(exifBlock({ byteOrder, orientation: 6 }));
    const at = exif.indexOf(concat(uint16(0x0112, little), uint16(3, little)));
    const length = { 1: 1, 6: 1, 3: 2, 8: 2 }[type] ?? 4;
    const value = little ? [6, 0, 0, 0] : [6, 0, 0, 0].map((_, index) => (index === length - 1 ? 6 : 0));
    exif.set(concat(uint16(type, little), uint32(1, little), value), at + 2);
    expect(readOrientation(exif)).toBe(6);
    expect(readOrientation(withOrientation(exif, 8))).toBe(8);
    expect(withOrientation(exif, 6)).toBe(exif);
  });

  it('is not touched when nothing changes', () => {
    const exif = exifBlock({ byteOrder, orientation: 6, thumbnail: ascii('thumb') });
    expect(withOrientation(exif, 6)).toBe(exif);
    const plain = exifBlock({ byteOrder });
    expect(withOrientation(plain, 1)).toBe(plain);
  });

  it('lets go of the thumbnail when the orientation changes', () => {
    const exif = exifBlock({ byteOrder, orientation: 6, thumbnail: ascii('thumbnail') });
    const tiff = readTiff(withOrientation(exif, 1))!;
    expect(readDirectory(tiff, tiff.first)?.next).toBe(0);
    expect(readDirectory(readTiff(exif)!, tiff.first)?.next).toBeGreaterThan(0);
  });

  it('gets an orientation where it had none, and everything else keeps its place', () => {
    const exif = exifBlock({ byteOrder, artist: 'Ann Artist', make: 'Maker', makerNote });
    const turned = withOrientation(exif, 8);
    expect(readOrientation(turned)).toBe(8);
    expect(sameBytes(turned.subarray(8, exif.length), exif.subarray(8))).toBe(true);
    const tiff = readTiff(turned)!;
    const { entries } = readDirectory(tiff, tiff.first)!;
    expect([...entries.keys()]).toEqual([...entries.keys()].sort((one, other) => one - other));
    expect(textOf(tiff, entries.get(0x010f))).toBe('Maker');
    expect(text(readCredits(turned).artist)).toBe('Ann Artist');
  });

  it('gives its credits and nothing else', () => {
    const exif = exifBlock({ byteOrder, artist: 'Ann', copyright: 'hers', make: 'Maker', gps: true });
    const credits = readCredits(exif);
    expect([text(credits.artist), text(credits.copyright)]).toEqual(['Ann', 'hers']);
    const rebuilt = buildExif({ ...credits, orientation: 3 });
    expect(readOrientation(rebuilt)).toBe(3);
    expect(text(readCredits(rebuilt).copyright)).toBe('hers');
    expect(Buffer.from(rebuilt).includes('Maker')).toBe(false);
  });

  it('is rebuilt unchanged when it holds nothing else', () => {
    const exif = buildExif({ orientation: 6, artist: ascii('Ann'), littleEndian: byteOrder === 'II' });
    expect(textAt(exif, 0, 2)).toBe(byteOrder);
    expect(buildExif({ ...readCredits(exif), orientation: 6 })).toEqual(exif);
  });
});

it('gives its credits also as UTF-8, which EXIF 3 has a type for', () => {
  const copyright = '© 2024 Müller';
  const exif = exifBlock({ copyright: Buffer.from(copyright, 'utf8').toString('latin1') });
  const utf8 = Buffer.from(exif);
  utf8[utf8.indexOf(Buffer.from([0x82, 0x98, 0, 2])) + 3] = 129;
  const rebuilt = buildExif(readCredits(utf8));
  expect(text(readCredits(rebuilt).copyright)).toBe(copyright);
});

describe('EXIF that cannot be read', () => {
  it('has no orientation and is carried as it is', () => {
    for (const bytes of [ascii(''), ascii('II'), ascii('no TIFF at all'), ascii('MM\0*\xff\xff\xff\xff')]) {
      expect(readOrientation(bytes)).toBe(1);
      expect(withOrientation(bytes, 1)).toBe(bytes);
    }
  });

  it('is replaced where an orientation has to be stored', () => {
    expect(readOrientation(withOrientation(ascii('no TIFF at all'), 6))).toBe(6);
  });

  it('never makes a reader throw', () => {
    const exif = exifBlock({ orientation: 6, artist: 'Ann', gps: true, thumbnail: ascii('thumb') });
    for (let round = 0; round < 500; round++) {
      const damaged = mutated(exif, round);
      expect(readOrientation(withOrientation(damaged, 5))).toBe(5);
      readCredits(damaged);
    }
  });
});

it('knows EXIF with the prefix of JPEG before it', () => {
  const exif = exifBlock({ orientation: 6 });
  expect(sameBytes(withoutExifPrefix(concat(ascii('Exif\0\0'), exif)), exif)).toBe(true);
  expect(withoutExifPrefix(exif)).toBe(exif);
});
