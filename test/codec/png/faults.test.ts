import { describe, expect, test } from 'vitest';
import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import { findPngFault } from '../../../src/codec/png/faults.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { concat, uint32 } from '../../support/fixtures/bytes.ts';
import { makeApng, makeApngAfterStill, makePng, pngChunk } from '../../support/fixtures/png.ts';

interface Chunk {
  readonly type: string;
  readonly bytes: Uint8Array;
}

function chunksOf(png: Uint8Array): Chunk[] {
  const view = new DataView(png.buffer, png.byteOffset);
  const chunks: Chunk[] = [];
  for (let at = 8; at < png.length; ) {
    const end = at + 12 + view.getUint32(at);
    chunks.push({ type: Buffer.from(png.subarray(at + 4, at + 8)).toString(), bytes: png.subarray(at, end) });
    at = end;
  }
  return chunks;
}

/** The PNG with its chunks in another order or number. */
const arranged = (png: Uint8Array, arrange: (chunks: Chunk[]) => (Chunk | undefined)[]) =>
  concat(png.subarray(0, 8), ...arrange(chunksOf(png)).map((chunk) => chunk?.bytes ?? []));

const compress = (bytes: Uint8Array) =>
  compressBytes(bytes, { ...DEFAULT_COMPRESSION, mode: 'lossless' }, { budget: createMemoryBudget(2e9) });

describe('findPngFault', () => {
  const apng = makeApng();
  const place =
    (type: string, nth = 0) =>
    (chunks: Chunk[]) =>
      chunks.findIndex((chunk) => chunk.type === type && chunks.filter((c) => c.type === type)[nth] === chunk);
  const without = (type: string, nth = 0) => arranged(apng, (chunks) => chunks.toSpliced(place(type, nth)(chunks), 1));

  test('finds none in stills and animations', () => {
    for (const png of [makePng(), apng, makeApng(1), makeApngAfterStill()])
      expect(findPngFault(new ImageFile(png))).toBeUndefined();
  });

  test.each([
    ['a control chunk that is missing', without('fcTL', 1)],
    ['the data of a frame that is missing', without('fdAT', 0)],
    ['the data of the last frame that is missing', without('fdAT', 1)],
    [
      'frames in another order',
      arranged(apng, (chunks) => {
        const [one, other] = [place('fcTL', 1)(chunks), place('fcTL', 2)(chunks)];
        return chunks.with(one, chunks[other]!).with(other, chunks[one]!);
      }),
    ],
    [
      'a frame twice',
      arranged(apng, (chunks) => chunks.toSpliced(place('fcTL', 1)(chunks), 0, chunks[place('fcTL', 1)(chunks)]!)),
    ],
  ])('reports %s as damage', async (_name, png) => {
    expect(findPngFault(new ImageFile(png))).toMatch(/Expected (number \d|the data of a frame|the control chunk)/);
    expect(await compress(png)).toMatchObject({ status: 'failed', code: 'CorruptImage' });
  });

  test('frames that the animation lacks are damage, however many', async () => {
    const announced = pngChunk('acTL', concat(uint32(2_147_483_650), uint32(0)));
    const png = arranged(apng, (chunks) => chunks.with(place('acTL')(chunks), { type: 'acTL', bytes: announced }));
    expect(await compress(png)).toMatchObject({
      code: 'CorruptImage',
      message: expect.stringContaining('3 of the 2147483650 frames'),
    });
  });

  test('frames without an acTL chunk leave a still picture, which is kept', async () => {
    const png = without('acTL');
    expect(findPngFault(new ImageFile(png))).toBeUndefined();
    expect(await compress(png)).toMatchObject({ status: 'kept', reason: 'not-identical' });
  });
});
