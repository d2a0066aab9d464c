import { describe, expect, test } from 'vitest';
import { sameBytes } from '../../src/codec/bytes.ts';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage } from '../../src/codec/inspect-image.ts';
import { readPictureEntries } from '../../src/codec/jpeg/multi-picture.ts';
import { type Jpeg, readJpeg } from '../../src/codec/jpeg/segments.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { findMetadataLeft } from '../../src/codec/metadata-left.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { ascii, concat } from '../support/fixtures/bytes.ts';
import { makeAnimation, makeWebp } from '../support/fixtures/gif-and-webp.ts';
import {
  c2paSegment,
  commentSegment,
  exifSegment,
  makeJpeg,
  withSegments,
  xmpSegment,
} from '../support/fixtures/jpeg.ts';
import { withMultiPicture } from '../support/fixtures/jpeg-parts.ts';
import { xmpDescription, xmpPacket } from '../support/fixtures/metadata.ts';
import { makePng, pngChunk } from '../support/fixtures/png.ts';

const compress = (bytes: Uint8Array, changes: Partial<CompressionSettings>) =>
  compressBytes(bytes, { ...DEFAULT_COMPRESSION, ...changes }, { budget: createMemoryBudget(2e9) });

async function compressed(source: Uint8Array, changes: Partial<CompressionSettings>) {
  const outcome = await compress(source, changes);
  if (outcome.status !== 'compressed') throw new Error(JSON.stringify(outcome));
  return outcome;
}

const SECRETS = ['Paris', 'GPSLatitude', '2024:05:06', 'taken with', 'c2pa'];
const secretsIn = (bytes: Uint8Array) => SECRETS.filter((secret) => Buffer.from(bytes).includes(secret));
const camera = exifSegment({ make: 'taken with', gps: true, artist: 'Ann Artist' });
const place = xmpSegment(xmpPacket({ gps: true, creator: 'Ann Artist' }));

const HDRGM = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"';
const PARAMETERS = `${HDRGM} xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Paris" hdrgm:Version="1.0" hdrgm:HDRCapacityMax="2.3"`;
const LISTS =
  '<hdrgm:GainMapMax><rdf:Seq><rdf:li>1.1</rdf:li><rdf:li>1.2</rdf:li><rdf:li>1.3</rdf:li></rdf:Seq></hdrgm:GainMapMax>';

/** A photograph with a gain map, and with a place in both pictures. */
async function gainMapPhoto(): Promise<Uint8Array> {
  const map = await makeJpeg({ width: 48, height: 32, colourspace: 'b-w', seed: 3 });
  const photo = await makeJpeg({ width: 300, height: 200, quality: 95 });
  return withMultiPicture(
    withSegments(photo, [camera, xmpSegment(xmpDescription(`${HDRGM} hdrgm:Version="1.0" tiff:Make="Paris"`))]),
    withSegments(map, [exifSegment({ gps: true }), xmpSegment(xmpDescription(PARAMETERS, LISTS))]),
  );
}

const codedOf = ({ segments }: Jpeg) =>
  segments
    .filter(({ kind }) => kind === 'coding')
    .map(({ payload, coded }) => Buffer.concat([payload, coded ?? new Uint8Array()]));

describe.each(['strip', 'copyright'] as const)('%s cleans every picture of a JPEG', (metadata) => {
  test.each([
    ['repacked', { mode: 'lossless' }],
    ['kept', { mode: 'lossless', minSavings: { percent: 99, bytes: 1 } }],
    ['in a lossy mode', {}],
  ] as const)('a gain map keeps what shows it, %s', async (_name, changes) => {
    const source = await gainMapPhoto();
    const { bytes, detail } = await compressed(source, { ...changes, metadata });
    expect(secretsIn(bytes)).toEqual([]);
    expect(detail).toContain('metadata of its pictures');
    expect(findMetadataLeft(metadata, new ImageFile(bytes))).toEqual([]);
    expect(inspectImage(new ImageFile(bytes))).toMatchObject({ gainMap: true, trailingBytes: 0, width: 300 });
    const [before, after] = [readJpeg(source), readJpeg(bytes)];
    const [first, second] = readPictureEntries(after);
    expect([first?.length, second?.start, second!.start + second!.length]).toEqual([
      after.end,
      after.end,
      bytes.length,
    ]);
    const maps = [readJpeg(source.subarray(before.end)), readJpeg(bytes.subarray(after.end))] as const;
    expect(codedOf(maps[1])).toEqual(codedOf(maps[0]));
    const text = Buffer.from(bytes.subarray(after.end)).toString('latin1');
    expect(text).toMatch(/hdrgm:HDRCapacityMax="2.3"/);
    expect(text).toMatch(/<rdf:li>1.1<\/rdf:li><rdf:li>1.2<\/rdf:li><rdf:li>1.3<\/rdf:li>/);
    expect(Buffer.from(bytes.subarray(0, after.end)).includes('hdrgm:Version="1.0"')).toBe(true);
    expect(Buffer.from(bytes).includes('Ann Artist')).toBe(metadata === 'copyright');
  });

  test('both views of a stereo picture stay, without their places', async () => {
    const [left, right] = [await makeJpeg({ width: 200 }), await makeJpeg({ width: 200, seed: 2 })];
    const source = withMultiPicture(
      withSegments(left, [camera, place]),
      withSegments(right, [camera, place]),
      0x020002,
    );
    const { bytes } = await compressed(source, { metadata, mode: 'lossless' });
    expect(secretsIn(bytes)).toEqual([]);
    expect(inspectImage(new ImageFile(bytes))).toMatchObject({ multiPicture: true, trailingBytes: 0 });
    const after = readJpeg(bytes);
    expect(codedOf(after)).toEqual(codedOf(readJpeg(left)));
    expect(codedOf(readJpeg(bytes.subarray(after.end)))).toEqual(codedOf(readJpeg(right)));
  });
});

describe('content credentials', () => {
  const signed = {
    JPEG: async () =>
      withSegments(await makeJpeg({ width: 300, height: 200 }), [camera, c2paSegment(), commentSegment('x')]),
    PNG: async () => makePng({ chunks: [pngChunk('caBX', ascii('jumb c2pa'))] }),
  };
  test.each(Object.entries(signed))('of a %s go under strip, and where the settings drop them', async (_name, make) => {
    const source = await make();
    for (const changes of [{ metadata: 'strip' }, { contentCredentials: 'drop' }] as const) {
      for (const mode of ['lossless', 'quality'] as const) {
        const { bytes, detail } = await compressed(source, { ...changes, mode });
        expect(Buffer.from(bytes).includes('c2pa')).toBe(false);
        expect(detail).toContain('without content credentials');
      }
    }
  });

  test('under keep every other part of the image stays', async () => {
    const { bytes } = await compressed(await signed.JPEG(), { contentCredentials: 'drop', mode: 'lossless' });
    expect(Buffer.from(bytes).includes('taken with')).toBe(true);
    expect(readJpeg(bytes).segments.some(({ kind }) => kind === 'comment')).toBe(true);
  });

  test('stay where nothing drops them: copyright then says that metadata is left', async () => {
    const source = await signed.JPEG();
    expect(await compress(source, {})).toMatchObject({ status: 'kept', reason: 'content-credentials' });
    expect(await compress(source, { metadata: 'copyright' })).toMatchObject({
      status: 'failed',
      code: 'MetadataLeft',
      message: expect.stringContaining('content credentials'),
    });
  });
});

describe('unknown data after the end', () => {
  const hidden = ascii('a picture that somebody cut away');
  const files = {
    JPEG: async () => withSegments(await makeJpeg({ width: 300, height: 200 }), [camera]),
    PNG: async () => makePng(),
    WebP: () => makeWebp({ lossless: true }),
    GIF: () => makeAnimation('gif'),
  };
  test.each(Object.entries(files))('of a %s goes under strip, and where the settings drop it', async (_name, make) => {
    const source = concat(await make(), hidden);
    for (const changes of [{ metadata: 'strip' }, { trailingData: 'drop' }] as const) {
      const { bytes, detail } = await compressed(source, { ...changes, mode: 'lossless' });
      expect(Buffer.from(bytes).includes('somebody')).toBe(false);
      expect(detail).toContain('data after its end');
    }
  });

  test('an image that is kept is cut, and not changed in any other byte', async () => {
    const file = await files.GIF();
    const { bytes, detail } = await compressed(concat(file, hidden), { trailingData: 'drop' });
    expect(sameBytes(bytes, file)).toBe(true);
    expect(detail).toMatch(/^only data after its end was removed \(unsupported-format/);
  });
});

test.each([
  ['JPEG', async () => withSegments(await makeJpeg({ width: 300, height: 200, quality: 95 }), [camera])],
  ['PNG', async () => makePng()],
] as const)('unknown data after the end of a %s is carried byte for byte under keep, and counted', async (_name, make) => {
  const hidden = ascii('\nnobody knows what this is');
  const source = concat(await make(), hidden);
  for (const mode of ['lossless', 'quality'] as const) {
    const { bytes, hiddenBytes } = await compressed(source, { mode });
    expect(sameBytes(bytes.subarray(-hidden.length), hidden)).toBe(true);
    expect(hiddenBytes).toBe(hidden.length);
  }
  const kept = await compress(source, { format: 'webp' });
  expect(kept).toMatchObject({ status: 'kept', reason: 'trailing-data', hiddenBytes: hidden.length });
});
