import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { applyMetadata } from '../../src/codec/apply-metadata.ts';
import { sameBytes } from '../../src/codec/bytes.ts';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage, readMetadata } from '../../src/codec/inspect-image.ts';
import { recompressJpeg } from '../../src/codec/jpeg/recompress.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { buildExif, type ExifContent } from '../../src/codec/metadata/exif.ts';
import { findMetadataLeft } from '../../src/codec/metadata-left.ts';
import { recompressPng } from '../../src/codec/png/recompress.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { ascii, concat, uint32 } from '../support/fixtures/bytes.ts';
import { extendedWebp, makeAnimation, makeWebp, riffChunk, withGifXmp } from '../support/fixtures/gif-and-webp.ts';
import {
  commentSegment,
  exifSegment,
  iccSegments,
  iptcSegment,
  makeJpeg,
  type Segment,
  withSegments,
  xmpSegment,
} from '../support/fixtures/jpeg.ts';
import { withMultiPicture } from '../support/fixtures/jpeg-parts.ts';
import { exifBlock, iccProfile, xmpPacket } from '../support/fixtures/metadata.ts';
import { makeApng, makePng, pngChunk, pngExif, pngIcc, pngText, pngXmp } from '../support/fixtures/png.ts';
import { makeTiff, tiffText, withTiffTags } from '../support/fixtures/tiff.ts';

const SECRETS = ['Paris', 'GPSLatitude', 'serial number', 'taken with', '2024:05:06'];
const POLICIES = ['strip', 'copyright'] as const;
const exif = { orientation: 6, artist: 'Ann Artist', make: 'taken with', gps: true } as const;

let icc: Uint8Array;

beforeAll(async () => {
  icc = await iccProfile();
});

const compress = (bytes: Uint8Array, changes: Partial<CompressionSettings>, memory = 2e9) =>
  compressBytes(bytes, { ...DEFAULT_COMPRESSION, ...changes }, { budget: createMemoryBudget(memory) });

/** Pictures that are kept for what their pixels are, by settings, with all kinds of metadata in them. */
const KEPT: Record<string, { make: () => Promise<Uint8Array>; settings: Partial<CompressionSettings>; coded: string }> =
  {
    'a JPEG of low quality': {
      make: async () => {
        const jpeg = await makeJpeg({ quality: 50 });
        return withSegments(jpeg, [...segments(), commentSegment('from Paris')]);
      },
      settings: { effort: 'fast' },
      coded: '\xff\xdb',
    },
    'a JPEG that is packed tightly': {
      make: async () => withSegments(await makeJpeg({ quality: 50, progressive: true }), segments()),
      settings: { mode: 'lossless', minSavings: { percent: 90, bytes: 1 } },
      coded: '\xff\xdb',
    },
    'a JPEG with metadata behind its tables': {
      make: async () => withLateSegments(await makeJpeg({ quality: 50 }), segments()),
      settings: { effort: 'fast' },
      coded: '\xff\xda',
    },
    'a PNG': {
      make: async () =>
        makePng({
          chunks: [pngIcc(icc), pngText('Comment', 'Paris'), pngXmp(packet())],
          chunksAfter: [pngExif(exif), pngText('Copyright', 'hers')],
        }),
      settings: { minSavings: { percent: 90, bytes: 1 } },
      coded: 'IDAT',
    },
    'an animated PNG': {
      make: async () => withPngChunks(makeApng(), [pngIcc(icc), pngExif(exif)]),
      settings: { minSavings: { percent: 90, bytes: 1 } },
      coded: 'fcTL',
    },
    'a WebP': {
      make: async () =>
        extendedWebp(
          await makeWebp(),
          0x2c,
          [riffChunk('ICCP', icc)],
          [
            riffChunk('EXIF', exifBlock(exif)),
            riffChunk('XMP ', packet()),
            riffChunk('ABCD', ascii('a serial number')),
          ],
        ),
      settings: { mode: 'lossless' },
      coded: 'VP8 ',
    },
  };

function packet(): Uint8Array {
  return xmpPacket({ orientation: 6, gps: true, creator: 'Ann Artist' });
}

function segments(): Segment[] {
  return [exifSegment(exif), xmpSegment(packet()), ...iccSegments(icc)];
}

/** The JPEG with these segments right before its scan. */
function withLateSegments(jpeg: Uint8Array, added: readonly Segment[]): Uint8Array {
  const at = Buffer.from(jpeg).lastIndexOf(Buffer.from([0xff, 0xda]));
  const before = withSegments(concat([0xff, 0xd8, 0xff, 0xda]), added).subarray(2, -2);
  return concat(jpeg.subarray(0, at), before, jpeg.subarray(at));
}

function withPngChunks(png: Uint8Array, chunks: readonly Uint8Array[]): Uint8Array {
  return concat(png.subarray(0, 33), ...chunks, png.subarray(33));
}

describe.each(Object.entries(KEPT))('%s that is kept', (_name, { make: makeSource, settings, coded }) => {
  it('stays as it is while its metadata does', async () => {
    const outcome = await compress(await makeSource(), settings);
    expect(outcome.status).toBe('kept');
    expect(outcome).not.toHaveProperty('detail', expect.stringContaining('metadata'));
  });

  it.each(POLICIES)('loses what %s takes away, and not a byte of its pixels', async (metadata) => {
    const source = await makeSource();
    const outcome = await compress(source, { ...settings, metadata });
    if (outcome.status !== 'compressed') throw new Error(JSON.stringify(outcome));
    expect(outcome).toMatchObject({ encoding: { lossless: true } });
    expect(outcome.detail).toMatch(/^only its metadata was removed \((no-gain|already-|unsupported-)/);
    const { bytes } = outcome;
    expect(bytes.length).toBeLessThan(source.length);
    const text = Buffer.from(bytes).toString('latin1');
    expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([]);
    expect(text.includes('Ann Artist')).toBe(metadata === 'copyright');
    const facts = inspectImage(new ImageFile(source))!;
    expect(inspectImage(new ImageFile(bytes))).toEqual(facts);
    expect(sameBytes(readMetadata({ format: facts.format, file: new ImageFile(bytes) }).icc!, icc)).toBe(true);
    expect(codedFrom(bytes, coded)).toBe(codedFrom(source, coded));
    expect(await pixelsOf(bytes)).toEqual(await pixelsOf(source));
  });

  it.each(POLICIES)('has nothing left for a second run under %s', async (metadata) => {
    const first = await compress(await makeSource(), { ...settings, metadata });
    if (first.status !== 'compressed') throw new Error(JSON.stringify(first));
    const second = await compress(first.bytes, { ...settings, metadata });
    expect(second.status).toBe('kept');
    expect(second).not.toHaveProperty('detail', expect.stringContaining('metadata'));
  });
});

test('a JPEG too large for this host to be packed tighter loses its metadata, too', async () => {
  const jpeg = await makeJpeg({ quality: 50, width: 1000, height: 800 });
  const source = withSegments(jpeg, [exifSegment(exif)]);
  const outcome = await compress(source, { metadata: 'strip' }, 8e6);
  expect(outcome).toMatchObject({ status: 'compressed', detail: expect.stringContaining('too large') });
});

/** A hundred coded bytes from where they begin. */
function codedFrom(bytes: Uint8Array, coded: string): string {
  const text = Buffer.from(bytes).toString('latin1');
  const at = text.indexOf(coded);
  expect(at).toBeGreaterThan(0);
  return text.slice(at, at + 100);
}

async function pixelsOf(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes, { failOn: 'warning', ignoreIcc: true, autoOrient: false }).raw().toBuffer();
}

describe('an image whose metadata cannot be removed is a failure, or kept and named where the settings say so:', () => {
  const photo = async () => withSegments(await makeJpeg(), [exifSegment(exif)]);
  const cases: Record<string, () => Promise<Uint8Array> | Uint8Array> = {
    'a second picture that is cut off': async () => withMultiPicture(await photo(), (await makeJpeg()).slice(0, 200)),
    'a box that nobody knows in an AVIF': async () =>
      concat(await makeAvif(), uint32(24), ascii('mpvd'), new Uint8Array(16).fill(7)),
    'unknown chunks that lean on the pixels': () => makePng({ chunks: [pngChunk('ukNO'), pngExif(exif)] }),
    'an AVIF': async () => {
      const source = { format: 'jpeg', file: new ImageFile(await photo()) } as const;
      return applyMetadata(source, new ImageFile(await makeAvif()), 'avif', 'keep', { orientation: 1 });
    },
    'a TIFF': async () => withTiffTags(await makeTiff(), [tiffText(270, 'Paris')]),
    'a GIF with XMP': async () => withGifXmp(await makeAnimation('gif'), packet()),
    'a GIF with a comment': async () => {
      const gif = await makeAnimation('gif');
      return concat(gif.subarray(0, -1), [0x21, 0xfe, 5], ascii('Paris'), [0, 0x3b]);
    },
    'an SVG with metadata': () => ascii('<svg xmlns="http://www.w3.org/2000/svg"><metadata>Paris</metadata></svg>'),
    'a Photoshop file, which is not read': () => ascii(`8BPS\0\x01${'\0'.repeat(40)}`),
  };
  test.each(Object.entries(cases))('%s', async (_name, makeSource) => {
    const source = await makeSource();
    const outcome = await compress(source, { mode: 'lossless', metadata: 'strip' });
    expect(outcome).toMatchObject({ status: 'failed', code: 'MetadataLeft' });
    const kept = await compress(source, { mode: 'lossless', metadata: 'strip', metadataLeft: 'keep' });
    expect(kept).toMatchObject({ status: 'kept', metadataLeft: expect.stringMatching(/./) });
    expect(await compress(source, { mode: 'lossless' })).not.toHaveProperty('metadataLeft');
  });

  test('a picture over the memory of its host', async () => {
    const source = withSegments(await makeJpeg({ quality: 50 }), [exifSegment(exif)]);
    const outcome = await compress(source, { effort: 'fast', metadata: 'strip' }, 30_000);
    expect(outcome).toMatchObject({ status: 'failed', code: 'TooLarge', hostTooSmall: true });
  });

  test('a picture with damage that its decoder reads over', async () => {
    const source = withSegments(await makeJpeg({ quality: 50 }), [exifSegment(exif)]);
    const doubtful = concat(source.subarray(0, -2), new Uint8Array(40).fill(0x55), [0xff, 0xd9]);
    const outcome = await compress(doubtful, { effort: 'fast', metadata: 'strip' });
    expect(outcome).toMatchObject({ status: 'failed', code: 'CorruptImage' });
  });
});

test.each([
  ['no metadata at all', () => makeJpeg({ quality: 50 })],
  ['an AVIF without any', () => makeAvif()],
  ['a TIFF of structural tags', () => makeTiff()],
  ['a drawing', () => ascii('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9"/></svg>')],
  ['a GIF without any', () => makeAnimation('gif')],
  ['an orientation alone, whatever its byte order', () => turnedBy({ orientation: 6, littleEndian: true })],
  ['a table of offsets that means nothing to a reader', () => makePng({ chunks: [pngChunk('iDOT')] })],
  ['a format without a place for it', () => ascii(`BM${'\0'.repeat(12)}\x28${'\0'.repeat(40)}`)],
])('nothing is said of metadata where there is nothing to take out: %s', async (_name, makeSource) => {
  const outcome = await compress(await makeSource(), {
    effort: 'fast',
    metadata: 'strip',
    minSavings: { percent: 99, bytes: 1 },
  });
  expect(outcome.status).toBe('kept');
  expect(outcome).not.toHaveProperty('detail', expect.stringContaining('metadata'));
});

async function turnedBy(content: ExifContent): Promise<Uint8Array> {
  const payload = concat(ascii('Exif\0\0'), buildExif(content));
  return withSegments(await makeJpeg({ quality: 50 }), [{ marker: 0xe1, payload }]);
}

describe.each(POLICIES)('an output holds nothing more than %s lets through', (policy) => {
  const sources: Record<string, () => Promise<Uint8Array>> = {
    jpeg: async () =>
      withSegments(await makeJpeg(), [
        ...segments(),
        iptcSegment({ byline: 'Ann IPTC', copyright: 'hers', city: 'Paris' }),
      ]),
    png: KEPT['a PNG']!.make,
    webp: KEPT['a WebP']!.make,
    camera: () => readFile('node_modules/exif-js/example/DSCN0614_small.jpg'),
  };
  test.each(Object.entries(sources))('made of %s', async (_name, makeSource) => {
    const source = await makeSource();
    const { format, orientation } = inspectImage(new ImageFile(source))!;
    const outputs = {
      jpeg: await makeJpeg(),
      png: makePng(),
      webp: await makeWebp(),
      avif: await makeAvif(),
    };
    for (const to of ['jpeg', 'png', 'webp', 'avif'] as const) {
      const bytes = applyMetadata({ format, file: new ImageFile(source) }, new ImageFile(outputs[to]), to, policy, {
        orientation,
      });
      expect([to, findMetadataLeft(policy, new ImageFile(bytes))]).toEqual([to, []]);
    }
    if (format === 'webp') return;
    const bytes = await (format === 'jpeg' ? recompressJpeg : recompressPng)(new ImageFile(source), policy);
    expect(findMetadataLeft(policy, new ImageFile(bytes))).toEqual([]);
  });
});
