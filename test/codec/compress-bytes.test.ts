import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { EngineError } from '../../src/codec/engines.ts';
import { FORMATS } from '../../src/codec/formats.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { perceptualReference } from '../../src/codec/score/perceptual-score.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { concat } from '../support/fixtures/bytes.ts';
import { truncated } from '../support/fixtures/damage.ts';
import { makeWebp } from '../support/fixtures/gif-and-webp.ts';
import { exifSegment, makeJpeg, withSegments } from '../support/fixtures/jpeg.ts';
import { makeGainMapJpeg } from '../support/fixtures/jpeg-parts.ts';
import {
  makeApngAfterStill,
  makePng,
  PNG_SIGNATURE,
  pngChunk,
  pngExif,
  pngGamma,
  pngHeader,
} from '../support/fixtures/png.ts';

const plenty = { budget: createMemoryBudget(2e9) };
const settings = (changes: Partial<CompressionSettings> = {}): CompressionSettings => ({
  ...DEFAULT_COMPRESSION,
  minSavings: { percent: 0, bytes: 1 },
  ...changes,
});

/** A sound JPEG whose header claims another size; nothing but its header is ever looked at. */
function claiming(jpeg: Uint8Array, width: number, height: number): Uint8Array {
  const claim = jpeg.slice();
  const frame = Buffer.from(claim).indexOf(Buffer.from([0xff, 0xc0]));
  claim.set([height >> 8, height & 255, width >> 8, width & 255], frame + 5);
  return claim;
}

test('the receipt says what was done', async () => {
  const source = await makeJpeg({ quality: 95, width: 200, height: 150 });
  expect(await compressBytes(source, settings(), plenty)).toMatchObject({
    status: 'compressed',
    contentType: 'image/jpeg',
    encoding: { format: 'jpeg', lossless: false, quality: 78, effort: 'best', progressive: true },
  });
  expect(await compressBytes(source, settings({ mode: 'auto' }), plenty)).toMatchObject({
    status: 'compressed',
    encoding: { score: expect.any(Number), probes: expect.any(Number) },
  });
});

test('a PNG without a pixel is corrupt, in words', async () => {
  const empty = concat(PNG_SIGNATURE, pngHeader(8, 8, 8, 2), pngChunk('IEND'));
  expect(await compressBytes(empty, settings({ mode: 'lossless' }), plenty)).toMatchObject({
    code: 'CorruptImage',
    message: 'Expected an IDAT chunk before IEND at byte 33',
  });
});

test('a PNG bomb of 65,500 × 65,500 is TooLarge at once and without a decode', async () => {
  const bomb = concat(
    PNG_SIGNATURE,
    pngHeader(65_500, 65_500, 8, 2),
    pngChunk('IDAT', new Uint8Array(64)),
    pngChunk('IEND'),
  );
  for (const mode of ['quality', 'lossless', 'auto'] as const) {
    const started = process.cpuUsage();
    const outcome = await compressBytes(bomb, settings({ mode }), plenty);
    expect(outcome).toMatchObject({ status: 'failed', code: 'TooLarge' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('65500 x 65500'));
    const { user, system } = process.cpuUsage(started);
    // Decoding its 4,290 megapixels takes many times as much.
    expect((user + system) / 1e6).toBeLessThan(1);
  }
});

test('an image over the memory of its host is TooLarge, and the message says what it needs', async () => {
  const budget = createMemoryBudget(100e6);
  const outcome = await compressBytes(claiming(await makeJpeg(), 12_000, 10_000), settings({ mode: 'lossless' }), {
    budget,
  });
  expect(outcome).toMatchObject({ status: 'failed', code: 'TooLarge' });
  expect(outcome).toHaveProperty(
    'message',
    expect.stringMatching(/at most 100 MB of memory .* 12000 x 10000 needs about \d+ MB/),
  );
});

test('a photo that fits only by streaming goes through the fast preset, and the receipt says so', async () => {
  const source = await makeJpeg({ quality: 97, width: 1000, height: 800 });
  const budget = createMemoryBudget(3e6);
  const outcome = await compressBytes(source, settings(), { budget });
  expect(outcome).toMatchObject({ status: 'compressed', encoding: { effort: 'fast', progressive: false } });
});

test('images in progress share the memory, and all are compressed', async () => {
  const source = await makeJpeg({ quality: 95, width: 400, height: 300 });
  const budget = createMemoryBudget(2e6);
  const outcomes = await Promise.all(Array.from({ length: 12 }, () => compressBytes(source, settings(), { budget })));
  expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 'compressed'));
  (await budget.acquire(budget.capacity))();
});

test('an image whose encoder does not answer in time is kept, and gives its memory back when that ends', async () => {
  const source = new Uint8Array(
    await sharp({
      create: {
        width: 600,
        height: 600,
        channels: 3,
        background: '#888',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
      .jpeg({ quality: 98 })
      .toBuffer(),
  );
  const budget = createMemoryBudget(2e9);
  const outcome = await compressBytes(source, settings({ format: 'avif' }), { budget, timeLimitMs: 20 });
  expect(outcome).toMatchObject({ status: 'kept', reason: 'too-slow', detail: 'it was not finished within 0.02 s' });
  (await budget.acquire(budget.capacity))();
});

test.each([
  'jpeg',
  'png',
] as const)('a sound %s that the lossless encoder refuses is kept as unproven', async (format) => {
  const repacking = vi.spyOn(FORMATS[format], 'repack').mockRejectedValue(new EngineError('refused'));
  const source = format === 'jpeg' ? await makeJpeg() : makePng();
  const outcome = await compressBytes(source, settings({ mode: 'lossless' }), plenty);
  expect(repacking).toHaveBeenCalledOnce();
  repacking.mockRestore();
  expect(outcome).toMatchObject({
    status: 'kept',
    reason: 'unproven',
    detail: expect.stringMatching('all of its data'),
  });
});

test('damage is distinguished from a failing encoder, and the message says where it is', async () => {
  const cut = truncated(await makeJpeg({ quality: 95 }), 0.5);
  expect(await compressBytes(cut, settings(), plenty)).toEqual({
    status: 'failed',
    code: 'CorruptImage',
    message: expect.stringMatching(/^Expected .* block \d+ of \d+/),
  });
  const broken = makePng({ chunks: [] });
  broken[broken.length - 20]! ^= 0xff;
  expect(await compressBytes(broken, settings(), plenty)).toMatchObject({ code: 'CorruptImage' });
});

test.each([
  ['in the call of an encoder', { effort: 'unknown' }],
  ['in a parser', { mode: 'lossless', metadata: 'unknown' }],
])('an error of our own %s is Unexpected and brings its stack', async (_where, wrong) => {
  const outcome = await compressBytes(await makeJpeg({ quality: 95 }), settings(wrong as never), plenty);
  expect(outcome).toMatchObject({ status: 'failed', code: 'Unexpected', cause: expect.any(TypeError) });
  expect(outcome).toHaveProperty('cause.stack', expect.stringMatching(/src\/codec\//));
});

test('whatever the bytes are, the answer is an outcome', async () => {
  const jpeg = await makeJpeg();
  for (const bytes of [new Uint8Array(1), new Uint8Array([0xff, 0xd8, 0xff]), PNG_SIGNATURE, jpeg.subarray(0, 30)]) {
    expect((await compressBytes(bytes, settings(), plenty)).status).toMatch(/failed|skipped/);
  }
});

test('an image over the pixel limit of its job is TooLarge, and the limit is named', async () => {
  const source = await sharp({ create: { width: 100, height: 50, channels: 3, background: '#777' } })
    .jpeg()
    .toBuffer();
  const outcome = await compressBytes(source, DEFAULT_COMPRESSION, {
    budget: createMemoryBudget(1e9),
    maxPixels: 4999,
  });
  expect(outcome).toEqual({
    status: 'failed',
    code: 'TooLarge',
    message: 'Expected at most 4999 pixels (limits.maxPixels) but received 100 x 50 x 1',
  });
});

test.each([
  ['jpeg', 'quality'],
  ['webp', 'quality'],
  ['avif', 'quality'],
  ['webp', 'lossless'],
] as const)('a PNG of colours that only it can name becomes no %s (%s)', async (format, mode) => {
  const linear = makePng({ chunks: [pngGamma(100_000)] });
  const outcome = await compressBytes(linear, settings({ format, mode }), plenty);
  expect(outcome).toMatchObject({ status: 'compressed', contentType: 'image/png' });
  const { bytes } = outcome as { bytes: Uint8Array };
  expect(Buffer.from(bytes).includes(Buffer.from(pngGamma(100_000)))).toBe(true);
});

test.each([
  {},
  { mode: 'lossless' },
  { format: 'webp' },
  { format: 'jpeg' },
] as const)('an animation of one frame behind a still picture stays one: %j', async (changes) => {
  const outcome = await compressBytes(makeApngAfterStill(), settings(changes), plenty);
  expect(outcome).toMatchObject({ status: 'compressed', contentType: 'image/png' });
  const { bytes } = outcome as { bytes: Uint8Array };
  for (const type of ['acTL', 'fcTL', 'fdAT']) expect(Buffer.from(bytes).includes(type)).toBe(true);
});

test.each([
  [
    '12 bits',
    (jpeg: Buffer) => {
      const frameAt = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
      jpeg.set([0xc1, 0, 17, 12], frameAt + 1);
    },
    'deep-colour',
  ],
  [
    'the lossless process',
    (jpeg: Buffer) => jpeg.writeUInt8(0xc3, jpeg.indexOf(Buffer.from([0xff, 0xc0])) + 1),
    'unsupported-format',
  ],
] as const)('a JPEG of %s, which libjpeg cannot read, is kept and not called corrupt', async (_kind, change, reason) => {
  const jpeg = Buffer.from(await makeJpeg());
  change(jpeg);
  expect(await compressBytes(jpeg, settings(), plenty)).toMatchObject({ status: 'kept', reason });
});

test('red letters on blue stay legible at a high quality', async () => {
  const text = `<svg width="320" height="120"><rect width="320" height="120" fill="#0000ff"/>
    <text x="10" y="70" font-size="28" fill="#ff0000">small red letters</text></svg>`;
  const picture = await sharp(Buffer.from(text)).flatten().png().toBuffer();
  const source = await sharp(picture).jpeg({ quality: 99, chromaSubsampling: '4:4:4' }).toBuffer();
  const pixelsOf = async (bytes: Uint8Array) => new Uint8Array(await sharp(bytes).raw().toBuffer());
  const reference = perceptualReference({ pixels: await pixelsOf(picture), width: 320, height: 120 });
  const scores: Record<string, number> = {};
  for (const format of ['keep', 'webp'] as const) {
    const outcome = await compressBytes(source, settings({ quality: 85, format }), plenty);
    const { bytes } = outcome as { bytes: Uint8Array };
    scores[format] = reference.score(await pixelsOf(bytes));
  }
  // Below 0 is what the halved colours of 4:2:0 come to.
  expect(scores.keep).toBeGreaterThan(80);
  expect(scores.webp).toBeGreaterThan(65);
});

describe('the bytes of a source stay as they are, whatever becomes of them', () => {
  // Buffers, as files are read: their slices share their memory.
  const sources = {
    'a turned JPEG': async () =>
      Buffer.from(withSegments(await makeJpeg({ quality: 95 }), [exifSegment({ orientation: 6 })])),
    'a turned PNG': async () => Buffer.from(makePng({ chunks: [pngExif({ orientation: 8 })] })),
    'a turned WebP': async () =>
      sharp(await makeWebp())
        .withMetadata({ orientation: 3 })
        .webp()
        .toBuffer(),
    'a JPEG with a gain map': async () => Buffer.from(await makeGainMapJpeg()),
    'a lossless WebP': async () => Buffer.from(await makeWebp({ lossless: true })),
    'an AVIF': async () => Buffer.from(await makeAvif()),
  };
  const ways: readonly Partial<CompressionSettings>[] = [
    ...(['keep', 'jpeg', 'webp', 'avif'] as const).map((format) => ({ format })),
    ...(['copyright', 'strip'] as const).map((metadata) => ({ metadata })),
    { mode: 'lossless' },
    { mode: 'auto' },
    { autoOrient: true },
    { autoOrient: true, minSavings: { percent: 99, bytes: 1 } },
  ];
  test.each(Object.entries(sources))('%s', async (_name, make) => {
    const source = await make();
    const before = Buffer.from(source);
    for (const way of ways) {
      await compressBytes(source, settings(way), plenty);
      expect(source.equals(before), JSON.stringify(way)).toBe(true);
    }
  });
});
