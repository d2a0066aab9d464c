import { describe, expect, it, test } from 'vitest';
import { CorruptImageError } from '../../../src/codec/corrupt-image-error.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { readJpeg } from '../../../src/codec/jpeg/segments.ts';
import { concat } from '../../support/fixtures/bytes.ts';
import { withTrailingBytes } from '../../support/fixtures/damage.ts';
import {
  c2paSegment,
  exifSegment,
  iccSegments,
  makeJpeg,
  makeRestartJpeg,
  withSegments,
  xmpSegment,
} from '../../support/fixtures/jpeg.ts';
import {
  makeGainMapJpeg,
  makeJpegWithPreview,
  makeMotionVideo,
  makeMpo,
  samsungSef,
} from '../../support/fixtures/jpeg-parts.ts';
import { iccProfile, xmpDescription } from '../../support/fixtures/metadata.ts';
import { inspected } from '../../support/image-facts.ts';

describe('inspectImage on JPEG', () => {
  it('reads size, colours, sampling and quality', async () => {
    expect(await inspected(makeJpeg({ quality: 60 }))).toEqual({
      format: 'jpeg',
      width: 96,
      height: 64,
      pages: 1,
      channels: 3,
      bitsPerChannel: 8,
      colour: 'rgb',
      alpha: false,
      icc: false,
      orientation: 1,
      progressive: false,
      sourceQuality: 60,
      chromaSubsampling: '4:2:0',
      lossless: false,
      gainMap: false,
      multiPicture: false,
      contentCredentials: false,
      trailingBytes: 0,
    });
  });

  it('distinguishes grey, CMYK (R06), 4:4:4 and progressive (R17)', async () => {
    expect(await inspected(makeJpeg({ colourspace: 'b-w' }))).toMatchObject({
      colour: 'grey',
      channels: 1,
    });
    expect(await inspected(makeJpeg({ colourspace: 'cmyk' }))).toMatchObject({
      colour: 'cmyk',
      channels: 4,
    });
    expect(await inspected(makeJpeg({ chromaSubsampling: '4:4:4' }))).toMatchObject({
      chromaSubsampling: '4:4:4',
    });
    expect(await inspected(makeJpeg({ progressive: true }))).toMatchObject({ progressive: true });
  });

  test.each(['II', 'MM'] as const)('reads the orientation of EXIF in byte order %s', async (byteOrder) => {
    for (const orientation of [1, 3, 6, 8]) {
      const jpeg = withSegments(await makeJpeg(), [exifSegment({ byteOrder, orientation })]);
      expect(inspectImage(new ImageFile(jpeg))).toMatchObject({ orientation });
    }
  });

  it('takes an invalid orientation for none', async () => {
    const jpeg = withSegments(await makeJpeg(), [exifSegment({ orientation: 9 })]);
    expect(inspectImage(new ImageFile(jpeg))).toMatchObject({ orientation: 1 });
  });

  it('sees an ICC profile of several segments (R04)', async () => {
    const icc = await iccProfile(150_000);
    expect(inspectImage(new ImageFile(withSegments(await makeJpeg(), iccSegments(icc))))?.icc).toBe(true);
  });

  it('finds gain maps in every way they are written (R12)', async () => {
    for (const kind of ['hdrgm', 'iso', 'apple'] as const) {
      expect(await inspected(makeGainMapJpeg(kind))).toMatchObject({
        gainMap: true,
        multiPicture: true,
        trailingBytes: 0,
      });
    }
  });

  it('distinguishes previews from pictures, and sees whether anything but the index points at them', async () => {
    expect(await inspected(makeJpegWithPreview())).toMatchObject({
      multiPicture: true,
      trailingParts: { isPointedAt: false, isMetadata: true },
      trailingBytes: 0,
    });
    // Sony's maker notes point at the picture's own header, 130 bytes into it.
    for (const pointer of [0, -32, 130]) {
      expect(await inspected(makeJpegWithPreview(pointer))).toMatchObject({
        trailingParts: { isPointedAt: true, isMetadata: true },
      });
    }
    const preview = await makeJpegWithPreview();
    const damaged = Buffer.from(preview);
    damaged[damaged.lastIndexOf(Buffer.from([0xff, 0xd8]))] = 0;
    for (const file of [damaged, preview.slice(0, -1), withTrailingBytes(preview, 9)]) {
      expect(inspectImage(new ImageFile(file))?.trailingParts).toBeUndefined();
    }
  });

  it('knows what phones store after a picture, alone and after its previews', async () => {
    const notes = { isPointedAt: false, isMetadata: true };
    const film = { isPointedAt: false, isMetadata: false };
    const photo = await makeJpeg({ width: 600, height: 450 });
    const preview = await makeJpegWithPreview();
    const gainMap = await makeGainMapJpeg();
    const trailers = [
      [samsungSef(), notes],
      [makeMotionVideo(), film],
      [concat(makeMotionVideo(), samsungSef()), film],
      [samsungSef([[0x0a30, 'MotionPhoto_Data', makeMotionVideo()]]), film],
    ] as const;
    for (const [trailer, trailingParts] of trailers) {
      expect(inspectImage(new ImageFile(concat(photo, trailer)))).toMatchObject({ trailingParts, trailingBytes: 0 });
      expect(inspectImage(new ImageFile(concat(preview, trailer)))).toMatchObject({
        trailingParts,
        multiPicture: true,
        trailingBytes: 0,
      });
      const withMap = inspectImage(new ImageFile(concat(gainMap, trailer)));
      expect(withMap).toMatchObject({ gainMap: true, trailingBytes: 0 });
      expect(withMap?.trailingParts).toBeUndefined();
      const stereo = inspectImage(new ImageFile(concat(await makeMpo(), trailer)));
      expect(stereo).toMatchObject({ multiPicture: true, trailingBytes: 0 });
      expect(stereo?.trailingParts).toBeUndefined();
      expect(inspectImage(new ImageFile(concat(photo, trailer, [7])))).toMatchObject({
        trailingBytes: trailer.length + 1,
      });
    }
  });

  it('sees the second picture of an MPO', async () => {
    expect(await inspected(makeMpo())).toMatchObject({
      gainMap: false,
      multiPicture: true,
      trailingParts: undefined,
      trailingBytes: 0,
    });
  });

  it('sees no gain map where only its mark in the XMP is left', async () => {
    const withMap = await makeGainMapJpeg();
    const photo = withMap.subarray(0, readJpeg(withMap).end);
    expect(inspectImage(new ImageFile(photo))).toMatchObject({ gainMap: false, multiPicture: false });
    const mark = xmpDescription('xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"');
    const unindexed = withSegments(await makeJpeg(), [xmpSegment(mark)]);
    const film = inspectImage(new ImageFile(concat(unindexed, makeMotionVideo())));
    expect(film).toMatchObject({ gainMap: false, trailingParts: { isMetadata: false } });
    // Early Ultra HDR files have no index: a picture after the end may be the map.
    expect(inspectImage(new ImageFile(concat(unindexed, await makeJpeg())))).toMatchObject({ gainMap: true });
  });

  it('sees content credentials', async () => {
    const jpeg = withSegments(await makeJpeg(), [c2paSegment()]);
    expect(inspectImage(new ImageFile(jpeg))).toMatchObject({ contentCredentials: true });
  });

  it('counts what follows the end, but not padding', async () => {
    const jpeg = await makeJpeg();
    expect(inspectImage(new ImageFile(withTrailingBytes(jpeg, 500)))?.trailingBytes).toBe(500);
    expect(inspectImage(new ImageFile(withTrailingBytes(jpeg, new Uint8Array(500))))?.trailingBytes).toBe(0);
    expect(inspectImage(new ImageFile(withTrailingBytes(await makeMpo(), 500)))?.trailingBytes).toBe(500);
  });

  it('is not led astray by a JPEG inside a segment', async () => {
    const thumbnail = await makeJpeg({ width: 16, height: 16 });
    const jpeg = withSegments(await makeJpeg(), [exifSegment({ thumbnail })]);
    expect(inspectImage(new ImageFile(jpeg))).toMatchObject({ width: 96, height: 64, trailingBytes: 0 });
  });

  it('reads over restart markers and fill bytes', () => {
    const jpeg = makeRestartJpeg();
    const filled = concat(jpeg.subarray(0, 2), [0xff, 0xff], jpeg.subarray(2));
    expect(inspectImage(new ImageFile(filled))).toMatchObject({
      width: 48,
      height: 32,
      colour: 'grey',
      trailingBytes: 0,
    });
  });

  it('names the byte where a header breaks off', async () => {
    const jpeg = await makeJpeg();
    expect(() => inspectImage(new ImageFile(jpeg.slice(0, 100)))).toThrow(CorruptImageError);
    expect(() => inspectImage(new ImageFile(concat([0xff, 0xd8, 0xff, 0xd9])))).toThrow(
      /no frame header \(SOF\) at byte 4/,
    );
  });
});

test('sees that the colours of a JPEG come in scans of their own', async () => {
  const jpeg = Buffer.from(await makeJpeg());
  expect(inspectImage(new ImageFile(jpeg))?.separateScans).toBeUndefined();
  jpeg[jpeg.indexOf(Buffer.from([0xff, 0xda])) + 4] = 1;
  expect(inspectImage(new ImageFile(new Uint8Array(jpeg)))?.separateScans).toBe(true);
});
