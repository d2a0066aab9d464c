import { describe, expect, test } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { dropWebPParts } from '../../../src/codec/webp/drop-parts.ts';
import { judgeWebP } from '../../../src/codec/webp/judge.ts';
import { type RiffChunk, readRiffChunks, readWebP, writeWebP } from '../../../src/codec/webp/riff.ts';
import { ascii, concat, uint32 } from '../../support/fixtures/bytes.ts';
import { extendedWebp, makeAnimation, makeWebp, riffChunk } from '../../support/fixtures/gif-and-webp.ts';

const judge = (bytes: Uint8Array) => judgeWebP(new ImageFile(bytes));

/** The WebP with the chunk of this type, or the nth of them, changed; all lengths fit. */
function changed(webp: Uint8Array, type: string, change: (payload: Uint8Array) => Uint8Array, nth = 0): Uint8Array {
  const { chunks } = readWebP(webp);
  const chosen = chunks.filter((chunk) => chunk.type === type)[nth]!;
  return writeWebP(chunks.map((chunk) => (chunk === chosen ? { type, payload: change(chunk.payload) } : chunk)));
}

const without = (webp: Uint8Array, isLeftOut: (chunk: RiffChunk) => boolean) =>
  writeWebP(readWebP(webp).chunks.filter((chunk) => !isLeftOut(chunk)));

const half = (payload: Uint8Array) => payload.slice(0, payload.length >> 1);

test.each([
  ['lossy', () => makeWebp()],
  ['lossless', () => makeWebp({ lossless: true })],
  ['lossy with transparency', () => makeWebp({ alpha: true })],
  ['lossless with transparency', () => makeWebp({ lossless: true, alpha: true })],
  ['extended', async () => extendedWebp(await makeWebp(), 0, [], [riffChunk('XMP ', new Uint8Array(5))])],
  ['animated', () => makeAnimation('webp', 4)],
] as const)('a sound WebP (%s) is whole', async (_name, make) => {
  expect(await judge(await make())).toEqual({ is: 'whole' });
});

describe('a still WebP is damaged', () => {
  test('where it is cut', async () => {
    const webp = await makeWebp();
    for (const share of [0.2, 0.5, 0.9, 0.99]) {
      const bytes = webp.slice(0, Math.floor(webp.length * share));
      const detail = `Expected a WebP of ${webp.length} bytes by its header but the file ends after ${bytes.length}`;
      expect(await judge(bytes)).toEqual({ is: 'damaged', detail });
    }
  });

  test.each([
    ['VP8 ', {}],
    ['VP8L', { lossless: true }],
    ['ALPH', { alpha: true }],
    ['VP8 ', { alpha: true }],
  ] as const)('where its %s data end early, whatever the lengths say', async (type, options) => {
    const detail = expect.stringContaining('in the picture');
    expect(await judge(changed(await makeWebp(options), type, half))).toEqual({ is: 'damaged', detail });
  });

  test('where a chunk is longer than the file', async () => {
    const webp = await makeWebp();
    webp.set(uint32(webp.length, true), 16);
    expect(await judge(webp)).toMatchObject({
      is: 'damaged',
      detail: expect.stringMatching(/end of chunk VP8 at byte \d+ but/),
    });
  });

  test('where its pixels are of another size than its header says', async () => {
    const webp = extendedWebp(await makeWebp(), 0, []);
    webp[24] = 94;
    expect(await judge(webp)).toEqual({
      is: 'damaged',
      detail: 'Expected 95 x 64 pixels in the picture but found 96 x 64',
    });
  });

  test('where its transparency comes twice', async () => {
    const { chunks } = readWebP(await makeWebp({ alpha: true }));
    const twice = writeWebP(chunks.flatMap((chunk) => (chunk.type === 'ALPH' ? [chunk, chunk] : [chunk])));
    expect(await judge(twice)).toEqual({ is: 'damaged', detail: 'Expected one ALPH chunk but found another' });
  });

  test('where its header is longer than it is', async () => {
    const webp = changed(extendedWebp(await makeWebp(), 0, []), 'VP8X', (payload) => concat(payload, [0, 0]));
    expect(await judge(webp)).toEqual({ is: 'damaged', detail: 'Expected 10 bytes in the VP8X chunk but found 12' });
  });

  test('where it has no pixels', async () => {
    const webp = without(extendedWebp(await makeWebp(), 0, []), ({ type }) => type === 'VP8 ');
    expect(await judge(webp)).toEqual({ is: 'damaged', detail: 'Expected pixels in the picture but found none' });
  });
});

test('a WebP without the byte that fills its last chunk has all its pixels', async () => {
  const webp = extendedWebp(await makeWebp(), 4, [], [riffChunk('XMP ', new Uint8Array(5))]);
  expect(await judge(webp.subarray(0, -1))).toMatchObject({ is: 'odd' });
  expect(await judge(webp.subarray(0, -2))).toMatchObject({ is: 'damaged' });
});

test('a WebP without a chunk that its header announces is not proven', async () => {
  const detail = 'its header announces a chunk XMP that it does not have';
  expect(await judge(extendedWebp(await makeWebp(), 4, []))).toEqual({ is: 'unproven', detail });
});

test('data after the end are not cut off where a chunk reaches beyond it', async () => {
  const wanted = { policy: 'strip', credentials: true, trailing: true } as const;
  const webp = extendedWebp(await makeWebp(), 0, [], [riffChunk('ABCD', new Uint8Array(6))]);
  const behind = (whole: Uint8Array) => new ImageFile(concat(whole, ascii('hidden')));
  expect(dropWebPParts(behind(webp), wanted)?.bytes).toEqual(webp);
  const broken = webp.slice();
  broken.set(uint32(1000, true), webp.length - 10);
  expect(dropWebPParts(behind(broken), wanted)).toBeUndefined();
  expect(await judgeWebP(behind(broken))).toMatchObject({ is: 'damaged' });
});

describe('an animated WebP is damaged', () => {
  const animation = makeAnimation('webp', 4);

  test.each([0, 1, 3])('where frame %i has half of its data', async (nth) => {
    const shortened = changed(
      await animation,
      'ANMF',
      (payload) => {
        const { type, payload: data } = readRiffChunks(payload, 16, payload.length)[0]!;
        return concat(payload.subarray(0, 16), riffChunk(type, half(data)));
      },
      nth,
    );
    const detail = expect.stringContaining(`in frame ${nth + 1} of 4`);
    expect(await judge(shortened)).toEqual({ is: 'damaged', detail });
  });

  test('where a frame reaches beyond the canvas', async () => {
    const moved = changed(await animation, 'ANMF', (payload) => payload.with(0, 1), 2);
    const detail = 'Expected frame 3 of 4 within 32 x 24 pixels but it reaches beyond';
    expect(await judge(moved)).toEqual({ is: 'damaged', detail });
  });

  test('where it has no frames, or one without pixels', async () => {
    const none = without(await animation, ({ type }) => type === 'ANMF');
    expect(await judge(none)).toEqual({ is: 'damaged', detail: 'Expected the frames of an animation but found none' });
    const empty = changed(await animation, 'ANMF', (payload) => payload.slice(0, 16), 1);
    expect(await judge(empty)).toEqual({ is: 'damaged', detail: 'Expected pixels in frame 2 of 4 but found none' });
  });

  test('where a frame or the file holds less than a chunk after the last one', async () => {
    const longer = changed(await animation, 'ANMF', (payload) => concat(payload, [1, 2, 3, 4]), 1);
    expect(await judge(longer)).toMatchObject({
      is: 'damaged',
      detail: expect.stringMatching(/found 4 bytes in frame 2 of 4/),
    });
    const cut = changed(
      await animation,
      'ANMF',
      (payload) => concat(payload, riffChunk('ABCD', new Uint8Array(9)).subarray(0, 12)),
      1,
    );
    expect(await judge(cut)).toMatchObject({ is: 'damaged', detail: expect.stringContaining('chunk ABCD') });
    const whole = await makeWebp();
    const file = concat(whole.subarray(0, 4), uint32(whole.length - 4, true), whole.subarray(8), [1, 2, 3, 4]);
    expect(await judge(file)).toMatchObject({ is: 'damaged', detail: expect.stringContaining('found 4 bytes') });
  });
});
