import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { perceptualReference } from '../../src/codec/score/perceptual-score.ts';
import { SCORE_FLOOR } from '../../src/codec/search-quality.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { blueOnRed } from '../support/fixtures/coloured-edges.ts';
import { makeAnimation } from '../support/fixtures/gif-and-webp.ts';
import { commentSegment, makeJpeg, withSegments } from '../support/fixtures/jpeg.ts';

const compress = (source: Uint8Array, changes: Partial<CompressionSettings>) =>
  compressBytes(
    source,
    { ...DEFAULT_COMPRESSION, minSavings: { percent: 0, bytes: 1 }, ...changes },
    { budget: createMemoryBudget(2e9) },
  );

async function scoreOf(source: Uint8Array, output: Uint8Array): Promise<number> {
  const rgb = (bytes: Uint8Array) => sharp(bytes).flatten().toColourspace('srgb').raw();
  const { data, info } = await rgb(source).toBuffer({ resolveWithObject: true });
  return perceptualReference({ pixels: data, ...info }).score(await rgb(output).toBuffer());
}

describe('auto writes nothing below its floor', () => {
  test.each(['keep', 'jpeg', 'webp', 'avif'] as const)('where colours meet, in the format %s', async (format) => {
    for (const source of [await blueOnRed('jpeg'), await blueOnRed('png')]) {
      const outcome = await compress(source, { mode: 'auto', format });
      const output = outcome.status === 'compressed' ? outcome.bytes : source;
      expect(await scoreOf(source, output)).toBeGreaterThanOrEqual(SCORE_FLOOR - 1);
      expect(output.length).toBeLessThanOrEqual(source.length);
    }
  });

  test.each(['keep', 'webp', 'avif'] as const)('of a picture too small to be scored, as %s', async (format) => {
    const source = await makeJpeg({ width: 12, height: 12, quality: 95 });
    const outcome = await compress(source, { mode: 'auto', format });
    if (outcome.status === 'compressed') expect(outcome.encoding.lossless).toBe(true);
    else expect(outcome).toMatchObject({ status: 'kept', reason: 'below-floor' });
  });

  test('of an animation', async () => {
    const outcome = await compress(await makeAnimation('gif'), { mode: 'auto', format: 'webp' });
    if (outcome.status === 'compressed' && !outcome.encoding.lossless)
      expect(outcome.encoding.score).toBeGreaterThanOrEqual(SCORE_FLOOR);
    else expect(outcome.status).not.toBe('failed');
  });

  test('and where nothing is left, keeps the picture and says what was reached', async () => {
    const settings = { mode: 'auto', format: 'avif', minSavings: { percent: 90, bytes: 1 } } as const;
    const outcome = await compress(await blueOnRed('jpeg'), settings);
    expect(outcome).toMatchObject({ status: 'kept', reason: 'below-floor' });
    expect(outcome).toHaveProperty('detail', expect.stringMatching(/a score of -?[\d.]+ at most, and auto wants 80/));
    expect(outcome).not.toHaveProperty('made');
  });
});

describe('the smallest of the candidates is taken', () => {
  test('drawn pictures become lossless WebP, and the receipt names the losers', async () => {
    const outcome = await compress(await blueOnRed('png'), { format: 'webp' });
    expect(outcome).toMatchObject({
      status: 'compressed',
      encoding: {
        format: 'webp',
        lossless: true,
        candidates: [
          { format: 'webp', lossless: false, bytes: expect.any(Number), why: expect.any(String) },
          { format: 'png', lossless: true, why: expect.stringMatching(/^larger/) },
        ],
      },
    });
  });

  test('photographs become lossy WebP, and nothing else is encoded', async () => {
    const outcome = await compress(await makeJpeg({ quality: 92 }), { format: 'webp' });
    expect(outcome).toMatchObject({ status: 'compressed', encoding: { format: 'webp', lossless: false } });
    expect(outcome).not.toHaveProperty('encoding.candidates');
  });

  test('from JPEG to JPEG there is one candidate, without a receipt of others', async () => {
    const outcome = await compress(await makeJpeg({ quality: 95 }), {});
    expect(outcome).toMatchObject({ status: 'compressed', encoding: { format: 'jpeg', lossless: false } });
    expect(outcome).not.toHaveProperty('encoding.candidates');
  });

  test('a JPEG whose new pixels would be larger is packed losslessly', async () => {
    const source = await blueOnRed('jpeg');
    expect(await compress(source, { mode: 'auto' })).toMatchObject({
      status: 'compressed',
      encoding: {
        format: 'jpeg',
        lossless: true,
        candidates: [{ format: 'jpeg', lossless: false, score: expect.any(Number) }],
      },
    });
  });
});

describe('chroma', () => {
  async function chromaOf(source: Uint8Array, changes: Partial<CompressionSettings>): Promise<string | undefined> {
    const outcome = await compress(source, changes);
    if (outcome.status !== 'compressed') throw new Error(`Expected an output but received ${JSON.stringify(outcome)}`);
    if (outcome.encoding.format === 'jpeg') return (await sharp(outcome.bytes).metadata()).chromaSubsampling;
    // Two bits of the AV1 configuration say whether chroma is halved across and down.
    const configuration = Buffer.from(outcome.bytes).indexOf('av1C') + 4;
    return ((outcome.bytes[configuration + 2] ?? 0) & 12) === 12 ? '4:2:0' : '4:4:4';
  }

  test('is full where the source has it and edges of colour need it', async () => {
    expect(await chromaOf(await blueOnRed('jpeg'), { quality: 60 })).toBe('4:4:4');
    expect(await chromaOf(await makeJpeg({ quality: 95, chromaSubsampling: '4:4:4' }), { quality: 60 })).toBe('4:2:0');
  });

  test.each([
    ['420', '4:2:0'],
    ['444', '4:4:4'],
  ] as const)('%s is what is written, whatever the picture', async (chroma, expected) => {
    for (const source of [await blueOnRed('jpeg'), await makeJpeg({ quality: 95 })]) {
      expect(await chromaOf(source, { chroma, quality: 60 })).toBe(expected);
      expect(await chromaOf(source, { chroma, quality: 60, format: 'avif' })).toBe(expected);
    }
  });
});

describe('maxBytes', () => {
  test.each(['keep', 'webp', 'avif'] as const)('lowers the quality until the output fits, as %s', async (format) => {
    const source = await makeJpeg({ width: 400, height: 300, quality: 96 });
    const free = await compress(source, { format });
    const maxBytes = free.status === 'compressed' ? Math.round(free.bytes.length * 0.7) : 0;
    const outcome = await compress(source, { format, maxBytes });
    if (outcome.status !== 'compressed') throw new Error(JSON.stringify(outcome));
    expect(outcome.bytes.length).toBeLessThanOrEqual(maxBytes);
    expect(outcome.bytes.length).toBeGreaterThan(maxBytes * 0.75);
    expect(outcome.encoding.score).toBeGreaterThanOrEqual(50);
  });

  test.each(['quality', 'auto'] as const)('ruins no picture in mode %s: it is kept with the reason', async (mode) => {
    for (const format of ['keep', 'webp'] as const) {
      const outcome = await compress(await blueOnRed('jpeg'), { mode, format, maxBytes: 2000 });
      expect(outcome).toMatchObject({
        status: 'kept',
        reason: expect.stringMatching(mode === 'auto' ? /below-floor|over-max-bytes/ : /over-max-bytes/),
        detail: expect.any(String),
      });
    }
  });

  test('counts the metadata as well', async () => {
    const source = withSegments(await makeJpeg({ quality: 95 }), [commentSegment('x'.repeat(5000))]);
    expect(await compress(source, { maxBytes: 4000 })).toMatchObject({
      reason: 'over-max-bytes',
      detail: expect.stringMatching('no space for pixels beside the metadata'),
    });
  });
});

describe('the format smallest', () => {
  test('takes the smallest of all formats at equal appearance', async () => {
    const settings = { format: 'smallest' } as const;
    const photo = await compress(await makeJpeg({ width: 300, height: 200, quality: 95 }), settings);
    const others = await Promise.all(
      (['keep', 'webp', 'avif'] as const).map(async (format) =>
        compress(await makeJpeg({ width: 300, height: 200, quality: 95 }), { format }),
      ),
    );
    const bytesOf = (outcome: typeof photo) => (outcome.status === 'compressed' ? outcome.bytes.length : 0);
    expect(bytesOf(photo)).toBe(Math.min(...others.map(bytesOf)));
    expect(await compress(await blueOnRed('png'), settings)).toMatchObject({ encoding: { lossless: true } });
  });

  test('keeps an animation animated', async () => {
    const outcome = await compress(await makeAnimation('gif'), { format: 'smallest' });
    if (outcome.status === 'compressed') expect((await sharp(outcome.bytes).metadata()).pages).toBe(4);
    else expect(outcome).toMatchObject({ status: 'kept', format: 'gif' });
  });
});
