import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import type { EncodeTask } from '../../src/codec/task.ts';
import { findPixelFault } from '../../src/codec/verify-image.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { ascii, bytesOf } from '../support/fixtures/bytes.ts';
import { truncated } from '../support/fixtures/damage.ts';
import { exifSegment, makeJpeg, withSegments } from '../support/fixtures/jpeg.ts';
import { photoPixels } from '../support/fixtures/pixels.ts';
import { inspected } from '../support/image-facts.ts';

const photo = (seed = 1) => sharp(photoPixels(96, 64, 3, seed), { raw: { width: 96, height: 64, channels: 3 } });

async function taskFor(format: 'avif' | 'webp'): Promise<EncodeTask> {
  const source = bytesOf(await photo().png().toBuffer());
  return {
    source: new ImageFile(source),
    facts: await inspected(source),
    settings: { ...DEFAULT_COMPRESSION, format },
    recipe: { action: 'encode', format, lossless: false, quality: 75 },
    timeLimitMs: 60_000,
  };
}

describe('an output is decoded by another library than the encoder’s', () => {
  test('an AVIF that a strict reader refuses is a fault, although libvips reads it', async () => {
    const avif = (await makeAvif()).slice();
    avif.set(ascii('free'), Buffer.from(avif).indexOf('pixi', 0, 'latin1'));
    expect((await sharp(avif).stats()).isOpaque).toBe(true);
    await expect(findPixelFault(new ImageFile(avif), await taskFor('avif'))).rejects.toThrow(
      'Expected AVIF data that decode in full but a second decoder found boxes that it does not accept',
    );
  });

  test('a WebP that ends too early is a fault', async () => {
    const webp = truncated(bytesOf(await photo().webp().toBuffer()), 0.8);
    await expect(findPixelFault(new ImageFile(webp), await taskFor('webp'))).rejects.toThrow('second decoder');
  });

  test.each(['avif', 'webp'] as const)('a sound %s has none, and one of another picture has', async (format) => {
    const task = await taskFor(format);
    const output = async (seed: number) => new ImageFile(bytesOf(await photo(seed)[format]().toBuffer()));
    expect(await findPixelFault(await output(1), task)).toBeUndefined();
    expect(await findPixelFault(await output(9), task)).toMatch(/^Expected the picture of the source/);
  });
});

test.each([1, 3, 6, 7])('a JPEG of orientation %d becomes an AVIF of the same pixels', async (orientation) => {
  const jpeg = await makeJpeg({ quality: 95, width: 200, height: 120 });
  const source = withSegments(jpeg, [exifSegment({ byteOrder: 'MM', orientation })]);
  for (const autoOrient of [false, true]) {
    const settings = { ...DEFAULT_COMPRESSION, autoOrient, minSavings: { percent: 0, bytes: 1 } };
    const outcome = await compressBytes(source, { ...settings, format: 'avif' }, { budget: createMemoryBudget(2e9) });
    expect(outcome).toMatchObject({ status: 'compressed', encoding: { format: 'avif' } });
  }
});
