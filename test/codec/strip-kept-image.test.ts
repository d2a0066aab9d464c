import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { applyMetadata } from '../../src/codec/apply-metadata.ts';
import { sameBytes } from '../../src/codec/bytes.ts';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { inspectImage, readMetadata } from '../../src/codec/inspect-image.ts';
import { recompressJpeg } from '../../src/codec/jpeg/recompress.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { buildExif, type ExifContent } from '../../src/codec/metadata/exif.ts';
import { recompressPng } from '../../src/codec/png/recompress.ts';
import { holdsMoreThan } from '../../src/codec/strip-kept-image.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import * as make from '../support/fixtures.ts';

const LEFT = 'its metadata was left in it';
const SECRETS = ['Paris', 'GPSLatitude', 'serial number', 'taken with', '2024:05:06'];
const POLICIES = ['strip', 'copyright'] as const;
const exif = { orientation: 6, artist: 'Ann Artist', make: 'taken with', gps: true } as const;

let icc: Uint8Array;

beforeAll(async () => {
  icc = await make.iccProfile();
});

const compress = (bytes: Uint8Array, changes: Partial<CompressionSettings>, memory = 2e9) =>
  compressBytes(bytes, { ...DEFAULT_COMPRESSION, ...changes }, { budget: createMemoryBudget(memory) });

/** Pictures that are kept for what their pixels are, by settings, with all kinds of metadata in them. */
const KEPT: Record<
  string,
  { make: () => Promise<Uint8Array>; settings: Partial<CompressionSettings>; coded: string }
> = {
  'a JPEG of low quality': {
    make: async () => {
      const jpeg = await make.makeJpeg({ quality: 50 });
      return make.withSegments(jpeg, [...segments(), make.commentSegment('from Paris')]);
    },
    settings: { effort: 'fast' },
    coded: '\xff\xdb',
  },
  'a JPEG that is packed tightly': {
    make: async () => make.withSegments(await make.makeJpeg({ quality: 50, progressive: true }), segments()),
    settings: { mode: 'lossless', minSavings: { percent: 90, bytes: 1 } },
    coded: '\xff\xdb',
  },
  'a JPEG with metadata behind its tables': {
    make: async () => withLateSegments(await make.makeJpeg({ quality: 50 }), segments()),
    settings: { effort: 'fast' },
    coded: '\xff\xda',
  },
  'a PNG': {
    make: async () =>
      make.makePng({
        chunks: [make.pngIcc(icc), make.pngText('Comment', 'Paris'), make.pngXmp(packet())],
        chunksAfter: [make.pngExif(exif), make.pngText('Copyright', 'hers')],
      }),
    settings: { minSavings: { percent: 90, bytes: 1 } },
    coded: 'IDAT',
  },
  'an animated PNG': {
    make: async () => withPngChunks(make.makeApng(), [make.pngIcc(icc), make.pngExif(exif)]),
    settings: { minSavings: { percent: 90, bytes: 1 } },
    coded: 'fcTL',
  },
  'a WebP': {
    make: async () =>
      make.extendedWebp(
        await make.makeWebp(),
        0x2c,
        [make.riffChunk('ICCP', icc)],
        [
          make.riffChunk('EXIF', make.exifBlock(exif)),
          make.riffChunk('XMP ', packet()),
          make.riffChunk('ABCD', make.ascii('a serial number')),
        ],
      ),
    settings: { mode: 'lossless' },
    coded: 'VP8 ',
  },
};

function packet(): Uint8Array {
  return make.xmpPacket({ orientation: 6, gps: true, creator: 'Ann Artist' });
}

function segments(): make.Segment[] {
  return [make.exifSegment(exif), make.xmpSegment(packet()), ...make.iccSegments(icc)];
}

/** The JPEG with these segments right before its scan. */
function withLateSegments(jpeg: Uint8Array, added: readonly make.Segment[]): Uint8Array {
  const at = Buffer.from(jpeg).lastIndexOf(Buffer.from([0xff, 0xda]));
  const before = make.withSegments(make.concat([0xff, 0xd8, 0xff, 0xda]), added).subarray(2, -2);
  return make.concat(jpeg.subarray(0, at), before, jpeg.subarray(at));
}

function withPngChunks(png: Uint8Array, chunks: readonly Uint8Array[]): Uint8Array {
  return make.concat(png.subarray(0, 33), ...chunks, png.subarray(33));
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
    const facts = inspectImage(source)!;
    expect(inspectImage(bytes)).toEqual(facts);
    expect(sameBytes(readMetadata(facts.format, bytes).icc!, icc)).toBe(true);
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
  const jpeg = await make.makeJpeg({ quality: 50, width: 1000, height: 800 });
  const source = make.withSegments(jpeg, [make.exifSegment(exif)]);
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

describe('metadata that cannot be cut out safely is left, and the outcome says so:', () => {
  const photo = async () => make.withSegments(await make.makeJpeg(), [make.exifSegment(exif)]);
  const cases: Record<string, () => Promise<Uint8Array> | Uint8Array> = {
    'content credentials': async () => make.withSegments(await photo(), [make.c2paSegment()]),
    'data behind the end': async () => make.withTrailingBytes(await photo(), 40),
    'a gain map': () => make.makeGainMapJpeg(),
    'several pictures': async () => make.withMultiPicture(await photo(), await make.makeJpeg({ seed: 2 })),
    'unknown chunks that lean on the pixels': () =>
      make.makePng({ chunks: [make.pngChunk('ukNO'), make.pngExif(exif)] }),
    'an AVIF': async () => {
      const source = { format: 'jpeg', bytes: await photo() } as const;
      return applyMetadata(source, await make.makeAvif(), 'avif', 'keep', { orientation: 1 });
    },
    'a TIFF': async () => make.withTiffTags(await make.makeTiff(), [make.tiffText(270, 'Paris')]),
    'a GIF with XMP': async () => make.withGifXmp(await make.makeAnimation('gif'), packet()),
    'a GIF with a comment': async () => {
      const gif = await make.makeAnimation('gif');
      return make.concat(gif.subarray(0, -1), [0x21, 0xfe, 5], make.ascii('Paris'), [0, 0x3b]);
    },
    'a Photoshop file, where nobody looks': () => make.ascii(`8BPS\0\x01${'\0'.repeat(40)}`),
  };
  test.each(Object.entries(cases))('%s', async (_name, makeSource) => {
    const source = await makeSource();
    const outcome = await compress(source, { mode: 'lossless', metadata: 'strip' });
    expect(outcome).toMatchObject({ status: 'kept', detail: expect.stringContaining(LEFT) });
    expect(await compress(source, { mode: 'lossless' })).not.toHaveProperty(
      'detail',
      expect.stringContaining(LEFT),
    );
  });

  test('a picture over the memory of its host', async () => {
    const source = make.withSegments(await make.makeJpeg({ quality: 50 }), [make.exifSegment(exif)]);
    const outcome = await compress(source, { effort: 'fast', metadata: 'strip' }, 30_000);
    expect(outcome).toMatchObject({ status: 'kept', detail: expect.stringContaining(LEFT) });
  });

  test('a picture with damage that its decoder reads over', async () => {
    const source = make.withSegments(await make.makeJpeg({ quality: 50 }), [make.exifSegment(exif)]);
    const damaged = make.concat(source.subarray(0, -2), new Uint8Array(40).fill(0x55), [0xff, 0xd9]);
    const outcome = await compress(damaged, { effort: 'fast', metadata: 'strip' });
    expect(outcome).toMatchObject({ status: 'kept', detail: expect.stringContaining(LEFT) });
  });
});

test.each([
  ['no metadata at all', () => make.makeJpeg({ quality: 50 })],
  ['an AVIF without any', () => make.makeAvif()],
  ['a GIF without any', () => make.makeAnimation('gif')],
  ['an orientation alone, whatever its byte order', () => turnedBy({ orientation: 6, littleEndian: true })],
  [
    'a table of offsets that means nothing to a reader',
    () => make.makePng({ chunks: [make.pngChunk('iDOT')] }),
  ],
  ['a format without a place for it', () => make.ascii(`BM${'\0'.repeat(12)}\x28${'\0'.repeat(40)}`)],
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
  const payload = make.concat(make.ascii('Exif\0\0'), buildExif(content));
  return make.withSegments(await make.makeJpeg({ quality: 50 }), [{ marker: 0xe1, payload }]);
}

describe.each(POLICIES)('an output holds nothing more than %s lets through', (policy) => {
  const sources: Record<string, () => Promise<Uint8Array>> = {
    jpeg: async () =>
      make.withSegments(await make.makeJpeg(), [
        ...segments(),
        make.iptcSegment({ byline: 'Ann IPTC', copyright: 'hers', city: 'Paris' }),
      ]),
    png: KEPT['a PNG']!.make,
    webp: KEPT['a WebP']!.make,
    camera: () => readFile('node_modules/exif-js/example/DSCN0614_small.jpg'),
  };
  test.each(Object.entries(sources))('made of %s', async (_name, makeSource) => {
    const source = await makeSource();
    const { format, orientation } = inspectImage(source)!;
    const outputs = {
      jpeg: await make.makeJpeg(),
      png: make.makePng(),
      webp: await make.makeWebp(),
      avif: await make.makeAvif(),
    };
    for (const to of ['jpeg', 'png', 'webp', 'avif'] as const) {
      const bytes = applyMetadata({ format, bytes: source }, outputs[to], to, policy, { orientation });
      expect([to, holdsMoreThan(policy, { format: to, bytes, orientation })]).toEqual([to, false]);
    }
    if (format === 'webp') return;
    const bytes = await (format === 'jpeg' ? recompressJpeg : recompressPng)(source, policy);
    expect(holdsMoreThan(policy, { format, bytes, orientation })).toBe(false);
  });
});
