import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { applyMetadata } from '../../src/codec/apply-metadata.ts';
import { sameBytes } from '../../src/codec/bytes.ts';
import { CorruptImageError } from '../../src/codec/corrupt-image-error.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage, readMetadata, sniffFormat } from '../../src/codec/inspect-image.ts';
import { readXmpOrientation } from '../../src/codec/metadata/xmp.ts';
import { readPng } from '../../src/codec/png/chunks.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { ascii, concat, uint16, uint32 } from '../support/fixtures/bytes.ts';
import { mutated } from '../support/fixtures/damage.ts';
import { extendedWebp, makeAnimation, makeWebp, riffChunk } from '../support/fixtures/gif-and-webp.ts';
import {
  commentSegment,
  exifSegment,
  extendedXmpSegments,
  iccSegments,
  iptcSegment,
  jfif,
  makeJpeg,
  withSegments,
  xmpSegment,
} from '../support/fixtures/jpeg.ts';
import { type ExifOptions, exifBlock, iccProfile, xmpDescription, xmpPacket } from '../support/fixtures/metadata.ts';
import { photoPixels } from '../support/fixtures/pixels.ts';
import { makePng, pngChunk, pngExif, pngGamma, pngIcc, pngText, pngXmp } from '../support/fixtures/png.ts';

const FORMATS = ['jpeg', 'png', 'webp', 'avif'] as const;
type Format = (typeof FORMATS)[number];

const SECRETS = ['Paris', 'GPSLatitude', '48,51', 'serial number', 'taken with', '2024:05:06'];

const outputs = {} as Record<Format, Uint8Array>;
const sources = {} as Record<Format, Uint8Array>;
let icc: Uint8Array;

const exif: ExifOptions = {
  byteOrder: 'II',
  orientation: 6,
  artist: 'Ann Artist',
  copyright: '(c) Ann',
  make: 'taken with',
  gps: true,
  makerNote: ascii('a maker note with a serial number'),
};

beforeAll(async () => {
  icc = await iccProfile(70_000);
  for (const format of FORMATS) outputs[format] = await encoded(format);
  const xmp = xmpPacket({ orientation: 6, gps: true, creator: 'Ann X', rights: 'hers' });
  const thumbnail = await makeJpeg({ width: 32, height: 24 });
  sources.jpeg = withSegments(await makeJpeg(), [
    jfif(),
    exifSegment({ ...exif, thumbnail }),
    xmpSegment(xmp),
    ...iccSegments(icc),
    iptcSegment({ byline: 'Ann IPTC', copyright: 'hers', city: 'Paris' }),
    commentSegment('a comment from Paris'),
  ]);
  sources.png = makePng({
    width: 96,
    height: 64,
    chunks: [pngIcc(icc), pngXmp(xmp), pngText('Comment', 'from Paris')],
    chunksAfter: [pngExif({ ...exif, thumbnail })],
  });
  for (const format of ['webp', 'avif'] as const) {
    const jpeg = { format: 'jpeg', file: new ImageFile(sources.jpeg) } as const;
    sources[format] = applyMetadata(jpeg, new ImageFile(outputs[format]), format, 'keep', { orientation: 6 });
  }
});

/** As an encoder writes it: pixels and nothing else. */
async function encoded(format: Format): Promise<Uint8Array> {
  const raw = { width: 96, height: 64, channels: 3 as const };
  const image = sharp(photoPixels(96, 64), { raw });
  return new Uint8Array(await image.toFormat(format, format === 'avif' ? { effort: 0 } : {}).toBuffer());
}

async function pixelsOf(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes, { failOn: 'warning', ignoreIcc: true, autoOrient: false }).raw().toBuffer();
}

const pairs = FORMATS.flatMap((from) => FORMATS.map((to) => [from, to] as const));

describe.each(pairs)('applyMetadata from %s to %s', (from, to) => {
  const apply = (policy: 'keep' | 'copyright' | 'strip', orientation: number) =>
    applyMetadata({ format: from, file: new ImageFile(sources[from]) }, new ImageFile(outputs[to]), to, policy, {
      orientation,
    });

  it('carries EXIF, XMP, profile and orientation under keep (R16)', async () => {
    const result = apply('keep', 6);
    expect(inspectImage(new ImageFile(result))).toMatchObject({
      format: to,
      orientation: 6,
      icc: true,
      width: 96,
      height: 64,
    });
    const found = readMetadata({ format: to, file: new ImageFile(result) });
    expect(sameBytes(found.icc!, icc)).toBe(true);
    const text = Buffer.from(found.exif!).toString('latin1');
    for (const kept of ['Ann Artist', 'serial number', '2024:05:06']) expect(text.includes(kept)).toBe(true);
    expect(Buffer.from(found.xmp!).includes('Ann X')).toBe(true);
    const seen = await sharp(result).metadata();
    expect(seen.icc?.length).toBe(icc.length);
    expect(seen.xmpAsString).toContain('Ann X');
  });

  it('shows the picture the same way round as its pixels say, and never twice (R01, R02)', async () => {
    const turned = await sharp(apply('keep', 6)).autoOrient().toBuffer({ resolveWithObject: true });
    expect([turned.info.width, turned.info.height]).toEqual([64, 96]);
    const upright = apply('keep', 1);
    expect(inspectImage(new ImageFile(upright))?.orientation).toBe(1);
    expect(readXmpOrientation(readMetadata({ format: to, file: new ImageFile(upright) }).xmp!)).toBe(1);
    const { info } = await sharp(upright).autoOrient().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([96, 64]);
  });

  it('leaves the pixels as they are', async () => {
    expect((await pixelsOf(apply('keep', 1))).equals(await pixelsOf(outputs[to]))).toBe(true);
  });

  it('keeps credits and nothing of the place under copyright (R15)', () => {
    const result = apply('copyright', 6);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6, icc: true });
    const text = Buffer.from(result).toString('latin1');
    for (const credit of ['Ann Artist', '(c) Ann', 'Ann X', 'hers']) expect(text.includes(credit)).toBe(true);
    expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([]);
  });

  it('keeps profile and orientation only under strip (R01, R04)', () => {
    const result = apply('strip', 6);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6, icc: true });
    const { exif: left, xmp } = readMetadata({ format: to, file: new ImageFile(result) });
    expect(xmp).toBeUndefined();
    expect(left?.length ?? 0).toBeLessThan(30);
    expect(readMetadata({ format: to, file: new ImageFile(apply('strip', 1)) }).exif).toBeUndefined();
    const text = Buffer.from(result).toString('latin1');
    expect([...SECRETS, 'Ann'].filter((secret) => secret !== 'Ann' && text.includes(secret))).toEqual([]);
  });
});

describe('applyMetadata', () => {
  it('carries EXIF byte for byte but for the orientation', () => {
    const before = readMetadata({ format: 'jpeg', file: new ImageFile(sources.jpeg) }).exif!;
    const bytesOf = (orientation: number) =>
      readMetadata({
        format: 'jpeg',
        file: new ImageFile(
          applyMetadata(
            { format: 'jpeg', file: new ImageFile(sources.jpeg) },
            new ImageFile(outputs.jpeg),
            'jpeg',
            'keep',
            { orientation },
          ),
        ),
      }).exif!;
    expect(sameBytes(bytesOf(6), before)).toBe(true);
    const upright = bytesOf(1);
    expect(upright.length).toBe(before.length);
    const changed = [...before.keys()].filter((at) => before[at] !== upright[at]);
    // The value, and the link to a thumbnail that would now be shown turned.
    expect(changed.length).toBeLessThanOrEqual(5);
  });

  it('keeps comments, IPTC, density and unknown segments of a JPEG in their order', () => {
    const result = applyMetadata(
      { format: 'jpeg', file: new ImageFile(sources.jpeg) },
      new ImageFile(outputs.jpeg),
      'jpeg',
      'keep',
      {
        orientation: 6,
      },
    );
    const text = Buffer.from(result).toString('latin1');
    for (const kept of ['JFIF', '8BIM', 'a comment from Paris']) expect(text.includes(kept)).toBe(true);
    expect(text.indexOf('JFIF')).toBe(6);
  });

  it('leaves the profile that the encoder wrote', async () => {
    const own = new Uint8Array(await sharp(outputs.png).withIccProfile('srgb').jpeg().toBuffer());
    const result = applyMetadata(
      { format: 'jpeg', file: new ImageFile(sources.jpeg) },
      new ImageFile(own),
      'jpeg',
      'keep',
      {
        orientation: 6,
      },
    );
    expect(
      sameBytes(
        readMetadata({ format: 'jpeg', file: new ImageFile(result) }).icc!,
        readMetadata({ format: 'jpeg', file: new ImageFile(own) }).icc!,
      ),
    ).toBe(true);
  });

  it('does not put a profile for RGB on a grey picture', async () => {
    const grey = new Uint8Array(await sharp(outputs.png).toColourspace('b-w').jpeg().toBuffer());
    const result = applyMetadata(
      { format: 'png', file: new ImageFile(sources.png) },
      new ImageFile(grey),
      'jpeg',
      'keep',
      {
        orientation: 1,
      },
    );
    expect(inspectImage(new ImageFile(result))).toMatchObject({ colour: 'grey', icc: false });
  });

  it('says the credits of IPTC in XMP where a format has no place for IPTC', async () => {
    const source = withSegments(await makeJpeg(), [iptcSegment({ byline: 'Ann IPTC', city: 'Paris' })]);
    const result = applyMetadata(
      { format: 'jpeg', file: new ImageFile(source) },
      new ImageFile(outputs.webp),
      'webp',
      'copyright',
      {
        orientation: 1,
      },
    );
    const { xmp } = readMetadata({ format: 'webp', file: new ImageFile(result) });
    expect(Buffer.from(xmp!).toString()).toMatch(/<dc:creator>.*Ann IPTC/);
  });

  it('joins extended XMP where a format holds any length, and splits it where not', async () => {
    const guid = 'A1B2C3D4E5F60718293A4B5C6D7E8F90';
    const long = '<x:y xmlns:x="urn:y">depth</x:y>'.repeat(4000);
    const source = withSegments(await makeJpeg(), [
      xmpSegment(xmpPacket({ creator: 'Ann', extended: guid })),
      ...extendedXmpSegments(xmpDescription('', long), guid),
    ]);
    const webp = applyMetadata(
      { format: 'jpeg', file: new ImageFile(source) },
      new ImageFile(outputs.webp),
      'webp',
      'keep',
      {
        orientation: 1,
      },
    );
    const packet = Buffer.from(readMetadata({ format: 'webp', file: new ImageFile(webp) }).xmp!).toString();
    expect(packet.includes(long) && packet.includes('Ann') && !packet.includes('HasExtendedXMP')).toBe(true);
    const jpeg = applyMetadata(
      { format: 'webp', file: new ImageFile(webp) },
      new ImageFile(outputs.jpeg),
      'jpeg',
      'keep',
      {
        orientation: 1,
      },
    );
    expect(Buffer.from(readMetadata({ format: 'jpeg', file: new ImageFile(jpeg) }).xmp!).includes(long)).toBe(true);
  });

  it('leaves a second EXIF as it is when an orientation does not fit into it', async () => {
    const empty = concat(ascii('Exif\0\0MM\0*'), uint32(8), uint16(0), uint32(0));
    const full = { marker: 0xe1, payload: concat(empty, new Uint8Array(65_533 - empty.length)) };
    const source = withSegments(await makeJpeg(), [exifSegment({ orientation: 6 }), full]);
    const result = applyMetadata(
      { format: 'jpeg', file: new ImageFile(source) },
      new ImageFile(outputs.jpeg),
      'jpeg',
      'keep',
      {
        orientation: 6,
      },
    );
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6 });
    expect(Buffer.from(result).includes(Buffer.from(full.payload))).toBe(true);
  });

  it.each([
    ['credits and orientation', { make: 'x'.repeat(70_000), artist: 'Ann Artist' }, 'Ann Artist'],
    ['orientation alone', { artist: 'x'.repeat(70_000) }, ''],
  ])('hands the %s on of an EXIF that is too large for a JPEG', (_, options, credit) => {
    const png = makePng({ chunks: [pngExif({ orientation: 6, ...options })] });
    const result = applyMetadata(
      { format: 'png', file: new ImageFile(png) },
      new ImageFile(outputs.jpeg),
      'jpeg',
      'keep',
      {
        orientation: 6,
      },
    );
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation: 6 });
    expect(Buffer.from(result).toString('latin1')).toContain(credit);
    expect(result.length - outputs.jpeg.length).toBeLessThan(200);
  });

  it('carries the metadata of a real camera file', async () => {
    const source = new Uint8Array(await readFile('node_modules/exif-js/example/DSCN0614_small.jpg'));
    const before = readMetadata({ format: 'jpeg', file: new ImageFile(source) }).exif!;
    for (const format of FORMATS) {
      const result = applyMetadata(
        { format: 'jpeg', file: new ImageFile(source) },
        new ImageFile(outputs[format]),
        format,
        'keep',
        {
          orientation: 1,
        },
      );
      expect(sameBytes(readMetadata({ format: format, file: new ImageFile(result) }).exif!, before)).toBe(true);
      const stripped = applyMetadata(
        { format: 'jpeg', file: new ImageFile(source) },
        new ImageFile(outputs[format]),
        format,
        'copyright',
        {
          orientation: 1,
        },
      );
      expect(Buffer.from(stripped).includes('NIKON')).toBe(false);
    }
  });

  it('keeps what a PNG says besides, when the pixels were encoded anew', () => {
    const source = makePng({
      chunks: [pngGamma(50_000), pngText('Title', 'a'), pngText('Title', 'b')],
    });
    const result = applyMetadata(
      { format: 'png', file: new ImageFile(source) },
      new ImageFile(outputs.png),
      'png',
      'keep',
      {
        orientation: 1,
      },
    );
    const text = Buffer.from(result).toString('latin1');
    expect(text.match(/tEXtTitle/g)).toHaveLength(2);
    expect(text.includes('gAMA')).toBe(true);
  });

  it.each([
    'gAMA',
    'cICP',
    'mDCV',
    'mDCv',
    'cLLI',
    'cLLi',
  ])('drops %s where the encoder wrote a profile of its own', async (type) => {
    const source = makePng({ chunks: [pngChunk(type, new Uint8Array(24))] });
    const own = new Uint8Array(await sharp(outputs.png).withIccProfile('srgb').png().toBuffer());
    const result = applyMetadata({ format: 'png', file: new ImageFile(source) }, new ImageFile(own), 'png', 'keep', {
      orientation: 1,
    });
    expect(Buffer.from(result).includes('iCCP')).toBe(true);
    expect(Buffer.from(result).includes(type)).toBe(false);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('turns AVIF for orientation %i as EXIF does JPEG', async (orientation) => {
    const small = photoPixels(96, 64);
    const raw = { width: 96, height: 64, channels: 3 as const };
    const avif = new Uint8Array(await sharp(small, { raw }).avif({ effort: 0, lossless: true }).toBuffer());
    const jpeg = withSegments(await makeJpeg(), [exifSegment({ orientation })]);
    const result = applyMetadata({ format: 'jpeg', file: new ImageFile(jpeg) }, new ImageFile(avif), 'avif', 'keep', {
      orientation,
    });
    expect(inspectImage(new ImageFile(result))).toMatchObject({ orientation, width: 96, height: 64 });
    const seen = await sharp(result).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const png = new Uint8Array(await sharp(avif).removeAlpha().png().toBuffer());
    const flat = applyMetadata({ format: 'jpeg', file: new ImageFile(jpeg) }, new ImageFile(png), 'png', 'keep', {
      orientation,
    });
    const expected = await sharp(flat).autoOrient().removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([seen.info.width, seen.info.height]).toEqual([expected.info.width, expected.info.height]);
    expect(seen.data.equals(expected.data)).toBe(true);
  });

  it('keeps transparency of AVIF and WebP', async () => {
    const avif = await makeAvif({ alpha: true });
    const result = applyMetadata(
      { format: 'jpeg', file: new ImageFile(sources.jpeg) },
      new ImageFile(avif),
      'avif',
      'keep',
      {
        orientation: 6,
      },
    );
    expect(inspectImage(new ImageFile(result))).toMatchObject({ alpha: true, orientation: 6 });
    expect((await sharp(result).metadata()).hasAlpha).toBe(true);
    const webp = await makeWebp({ alpha: true, lossless: true });
    const second = applyMetadata(
      { format: 'jpeg', file: new ImageFile(sources.jpeg) },
      new ImageFile(webp),
      'webp',
      'keep',
      {
        orientation: 1,
      },
    );
    expect((await pixelsOf(second)).equals(await pixelsOf(webp))).toBe(true);
    expect(inspectImage(new ImageFile(second))).toMatchObject({ alpha: true });
  });

  it.each([
    ['keep', true],
    ['copyright', false],
    ['strip', false],
  ] as const)('carries chunks of WebP that nobody knows under %s: %s', (policy, carries) => {
    const foreign = riffChunk('ABCD', ascii('who knows what'));
    const source = extendedWebp(outputs.webp, 0, [], [foreign]);
    const result = applyMetadata(
      { format: 'webp', file: new ImageFile(source) },
      new ImageFile(outputs.webp),
      'webp',
      policy,
      {
        orientation: 1,
      },
    );
    expect(Buffer.from(result).includes(Buffer.from(foreign))).toBe(carries);
    expect(inspectImage(new ImageFile(result))).toMatchObject({ width: 96, height: 64, trailingBytes: 0 });
  });

  it('applies no profile and no orientation that a WebP has but does not announce, as viewers do', async () => {
    const source = extendedWebp(
      outputs.webp,
      0,
      [riffChunk('ICCP', icc)],
      [riffChunk('EXIF', exifBlock({ orientation: 6, artist: 'Ann Artist' }))],
    );
    expect(inspectImage(new ImageFile(source))).toMatchObject({ icc: false, orientation: 1 });
    for (const to of FORMATS) {
      const result = applyMetadata(
        { format: 'webp', file: new ImageFile(source) },
        new ImageFile(outputs[to]),
        to,
        'keep',
        {
          orientation: 1,
        },
      );
      expect(inspectImage(new ImageFile(result))).toMatchObject({ icc: false, orientation: 1 });
      expect((await sharp(result).metadata()).icc).toBeUndefined();
      expect(Buffer.from(readMetadata({ format: to, file: new ImageFile(result) }).exif!).includes('Ann Artist')).toBe(
        true,
      );
    }
  });

  it('keeps the animation of WebP (R07)', async () => {
    const webp = await makeAnimation('webp');
    const result = applyMetadata(
      { format: 'jpeg', file: new ImageFile(sources.jpeg) },
      new ImageFile(webp),
      'webp',
      'keep',
      {
        orientation: 1,
      },
    );
    expect(inspectImage(new ImageFile(result))).toMatchObject({ pages: 4 });
    expect((await sharp(result, { animated: true }).metadata()).pages).toBe(4);
  });

  // Viewers ignore colours that follow the pixels: moved in front of them, they would change the picture.
  test.each([
    ['gAMA', pngGamma(100_000)],
    ['cICP', pngChunk('cICP', Uint8Array.of(9, 16, 0, 1))],
  ])('leaves a %s behind the pixels where it has no effect', (type, chunk) => {
    const source = makePng({ chunks: [pngText('Author', 'Ann')], chunksAfter: [chunk] });
    const from = { format: 'png', file: new ImageFile(source) } as const;
    const result = applyMetadata(from, new ImageFile(makePng({ colourType: 3 })), 'png', 'keep', { orientation: 1 });
    expect(readPng(result).chunks.map((one) => one.type)).toEqual(['IHDR', 'tEXt', 'PLTE', 'IDAT', type, 'IEND']);
  });

  test.each(FORMATS)('answers damaged metadata in %s with a sound output or CorruptImageError', async (from) => {
    for (let round = 0; round < 250; round++) {
      const bytes = mutated(sources[from], round);
      const to = FORMATS[round % 4]!;
      const policy = (['keep', 'copyright', 'strip'] as const)[round % 3]!;
      try {
        const result = applyMetadata(
          { format: from, file: new ImageFile(bytes) },
          new ImageFile(outputs[to]),
          to,
          policy,
          {
            orientation: 1 + (round % 8),
          },
        );
        expect(sniffFormat(result)).toBe(to);
        expect(inspectImage(new ImageFile(result))).toMatchObject({ width: 96, height: 64 });
        if (round % 10 === 0) expect((await pixelsOf(result)).length).toBe(96 * 64 * 3);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptImageError);
      }
    }
  });
});
