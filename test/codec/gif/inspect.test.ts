import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { concat, uint16 } from '../../support/fixtures/bytes.ts';
import { makeAnimation, withGifApplication } from '../../support/fixtures/gif-and-webp.ts';
import { c2paSegment } from '../../support/fixtures/jpeg.ts';
import { inspected } from '../../support/image-facts.ts';

describe('inspectImage on GIF', () => {
  it('counts the frames of an animation (R07)', async () => {
    expect(await inspected(makeAnimation('gif', 4))).toMatchObject({
      format: 'gif',
      pages: 4,
      height: 24,
    });
  });

  it('finds content credentials', async () => {
    const store = c2paSegment().payload.subarray(8);
    const blocks = concat([store.length], store, [0]);
    const gif = withGifApplication(await makeAnimation('gif'), 'C2PA_GIF\x01\0\0', blocks);
    expect(await inspected(gif)).toMatchObject({ contentCredentials: true });
  });

  it('has the size that the decoder gives a first frame beyond the screen', async () => {
    const gif = Buffer.from(await makeAnimation('gif', 3, 120, 90));
    const frameAt = gif.indexOf(concat([0x2c], uint16(0), uint16(0), uint16(120, true), uint16(90, true)));
    for (const [at, value] of Object.entries({ 6: 64, 8: 60, [frameAt + 1]: 30, [frameAt + 7]: 9000 })) {
      const hostile = Buffer.from(gif);
      hostile.writeUInt16LE(value, Number(at));
      const { width, pageHeight } = await sharp(hostile, { animated: true }).metadata();
      expect(inspectImage(new ImageFile(hostile))).toMatchObject({ width, height: pageHeight, pages: 3 });
    }
  });
});
