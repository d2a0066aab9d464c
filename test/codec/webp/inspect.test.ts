import { describe, expect, it } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { makeAnimation, makeWebp } from '../../support/fixtures/gif-and-webp.ts';
import { inspected } from '../../support/image-facts.ts';

describe('inspectImage on WebP', () => {
  it('counts the frames of an animation (R07)', async () => {
    expect(await inspected(makeAnimation('webp', 4))).toMatchObject({
      format: 'webp',
      pages: 4,
      height: 24,
    });
  });

  it('distinguishes lossy from lossless and finds transparency', async () => {
    expect(await inspected(makeWebp())).toMatchObject({
      lossless: false,
      alpha: false,
      width: 96,
      height: 64,
    });
    expect(await inspected(makeWebp({ lossless: true }))).toMatchObject({ lossless: true, width: 96 });
    expect(await inspected(makeWebp({ alpha: true }))).toMatchObject({ alpha: true, channels: 4 });
    expect(await inspected(makeWebp({ alpha: true, lossless: true }))).toMatchObject({ alpha: true });
  });

  it('finds transparency that the header does not announce', async () => {
    const webp = await makeWebp({ alpha: true });
    expect(inspectImage(new ImageFile(webp))?.undeclaredAlpha).toBeUndefined();
    webp[20]! &= ~0x10;
    expect(inspectImage(new ImageFile(webp))).toMatchObject({ undeclaredAlpha: true });
  });
});
