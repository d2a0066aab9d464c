import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sameBytes } from '../../src/codec/bytes.ts';
import { inspectImage } from '../../src/codec/inspect-image.ts';
import { readIsoImage } from '../../src/codec/isobmff/image.ts';
import { findScanFault } from '../../src/codec/jpeg/faults.ts';
import { readPng, writePng } from '../../src/codec/png/chunks.ts';
import { chunksOfCopy } from '../../src/codec/png/metadata.ts';
import { readMetadata } from '../../src/codec/read-metadata.ts';
import {
  ascii,
  concat,
  LARGE_THUMBNAIL,
  makeAnimation,
  makeApng,
  makeJpeg,
  makePng,
  PNG_SIGNATURE,
  pngChunk,
  pngText,
  uint16,
  uint32,
  withMultiPicture,
  withSegments,
} from '../support/fixtures.ts';

/** Small files made to exhaust a host: what they count up to must cost nothing before it is there. */

describe('AVIF', () => {
  it('reads an extent that takes no bytes once, however often it is counted', () => {
    const rows = Array.from({ length: 20 }, (_, index) => isoExtents(index + 2, 65_535));
    const { locations } = readIsoImage(makeIso({ iloc: [[0, 0], uint16(rows.length), ...rows, [0]] }));
    expect(locations.map(({ extents }) => extents.length)).toEqual(rows.map(() => 1));
  });

  it('is corrupt where it has more extents than any picture', () => {
    const rows = [2, 3].map((id) => concat(isoExtents(id, 65_535), new Uint8Array(65_535)));
    const bytes = makeIso({ iloc: [[0x01, 0], uint16(rows.length), ...rows] });
    expect(() => readIsoImage(bytes)).toThrow(/more than 65536 extents/);
  });

  it('takes the properties of one item together without copying them again and again', () => {
    const row = concat(uint16(1), [255], new Uint8Array(255).fill(1));
    const bytes = makeIso({ ipma: [uint32(3000), ...Array.from({ length: 3000 }, () => row)] });
    expect(atOnce(() => readIsoImage(bytes)).primary.properties.length).toBeLessThan(66_000);
  });

  it('asks each auxiliary item once what it is', () => {
    const ids = Array.from({ length: 30_000 }, (_, index) => index + 1);
    const bytes = makeIso({
      items: ids.map(isoItem),
      iref: ids.map((id) => isoBox('auxl', uint16(id), uint16(1), uint16(1))),
    });
    expect(atOnce(() => inspectImage(bytes))).toMatchObject({ alpha: false, width: 64 });
  });
});

describe('PNG', () => {
  const spaces = (count: number) => deflateSync(new Uint8Array(count).fill(32), { level: 9 });
  const compressedText = (keyword: string, value: Uint8Array) =>
    pngChunk('zTXt', concat(ascii(keyword), [0, 0], value));

  it('inflates no text but credits', () => {
    const author = compressedText('Author', deflateSync('Ann Onymous'));
    const bomb = spaces(15_000_000);
    const comments = Array.from({ length: 100 }, () => compressedText('Comment', bomb));
    const png = makePng({ chunks: [...comments, author] });
    const { xmp } = atOnce(() => readMetadata('png', png));
    expect(Buffer.from(xmp!).toString()).toMatch('Ann Onymous');
    const target = { colourType: 2, bitDepth: 8 };
    const carried = atOnce(() => chunksOfCopy(readPng(png), target, 'copyright', 1))!;
    expect(carried.before).toHaveLength(1);
  });

  it('takes no text for credits that inflates to more than a page', () => {
    const png = makePng({ chunks: [compressedText('Copyright', spaces(1_000_000))] });
    expect(readMetadata('png', png).xmp).toBeUndefined();
  });

  it('is written with as many chunks as it came with, in the time they take', () => {
    const text = pngText('Comment', 'x');
    const png = makePng({ chunks: [concat(...Array.from({ length: 36_000 }, () => text))] });
    const target = { colourType: 2, bitDepth: 8 };
    const { before } = atOnce(() => chunksOfCopy(readPng(png), target, 'keep', 1))!;
    expect(sameBytes(writePng(before), concat(PNG_SIGNATURE, ...before.map(() => text)))).toBe(true);
  });

  it('is corrupt where a frame lies outside the picture', () => {
    const apng = Buffer.from(makeApng(3, 40, 30));
    expect(inspectImage(apng)).toMatchObject({ pages: 3 });
    const last = apng.lastIndexOf('fcTL') + 4;
    for (const [at, value] of Object.entries({ 4: 6000, 8: 6000, 12: 30, 16: 1 })) {
      const hostile = Buffer.from(apng);
      hostile.writeUInt32BE(value, last + Number(at));
      expect(() => inspectImage(hostile)).toThrow(/a frame outside the picture at byte/);
    }
  });

  it('has as many pages as there are frames, whatever it says', () => {
    const apng = Buffer.from(makeApng(3, 40, 30));
    apng.writeUInt32BE(1, apng.indexOf('acTL') + 4);
    expect(inspectImage(apng)).toMatchObject({ pages: 3 });
  });

  it('inflates one packet of XMP, however many there are', () => {
    const bomb = concat(ascii('XML:com.adobe.xmp'), [0, 1, 0, 0, 0], spaces(3_900_000));
    const packets = Array.from({ length: 400 }, () => pngChunk('iTXt', bomb));
    const png = readPng(makePng({ chunks: packets }));
    const carried = atOnce(() => chunksOfCopy(png, { colourType: 2, bitDepth: 8 }, 'keep', 1))!;
    expect(carried.before).toHaveLength(packets.length);
  });
});

describe('GIF', () => {
  it('is as large as the decoder makes it for a first frame beyond the screen', async () => {
    const gif = Buffer.from(await makeAnimation('gif', 3, 120, 90));
    const frameAt = gif.indexOf(concat([0x2c], uint16(0), uint16(0), uint16(120, true), uint16(90, true)));
    for (const [at, value] of Object.entries({ 6: 64, 8: 60, [frameAt + 1]: 30, [frameAt + 7]: 9000 })) {
      const hostile = Buffer.from(gif);
      hostile.writeUInt16LE(value, Number(at));
      const { width, pageHeight } = await sharp(hostile, { animated: true }).metadata();
      expect(inspectImage(hostile)).toMatchObject({ width, height: pageHeight, pages: 3 });
    }
  });
});

describe('JPEG', () => {
  it('reads the bytes after a picture once, however many pictures its index names', async () => {
    const jpeg = makeCrowdedMpo(await makeJpeg(), 1000);
    expect(atOnce(() => inspectImage(jpeg))).toMatchObject({ multiPicture: true, gainMap: false });
  });

  it('does not search maker notes of any size for the offset of a preview', async () => {
    const notes = Array.from({ length: 2000 }, () => ({ marker: 0xe5, payload: new Uint8Array(65_000) }));
    const preview = await makeJpeg();
    const jpeg = withMultiPicture(withSegments(await makeJpeg(), notes), preview, LARGE_THUMBNAIL);
    expect(atOnce(() => inspectImage(jpeg))).toMatchObject({ trailingParts: { isPointedAt: true } });
  });
});

describe('the codes of a JPEG', () => {
  it('are no picture in more scans than any encoder writes', () => {
    expect(findScanFault(makeManyScans(100))).toBeUndefined();
    expect(findScanFault(makeManyScans(101))).toMatch('at most 100 scans');
  });

  it('of a huge picture cost nothing where none of its blocks has any', () => {
    const jpeg = makeEmptyScans(90, 32_760);
    const memoryBefore = process.memoryUsage().rss;
    expect(atOnce(() => findScanFault(jpeg))).toBeUndefined();
    expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(100e6);
  });

  it('do not keep the tables of all other pictures from being remembered', () => {
    expect(findScanFault(makeManyTables(100, 1))).toBeUndefined();
    const plain = makeManyTables(1, 101);
    atOnce(() => {
      for (let time = 0; time < 5000; time++) findScanFault(plain);
    });
  });

  it('are not cut at restart markers beyond the last block', async () => {
    const jpeg = await makeJpeg();
    const markers = Buffer.alloc(6_000_000, concat([0xff, 0xd0]));
    const crowded = concat(jpeg.subarray(0, -2), markers, [0xff, 0xd9]);
    const memoryBefore = process.memoryUsage().rss;
    expect(atOnce(() => findScanFault(crowded))).toMatch('more coded data');
    expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(100e6);
  });

  it('are no picture after a second frame header, whose size no estimate includes', () => {
    const jpeg = Buffer.from(makeManyScans(1));
    const frameAt = jpeg.indexOf(Buffer.from([0xff, 0xc2]));
    const frame = jpeg.subarray(frameAt, frameAt + 13);
    const second = concat(jpeg.subarray(0, frameAt), frame, jpeg.subarray(frameAt));
    expect(findScanFault(second)).toMatch('a second');
  });
});

describe('TIFF', () => {
  it('counts pages that overlap without reading each, and stops', () => {
    expect(atOnce(() => inspectImage(makeOverlappingTiff(300)))).toMatchObject({ pages: 301 });
    expect(atOnce(() => inspectImage(makeOverlappingTiff(3000)))).toMatchObject({ pages: 1000 });
  });
});

/** In one second of CPU: far more than it takes, and far less than where the work grows with the square of the parts. */
function atOnce<T>(act: () => T): T {
  const started = process.threadCpuUsage();
  const answer = act();
  const { user, system } = process.threadCpuUsage(started);
  expect((user + system) / 1e6).toBeLessThan(1);
  return answer;
}

interface IsoParts {
  readonly items?: readonly Uint8Array[];
  readonly iref?: readonly Uint8Array[];
  /** Behind version and flags. */
  readonly ipma?: readonly (Uint8Array | readonly number[])[];
  /** Behind version and flags. */
  readonly iloc?: readonly (Uint8Array | readonly number[])[];
}

/** An AVIF header of 64 × 64 without any picture in it. */
function makeIso({ items = [isoItem(1)], iref = [], ipma = ONE_PROPERTY, iloc = [] }: IsoParts): Uint8Array {
  const size = isoBox('ispe', uint32(0), uint32(64), uint32(64));
  return concat(
    isoBox('ftyp', ascii('avif'), uint32(0), ascii('avif')),
    isoBox(
      'meta',
      uint32(0),
      isoBox('pitm', uint32(0), uint16(1)),
      isoBox('iinf', uint32(0), uint16(items.length), ...items),
      isoBox('iprp', isoBox('ipco', size), isoBox('ipma', uint32(0), ...ipma)),
      isoBox('iref', uint32(0), ...iref),
      isoBox('iloc', uint32(0), ...iloc),
    ),
  );
}

/** Of item 1: its size. */
const ONE_PROPERTY = [uint32(1), uint16(1), [1, 0x81]];

function isoItem(id: number): Uint8Array {
  return isoBox('infe', [2, 0, 0, 0], uint16(id), uint16(0), ascii('av01'), [0]);
}

/** The head of a row in `iloc`: item, data reference, number of extents. */
function isoExtents(id: number, count: number): Uint8Array {
  return concat(uint16(id), uint16(0), uint16(count));
}

function isoBox(type: string, ...content: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = concat(...content);
  return concat(uint32(whole.length + 8), ascii(type), whole);
}

/** A directory of 65,535 entries begins at every twelfth byte, and the next one is told where its entries end. */
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

/** Each picture that the index names begins a little later in the same bytes, and goes on to their end. */
function makeCrowdedMpo(jpeg: Uint8Array, pictures: number): Uint8Array {
  const starts = Buffer.alloc(6 * pictures, concat([0xff, 0xd8, 0xff, 0xda], uint16(2)));
  const behind = concat(starts, Buffer.alloc(300_000, concat([0xff, 0])));
  const head = concat(ascii('MM\0*'), uint32(8), uint16(1), uint16(0xb002), uint16(7));
  const indexLength = head.length + 12 + 16 * pictures;
  const firstAt = indexLength + jpeg.length - headerLengthOf(jpeg);
  const entries = Array.from({ length: pictures }, (_, index) =>
    concat(uint32(0), uint32(behind.length - 6 * index), uint32(firstAt + 6 * index), uint32(0)),
  );
  const index = concat(head, uint32(16 * pictures), uint32(26), uint32(0), ...entries);
  return concat(withSegments(jpeg, [{ marker: 0xe2, payload: concat(ascii('MPF\0'), index) }]), behind);
}

/** Where `withSegments` puts them. */
function headerLengthOf(jpeg: Uint8Array): number {
  return jpeg[3] === 0xe0 ? 4 + ((jpeg[4]! << 8) | jpeg[5]!) : 2;
}

/** A progressive JPEG of one black block: a scan for each coefficient, and then again for its last bit. */
function makeManyScans(scans: number): Uint8Array {
  // One code of one bit: no difference (DC), nothing more in the block (AC).
  const table = (id: number) => concat([id, 1], new Uint8Array(15), [0]);
  const coefficient = (scan: number) => ((scan - 1) % 63) + 1;
  const others = Array.from({ length: scans - 1 }, (_, index) => index + 1).map((scan) =>
    scanOf([1, 1, 0, coefficient(scan), coefficient(scan), scan <= 63 ? 0x01 : 0x10], [0x7f]),
  );
  return concat(
    [0xff, 0xd8],
    segment(0xdb, [0, ...new Uint8Array(64).fill(1)]),
    segment(0xc2, [8, 0, 8, 0, 8, 1, 1, 0x11, 0]),
    segment(0xc4, concat(table(0), table(0x10))),
    scanOf([1, 1, 0, 0, 0, 0], [0x7f]),
    ...others,
    [0xff, 0xd9],
  );
}

/** A progressive JPEG of one component whose scans, every second one to refine the others, say that there is nothing. */
function makeEmptyScans(scans: number, side: number): Uint8Array {
  // One code of one bit for a run of 16,384 empty blocks and more: fourteen bits of 0 tell how many more.
  const runs = Math.ceil((side / 8) ** 2 / 16_384);
  const codes = new Uint8Array((15 * runs) / 8);
  return concat(
    [0xff, 0xd8],
    segment(0xc2, concat([8], uint16(side), uint16(side), [1, 1, 0x11, 0])),
    segment(0xc4, concat([0x10, 1], new Uint8Array(15), [0xe0])),
    ...Array.from({ length: scans }, (_, scan) => scanOf([1, 1, 0, 1, 63, scan % 2 ? 0x10 : 0x01], codes)),
    [0xff, 0xd9],
  );
}

/** A baseline JPEG of one black block that comes again and again, with tables of its own each time. */
function makeManyTables(scans: number, first: number): Uint8Array {
  // A code of one bit for what is used, and another one that never is.
  const table = (id: number, unused: number) => [id, 1, 1, ...new Uint8Array(14), 0, unused];
  const again = Array.from({ length: scans }, (_, scan) => [
    segment(0xc4, [...table(0, first + scan), ...table(0x10, first + scan)]),
    scanOf([1, 1, 0, 0, 63, 0], [0x3f]),
  ]);
  return concat(
    [0xff, 0xd8],
    segment(0xdb, [0, ...new Uint8Array(64).fill(1)]),
    segment(0xc0, [8, 0, 8, 0, 8, 1, 1, 0x11, 0]),
    ...again.flat(),
    [0xff, 0xd9],
  );
}

function scanOf(header: readonly number[], codes: Uint8Array | readonly number[]): Uint8Array {
  return concat(segment(0xda, header), codes);
}

function segment(marker: number, payload: Uint8Array | readonly number[]): Uint8Array {
  return concat([0xff, marker], uint16(payload.length + 2), payload);
}
