import { describe, expect, it } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { judgeJpeg } from '../../../src/codec/jpeg/judge.ts';
import { readJpeg } from '../../../src/codec/jpeg/segments.ts';
import { walkScans } from '../../../src/codec/jpeg/walk-scans.ts';
import { withinCpuSecond } from '../../support/cpu-limit.ts';
import { ascii, concat, uint16, uint32 } from '../../support/fixtures/bytes.ts';
import { makeJpeg, withSegments } from '../../support/fixtures/jpeg.ts';
import { LARGE_THUMBNAIL, withMultiPicture } from '../../support/fixtures/jpeg-parts.ts';

function faultOf(jpeg: Uint8Array): string | undefined {
  const verdict = judgeJpeg(new ImageFile(jpeg));
  return verdict.is === 'whole' ? undefined : verdict.detail;
}

describe('a hostile JPEG', () => {
  it('reads the bytes after a picture once, however many pictures its index names', async () => {
    const jpeg = makeCrowdedMpo(await makeJpeg(), 1000);
    expect(withinCpuSecond(() => inspectImage(new ImageFile(jpeg)))).toMatchObject({
      multiPicture: true,
      gainMap: false,
    });
  });

  it('does not search maker notes of any size for the offset of a preview', async () => {
    const notes = Array.from({ length: 2000 }, () => ({ marker: 0xe5, payload: new Uint8Array(65_000) }));
    const preview = await makeJpeg();
    const jpeg = withMultiPicture(withSegments(await makeJpeg(), notes), preview, LARGE_THUMBNAIL);
    expect(withinCpuSecond(() => inspectImage(new ImageFile(jpeg)))).toMatchObject({
      trailingParts: { isPointedAt: true },
    });
  });
});

describe('the codes of a JPEG', () => {
  it('are no picture in more scans than any encoder writes', () => {
    expect(faultOf(makeManyScans(100))).toBeUndefined();
    expect(faultOf(makeManyScans(101))).toMatch('at most 100 scans');
  });

  it('of a huge picture cost nothing where none of its blocks has any', () => {
    const jpeg = makeEmptyScans(90, 32_760);
    const memoryBefore = process.memoryUsage().rss;
    expect(withinCpuSecond(() => walkScans(readJpeg(jpeg))).fault).toBeUndefined();
    expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(100e6);
  });

  it('are not cut at restart markers beyond the last block', async () => {
    const jpeg = await makeJpeg();
    const markers = Buffer.alloc(6_000_000, concat([0xff, 0xd0]));
    const crowded = concat(jpeg.subarray(0, -2), markers, [0xff, 0xd9]);
    const memoryBefore = process.memoryUsage().rss;
    expect(withinCpuSecond(() => faultOf(crowded))).toMatch('more coded data');
    expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(100e6);
  });

  it('are no picture after a second frame header, whose size no estimate includes', () => {
    const jpeg = Buffer.from(makeManyScans(1));
    const frameAt = jpeg.indexOf(Buffer.from([0xff, 0xc2]));
    const frame = jpeg.subarray(frameAt, frameAt + 13);
    const second = concat(jpeg.subarray(0, frameAt), frame, jpeg.subarray(frameAt));
    expect(faultOf(second)).toMatch('a second');
  });
});

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

function scanOf(header: readonly number[], codes: Uint8Array | readonly number[]): Uint8Array {
  return concat(segment(0xda, header), codes);
}

function segment(marker: number, payload: Uint8Array | readonly number[]): Uint8Array {
  return concat([0xff, marker], uint16(payload.length + 2), payload);
}
