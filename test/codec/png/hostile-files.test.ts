import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sameBytes } from '../../../src/codec/bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage, readMetadata } from '../../../src/codec/inspect-image.ts';
import { readPng, writePng } from '../../../src/codec/png/chunks.ts';
import { judgePng } from '../../../src/codec/png/judge.ts';
import { chunksOfCopy } from '../../../src/codec/png/metadata.ts';
import { withinCpuSecond } from '../../support/cpu-limit.ts';
import { ascii, concat } from '../../support/fixtures/bytes.ts';
import { makeApng, makePng, PNG_SIGNATURE, pngChunk, pngText } from '../../support/fixtures/png.ts';

describe('a hostile PNG', () => {
  const spaces = (count: number) => deflateSync(new Uint8Array(count).fill(32), { level: 9 });
  const compressedText = (keyword: string, value: Uint8Array) =>
    pngChunk('zTXt', concat(ascii(keyword), [0, 0], value));

  it('inflates only the credits', () => {
    const author = compressedText('Author', deflateSync('Ann Onymous'));
    const bomb = spaces(15_000_000);
    const comments = Array.from({ length: 100 }, () => compressedText('Comment', bomb));
    const png = makePng({ chunks: [...comments, author] });
    const { xmp } = withinCpuSecond(() => readMetadata({ format: 'png', file: new ImageFile(png) }));
    expect(Buffer.from(xmp!).toString()).toMatch('Ann Onymous');
    const target = { colourType: 2, bitDepth: 8 };
    const carried = withinCpuSecond(() => chunksOfCopy(readPng(png), target, 'copyright', 1))!;
    expect(carried.before).toHaveLength(1);
  });

  it('does not use a text as credits that inflates to more than a page', () => {
    const png = makePng({ chunks: [compressedText('Copyright', spaces(1_000_000))] });
    expect(readMetadata({ format: 'png', file: new ImageFile(png) }).xmp).toBeUndefined();
  });

  it('is written with any number of chunks in linear time', () => {
    const text = pngText('Comment', 'x');
    const png = makePng({ chunks: [concat(...Array.from({ length: 36_000 }, () => text))] });
    const target = { colourType: 2, bitDepth: 8 };
    const { before } = withinCpuSecond(() => chunksOfCopy(readPng(png), target, 'keep', 1))!;
    expect(sameBytes(writePng(before), concat(PNG_SIGNATURE, ...before.map(() => text)))).toBe(true);
  });

  it('is not proven where a frame is outside the picture', async () => {
    const apng = Buffer.from(makeApng(3, 40, 30));
    expect(inspectImage(new ImageFile(apng))).toMatchObject({ pages: 3 });
    const last = apng.lastIndexOf('fcTL') + 4;
    for (const [at, value] of Object.entries({ 4: 6000, 8: 6000, 12: 30, 16: 1 })) {
      const hostile = Buffer.from(apng);
      hostile.writeUInt32BE(value, last + Number(at));
      const detail = `the frame at byte ${last - 8} is not within the picture`;
      expect(await judgePng(new ImageFile(checked(hostile)))).toEqual({ is: 'unproven', detail });
    }
  });

  it('has as many pages as frames, whatever acTL says', () => {
    const apng = Buffer.from(makeApng(3, 40, 30));
    apng.writeUInt32BE(1, apng.indexOf('acTL') + 4);
    expect(inspectImage(new ImageFile(apng))).toMatchObject({ pages: 3 });
  });

  it('inflates one XMP packet, however many there are', () => {
    const bomb = concat(ascii('XML:com.adobe.xmp'), [0, 1, 0, 0, 0], spaces(3_900_000));
    const packets = Array.from({ length: 400 }, () => pngChunk('iTXt', bomb));
    const png = readPng(makePng({ chunks: packets }));
    const carried = withinCpuSecond(() => chunksOfCopy(png, { colourType: 2, bitDepth: 8 }, 'keep', 1))!;
    expect(carried.before).toHaveLength(packets.length);
  });
});

/** With checksums that match. */
const checked = (png: Uint8Array) => writePng(readPng(png).chunks);
