import sharp from 'sharp';
import { expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { encodeImage } from '../../src/codec/encode-image.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage, readMetadata } from '../../src/codec/inspect-image.ts';
import { readPictureEntries } from '../../src/codec/jpeg/multi-picture.ts';
import { readJpeg } from '../../src/codec/jpeg/segments.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { readXmpOrientation } from '../../src/codec/metadata/xmp.ts';
import type { BytesOutcome } from '../../src/codec/outcome.ts';
import { findLowest, SCORE_FLOOR } from '../../src/codec/search-quality.ts';
import { findPixelFault } from '../../src/codec/verify-image.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { lossy, SEARCH_RANGE } from '../../src/core/recipe.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { makeAvif } from '../support/fixtures/avif.ts';
import { ascii, concat } from '../support/fixtures/bytes.ts';
import { bitRotten, truncated } from '../support/fixtures/damage.ts';
import { makeAnimation, makeWebp } from '../support/fixtures/gif-and-webp.ts';
import { exifSegment, iccSegments, makeJpeg, withSegments, xmpSegment } from '../support/fixtures/jpeg.ts';
import { makeGainMapJpeg, makeJpegWithPreview, makeMotionVideo, samsungSef } from '../support/fixtures/jpeg-parts.ts';
import { iccProfile, xmpPacket } from '../support/fixtures/metadata.ts';
import { photoPixels } from '../support/fixtures/pixels.ts';
import { makeApng, makePng, pngExif, pngIcc, pngXmp } from '../support/fixtures/png.ts';

/** Problems that users of such systems had. Each test names one and proves that it does not occur here. */

type Changes = Partial<CompressionSettings>;
const budget = createMemoryBudget(2e9);
const EAGER: CompressionSettings = {
  ...DEFAULT_COMPRESSION,
  quality: 60,
  minSavings: { percent: 0, bytes: 1 },
};

function compress(source: Uint8Array, changes: Changes = {}): Promise<BytesOutcome> {
  return compressBytes(source, { ...EAGER, ...changes }, { budget });
}

async function compressed(source: Uint8Array, changes: Changes = {}) {
  const outcome = await compress(source, changes);
  if (outcome.status !== 'compressed') throw new Error(`Expected compressed but it is ${JSON.stringify(outcome)}`);
  expect(outcome.bytes.length).toBeLessThan(source.length);
  return outcome;
}

async function make600(segments: Parameters<typeof withSegments>[1]): Promise<Uint8Array> {
  return withSegments(await makeJpeg({ width: 600, height: 450, quality: 95 }), segments);
}

/** The picture as a viewer shows it, downscaled to 12 × 12 pixels. */
function seen(bytes: Uint8Array, background = '#808080'): Promise<Buffer> {
  const image = sharp(bytes).autoOrient().flatten({ background }).resize(12, 12, { fit: 'fill' });
  return image.toColourspace('srgb').raw().toBuffer();
}

/** The mean difference of two views, in levels of 255. */
function difference(one: Uint8Array, other: Uint8Array): number {
  expect(other.length).toBe(one.length);
  return one.reduce((sum, level, at) => sum + Math.abs(level - other[at]!), 0) / one.length;
}

async function storedPixels(bytes: Uint8Array, animated = false): Promise<Buffer> {
  const image = sharp(bytes, { ignoreIcc: true, animated });
  return image.toColourspace('rgb16').ensureAlpha().raw({ depth: 'ushort' }).toBuffer();
}

const turnedJpeg = async (quality = 92) =>
  withSegments(await makeJpeg({ quality }), [
    exifSegment({ orientation: 6, gps: true, artist: 'Ada', copyright: 'Ada 2024', make: 'Cam' }),
    xmpSegment(xmpPacket({ orientation: 6, gps: true, creator: 'Ada' })),
  ]);

test.each([
  ['keep', 'keep'],
  ['keep', 'strip'],
  ['keep', 'copyright'],
  ['webp', 'strip'],
  ['webp', 'keep'],
  ['avif', 'strip'],
  ['avif', 'keep'],
] as const)('R01: a turned photo looks the same as %s with metadata %s', async (format, metadata) => {
  const source = await turnedJpeg();
  const { bytes } = await compressed(source, { format, metadata });
  const upright = await sharp(bytes).autoOrient().toBuffer({ resolveWithObject: true });
  expect([upright.info.width, upright.info.height]).toEqual([64, 96]);
  expect(difference(await seen(source), await seen(bytes))).toBeLessThan(4);
});

test('R01: a lossless run keeps the orientation under every metadata policy', async () => {
  for (const metadata of ['keep', 'copyright', 'strip'] as const) {
    const { bytes } = await compressed(await turnedJpeg(), { mode: 'lossless', metadata });
    expect(inspectImage(new ImageFile(bytes))!.orientation).toBe(6);
  }
});

test('R02: pixels turned upright carry no orientation in EXIF or XMP, so nothing turns twice', async () => {
  const source = await turnedJpeg();
  const { bytes } = await compressed(source, { autoOrient: true });
  const facts = inspectImage(new ImageFile(bytes))!;
  expect([facts.width, facts.height, facts.orientation]).toEqual([64, 96, 1]);
  const { xmp } = await sharp(bytes).metadata();
  expect(xmp?.toString() ?? '').not.toMatch(/Orientation(="|>)[2-8]/);
  expect(difference(await seen(source), await seen(bytes))).toBeLessThan(4);
});

test('R03: stored width and height never swap or change unless asked, whatever the format', async () => {
  const source = await turnedJpeg();
  for (const format of ['keep', 'webp', 'avif'] as const) {
    const facts = inspectImage(new ImageFile((await compressed(source, { format })).bytes))!;
    expect([format, facts.width, facts.height, facts.orientation]).toEqual([format, 96, 64, 6]);
  }
});

test('R03: a resize keeps the proportions, never enlarges, and is meant for the picture as it is seen', async () => {
  const source = await turnedJpeg(80);
  const smaller = inspectImage(new ImageFile((await compressed(source, { resize: { maxWidth: 32 } })).bytes))!;
  expect([smaller.width, smaller.height, smaller.orientation]).toEqual([48, 32, 6]);
  const same = inspectImage(new ImageFile((await compressed(source, { resize: { maxWidth: 4000 } })).bytes))!;
  expect([same.width, same.height]).toEqual([96, 64]);
});

test('R04: a wide-gamut profile is kept byte for byte, and the numbers of the pixels stay in it', async () => {
  const icc = await iccProfile();
  const jpeg = withSegments(await makeJpeg({ quality: 95 }), iccSegments(icc));
  const png = makePng({ chunks: [pngIcc(icc)] });
  for (const [source, format, mode] of [
    [jpeg, 'keep', 'quality'],
    [jpeg, 'keep', 'lossless'],
    [jpeg, 'webp', 'quality'],
    [jpeg, 'avif', 'quality'],
    [png, 'keep', 'lossless'],
    [png, 'jpeg', 'quality'],
    [png, 'webp', 'quality'],
  ] as const) {
    for (const metadata of ['keep', 'strip'] as const) {
      const { bytes } = await compressed(source, { format, mode, metadata });
      const after = await sharp(bytes).metadata();
      expect(after.icc && Buffer.compare(after.icc, icc), `${format} ${metadata}`).toBe(0);
      const numbers = async (file: Uint8Array) =>
        sharp(file, { ignoreIcc: true }).resize(8, 8, { fit: 'fill' }).removeAlpha().raw().toBuffer();
      expect(difference(await numbers(source), await numbers(bytes))).toBeLessThan(4);
    }
  }
});

test('R05: a wide-gamut picture compressed again and again does not drift', async () => {
  const source = withSegments(await makeJpeg({ quality: 98 }), iccSegments(await iccProfile()));
  let file = source;
  for (const quality of [85, 70, 55, 40]) file = (await compressed(file, { quality })).bytes;
  const average = async (bytes: Uint8Array) =>
    (await sharp(bytes, { ignoreIcc: true }).stats()).channels.map((c) => c.mean);
  const [before, after] = [await average(source), await average(file)];
  for (const [channel, mean] of before.entries()) expect(Math.abs(mean - after[channel]!)).toBeLessThan(1.5);
  expect(inspectImage(new ImageFile(file))!.icc).toBe(true);
});

test('R06: a CMYK JPEG stays CMYK, sample by sample', async () => {
  const source = await makeJpeg({ colourspace: 'cmyk', quality: 95 });
  const cmyk = (bytes: Uint8Array) => sharp(bytes).pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer();
  for (const changes of [{}, { mode: 'lossless' }, { format: 'webp' }] as const) {
    const outcome = await compressed(source, changes);
    expect([inspectImage(new ImageFile(outcome.bytes))!.colour, outcome.encoding.lossless]).toEqual(['cmyk', true]);
    expect((await cmyk(source)).equals(await cmyk(outcome.bytes))).toBe(true);
  }
});

test('R07: an animated WebP stays animated, frame by frame and delay by delay', async () => {
  const source = await makeAnimation('webp');
  const { bytes } = await compressed(source, { quality: 30 });
  const [before, after] = [
    await sharp(source, { animated: true }).metadata(),
    await sharp(bytes, { animated: true }).metadata(),
  ];
  expect([after.pages, after.delay, after.loop]).toEqual([before.pages, before.delay, before.loop]);
  expect(after.pages).toBe(4);
});

test('R07: an animated GIF is kept with its reason, becomes an animated WebP, and no still JPEG', async () => {
  const source = await makeAnimation('gif');
  expect(await compress(source)).toMatchObject({ status: 'kept', reason: 'unsupported-format', format: 'gif' });
  expect(await compress(source, { format: 'jpeg' })).toMatchObject({ status: 'kept', reason: 'animation' });
  const { bytes, contentType } = await compressed(source, { format: 'webp', quality: 30 });
  expect([contentType, inspectImage(new ImageFile(bytes))!.pages]).toEqual(['image/webp', 4]);
});

test('R07: a GIF whose frames have no length becomes a WebP that viewers show as they showed the GIF', async () => {
  const source = Buffer.from(await makeAnimation('gif'));
  // The delay in hundredths of a second stands in each graphic control block: 21 f9 04 flags delay.
  for (let at = source.indexOf('21f904', 0, 'hex'); at >= 0; at = source.indexOf('21f904', at + 3, 'hex')) {
    source.writeUInt16LE(0, at + 4);
  }
  const { bytes } = await compressed(new Uint8Array(source), { format: 'webp', quality: 30 });
  expect((await sharp(bytes, { animated: true }).metadata()).delay).toEqual([100, 100, 100, 100]);
});

test.each([
  ['JPEG', (packet: Uint8Array) => make600([xmpSegment(packet)]), { mode: 'lossless' }],
  ['JPEG', (packet: Uint8Array) => make600([xmpSegment(packet)]), {}],
  ['JPEG', (packet: Uint8Array) => make600([xmpSegment(packet)]), { format: 'webp' }],
  ['PNG', async (packet: Uint8Array) => makePng({ chunks: [pngXmp(packet)] }), { mode: 'lossless' }],
] as const)('R02: an orientation that only the XMP of a %s tells stays as it is', async (_name, make, changes) => {
  const packet = xmpPacket({ creator: 'Ada', orientation: 3 });
  const { bytes, encoding } = await compressed(await make(packet), changes);
  const after = readMetadata({ format: encoding.format, file: new ImageFile(bytes) }).xmp;
  expect(Buffer.from(after!).toString()).toBe(Buffer.from(packet).toString());
});

test.each([
  'strip',
  'copyright',
] as const)('R02: under %s an orientation that only XMP tells is still told', async (metadata) => {
  const packet = xmpPacket({ creator: 'Ada', gps: true, orientation: 3 });
  const jpeg = await make600([xmpSegment(packet)]);
  const png = makePng({ chunks: [pngXmp(packet)] });
  const untouched = { minSavings: { percent: 95, bytes: 1 } };
  for (const changes of [{}, { mode: 'lossless' }, { format: 'webp' }, { mode: 'lossless', ...untouched }] as const) {
    for (const source of [jpeg, png]) {
      const { bytes, encoding } = await compressed(source, { ...changes, metadata });
      const { xmp } = readMetadata({ format: encoding.format, file: new ImageFile(bytes) });
      expect(readXmpOrientation(xmp!)).toBe(3);
      expect(Buffer.from(xmp!).toString()).not.toMatch(/GPS/);
      expect(Buffer.from(xmp!).includes('Ada')).toBe(metadata === 'copyright');
      // A second time there is nothing to take out.
      const again = await compress(bytes, { ...changes, ...untouched, metadata });
      expect(again.status).toBe('kept');
    }
  }
  const told = await make600([exifSegment({ orientation: 6 }), xmpSegment(packet)]);
  const { bytes } = await compressed(told, { metadata: 'strip' });
  expect(readMetadata({ format: 'jpeg', file: new ImageFile(bytes) }).xmp).toBeUndefined();
});

test('R08: an APNG keeps its frames in every mode and is converted to nothing else', async () => {
  const source = makeApng();
  for (const changes of [
    {},
    { mode: 'lossless' },
    { format: 'webp' },
    { format: 'jpeg', background: '#ffffff' },
  ] as const) {
    const outcome = await compressed(source, changes);
    expect([outcome.contentType, inspectImage(new ImageFile(outcome.bytes))!.pages, outcome.encoding.lossless]).toEqual(
      ['image/png', 3, true],
    );
  }
});

test('R09: a PNG of 16 bits stays one, in every mode and whatever format is wanted', async () => {
  for (const colourType of [0, 2, 6] as const) {
    const source = makePng({ colourType, bitDepth: 16 });
    for (const changes of [{}, { mode: 'lossless' }, { format: 'webp' }, { format: 'avif' }] as const) {
      const { bytes } = await compressed(source, changes);
      const facts = inspectImage(new ImageFile(bytes))!;
      expect([facts.format, facts.bitsPerChannel, facts.channels]).toEqual([
        'png',
        16,
        inspectImage(new ImageFile(source))!.channels,
      ]);
      expect((await storedPixels(source)).equals(await storedPixels(bytes))).toBe(true);
    }
  }
});

test.each([
  [0, 1],
  [0, 2],
  [0, 4],
  [0, 8],
  [3, 1],
  [3, 4],
  [3, 8],
] as const)('R10: a PNG of colour type %i with %i bits is not inflated', async (colourType, bitDepth) => {
  const source = makePng({ width: 200, height: 150, colourType, bitDepth, compressionLevel: 0 });
  for (const mode of ['quality', 'lossless'] as const) {
    const facts = inspectImage(new ImageFile((await compressed(source, { mode })).bytes))!;
    expect(['grey', 'palette']).toContain(facts.colour);
    expect(facts.bitsPerChannel).toBeLessThanOrEqual(bitDepth);
  }
});

test('R10: a grey JPEG stays of one channel, also as the JPEG of a grey PNG', async () => {
  const jpeg = await compressed(await makeJpeg({ colourspace: 'b-w', quality: 95 }));
  const png = await compressed(makePng({ colourType: 0 }), { format: 'jpeg' });
  expect([inspectImage(new ImageFile(jpeg.bytes))!.channels, inspectImage(new ImageFile(png.bytes))!.channels]).toEqual(
    [1, 1],
  );
});

test('R11: transparency is never flattened silently: the format is kept, or the background was given', async () => {
  const source = makePng({ colourType: 6, width: 96, height: 64 });
  const keptFormat = await compressed(source, { format: 'jpeg' });
  expect(keptFormat.contentType).toBe('image/png');
  const { bytes, contentType } = await compressed(source, {
    format: 'jpeg',
    background: '#ff0000',
    quality: 90,
  });
  expect(contentType).toBe('image/jpeg');
  expect(difference(await seen(source, '#ff0000'), await seen(bytes))).toBeLessThan(4);
  for (const format of ['webp', 'avif'] as const) {
    expect(inspectImage(new ImageFile((await compressed(source, { format })).bytes))!.alpha).toBe(true);
  }
});

test.each([
  'hdrgm',
  'iso',
  'apple',
] as const)('R12: a gain map (%s) survives whole, or the file is kept for it', async (kind) => {
  const source = await makeGainMapJpeg(kind);
  const map = source.subarray(source.length - 400);
  for (const changes of [{}, { mode: 'lossless' }, { format: 'avif' }, { metadata: 'strip' }] as const) {
    const outcome = await compress(source, changes);
    if (outcome.status === 'kept') expect(outcome.reason).toBe('hdr-gain-map');
    else {
      expect(outcome).toMatchObject({ status: 'compressed', encoding: { format: 'jpeg', lossless: true } });
      const { bytes } = outcome as Extract<BytesOutcome, { status: 'compressed' }>;
      expect(Buffer.compare(bytes.subarray(bytes.length - 400), map)).toBe(0);
      expect(inspectImage(new ImageFile(bytes))!.gainMap).toBe(true);
    }
  }
  const { bytes } = await compressed(source, { metadata: 'strip' });
  expect(inspectImage(new ImageFile(bytes))).toMatchObject({ gainMap: true, trailingBytes: 0 });
});

test.each([
  ['lossless', { mode: 'lossless' }, true],
  ['best', {}, false],
  ['fast', { effort: 'fast' }, false],
  ['auto', { mode: 'auto' }, false],
  ['to WebP', { format: 'webp' }, true],
] as const)('R12: the preview behind a camera picture is carried whole, %s', async (_name, changes, lossless) => {
  const source = await makeJpegWithPreview();
  const preview = source.subarray(readJpeg(source).end);
  const { bytes, encoding } = await compressed(source, changes);
  expect(encoding).toMatchObject({ format: 'jpeg', lossless });
  const picture = readJpeg(bytes);
  expect(Buffer.compare(bytes.subarray(picture.end), preview)).toBe(0);
  expect(inspectImage(new ImageFile(bytes))).toMatchObject({ multiPicture: true, trailingBytes: 0 });
  const [own, other] = readPictureEntries(picture);
  expect(own).toMatchObject({ start: 0, length: picture.end });
  expect(other).toMatchObject({ start: picture.end, length: preview.length });
});

test.each([
  ['the SEF block of a Samsung', () => samsungSef(), true],
  ['the video of a motion photo', () => makeMotionVideo(), false],
  ['a video in the SEF block', () => samsungSef([[0x0a30, 'MotionPhoto_Data', makeMotionVideo()]]), false],
] as const)('R12: %s is carried whole, or the file is kept for it', async (_name, make, isMetadata) => {
  const source = concat(await makeJpeg({ width: 600, height: 450, quality: 95 }), make());
  const whole = [{}, { mode: 'lossless' }, { effort: 'fast' }, { mode: 'lossless', format: 'webp' }] as const;
  for (const changes of whole) {
    const { bytes, encoding } = await compressed(source, changes);
    expect(encoding.format).toBe('jpeg');
    expect(Buffer.compare(bytes.subarray(readJpeg(bytes).end), make())).toBe(0);
  }
  const { encoding } = await compressed(source, { format: 'webp' });
  expect(encoding.format).toBe(isMetadata ? 'webp' : 'jpeg');
  const untouched = { minSavings: { percent: 95, bytes: 1 } };
  for (const changes of [{}, { mode: 'lossless' }, { mode: 'lossless', ...untouched }] as const) {
    const { bytes } = await compressed(source, { ...changes, metadata: 'strip' });
    expect(readJpeg(bytes).end).toBe(bytes.length);
    const outcome = await compress(source, { ...changes, metadata: 'copyright' });
    expect(outcome).toMatchObject(isMetadata ? { status: 'compressed' } : { status: 'failed', code: 'MetadataLeft' });
  }
});

test('R12: a preview that maker notes point at stays where it is, unless metadata has to go', async () => {
  const source = await makeJpegWithPreview(130);
  for (const changes of [{}, { mode: 'lossless' }, { effort: 'fast' }, { format: 'avif' }] as const) {
    expect(await compress(source, changes)).toMatchObject({ status: 'kept', reason: 'multi-picture' });
  }
  const untouched = { minSavings: { percent: 95, bytes: 1 } };
  for (const changes of [{}, { mode: 'lossless' }, { effort: 'fast' }, { mode: 'lossless', ...untouched }] as const) {
    for (const metadata of ['strip', 'copyright'] as const) {
      const { bytes } = await compressed(source, { ...changes, metadata });
      expect(inspectImage(new ImageFile(bytes))).toMatchObject({ multiPicture: false, trailingBytes: 0, width: 600 });
      expect(readJpeg(bytes).end).toBe(bytes.length);
    }
  }
});

const EVERY_MODE: readonly Changes[] = [
  {},
  { mode: 'lossless' },
  { mode: 'auto' },
  { effort: 'fast' },
  { format: 'webp' },
];

test.each([
  ['JPEG', () => makeJpeg({ quality: 95 })],
  ['progressive JPEG', () => makeJpeg({ quality: 95, progressive: true })],
  ['grey JPEG of one strip', () => makeJpeg({ colourspace: 'b-w', height: 8 })],
  ['PNG', async () => makePng()],
  ['WebP', () => makeWebp()],
  ['lossless WebP', () => makeWebp({ lossless: true })],
  ['AVIF', () => makeAvif()],
] as const)('R13: a truncated %s is CorruptImage, never half a picture', async (name, make) => {
  const whole = await make();
  for (const share of [0.5, 0.9, 0.99]) {
    for (const changes of EVERY_MODE) {
      const outcome = await compress(truncated(whole, share), changes);
      // What is kept is handed on untouched: an AVIF in lossless mode is not even decoded.
      if (name === 'AVIF' && changes.mode === 'lossless' && outcome.status === 'kept') continue;
      expect([share, changes, outcome]).toMatchObject([share, changes, { status: 'failed', code: 'CorruptImage' }]);
    }
  }
});

test('R13: a truncated GIF is not made into a sound WebP', async () => {
  const cut = truncated(await makeAnimation('gif'), 0.9);
  expect(await compress(cut, { format: 'webp' })).toMatchObject({ status: 'failed', code: 'CorruptImage' });
});

test('R13: a JPEG of the wanted quality, which would be kept, is CorruptImage too when it is cut', async () => {
  const spent = await makeJpeg({ quality: 50 });
  expect(await compress(truncated(spent, 0.9), { effort: 'fast' })).toMatchObject({ code: 'CorruptImage' });
});

test('R13: flipped bits that a strict libvips does not report are found as well', async () => {
  const whole = await makeJpeg({ quality: 95, width: 200, height: 160 });
  let readOver = 0;
  for (let seed = 0; seed < 60; seed++) {
    const rotten = bitRotten(whole, 1, seed, 700);
    const isAccepted = await sharp(rotten)
      .raw()
      .toBuffer()
      .then(
        () => true,
        () => false,
      );
    if (!isAccepted) continue;
    readOver++;
    const outcome = await compress(rotten, { mode: 'lossless' });
    if (outcome.status === 'compressed')
      expect((await storedPixels(rotten)).equals(await storedPixels(outcome.bytes))).toBe(true);
    else expect(outcome).toMatchObject({ code: 'CorruptImage' });
  }
  expect(readOver).toBeGreaterThan(0);
});

test('R14: an output that is cut, of another size, or another picture is found before it is handed on', async () => {
  const source = await makeJpeg({ quality: 95 });
  const facts = inspectImage(new ImageFile(source))!;
  for (const effort of ['best', 'fast'] as const) {
    const recipe = { action: 'encode', format: 'jpeg', lossless: false, quality: 60 } as const;
    const task = { source: new ImageFile(source), facts, recipe, settings: { ...EAGER, effort }, timeLimitMs: 10_000 };
    const output = await makeJpeg({ quality: 60 });
    expect(await findPixelFault(new ImageFile(output), task)).toBeUndefined();
    expect(await findPixelFault(new ImageFile(await makeJpeg({ width: 97 })), task)).toMatch('Expected width 96');
    expect(await findPixelFault(new ImageFile(await makeWebp()), task)).toMatch('Expected format jpeg');
    expect(await findPixelFault(new ImageFile(ascii('nonsense')), task)).toMatch('Expected an image');
    const cut = await findPixelFault(new ImageFile(truncated(output, 0.9)), task).catch(
      (error: Error) => error.message,
    );
    expect(cut).toMatch(/end/);
  }
  const best = { action: 'encode', format: 'webp', lossless: false, quality: 60 } as const;
  const inverted = new Uint8Array(await sharp(source).negate().webp().toBuffer());
  const task = { source: new ImageFile(source), facts, recipe: best, settings: EAGER, timeLimitMs: 10_000 };
  expect(await findPixelFault(new ImageFile(inverted), task)).toMatch('differs by');
});

test.each([
  [10, 'auto'],
  [160, 'auto'],
  [160, '444'],
] as const)('R14: an icon of hard edges in %i pixels, mostly transparent, keeps its colours as WebP (chroma %s)', async (side, chroma) => {
  const pixels = new Uint8Array(side * side * 4);
  for (let at = 0; at < pixels.length; at += 4) pixels.set(at % 12 ? [255, 255, 255, 3] : [0, 128, 0, 255], at);
  const raw = { width: side, height: side, channels: 4 } as const;
  const icon = new Uint8Array(await sharp(pixels, { raw }).png({ compressionLevel: 0 }).toBuffer());
  const changes = { format: 'webp', chroma } as const;
  const [source, lossless] = [new ImageFile(icon), await compressed(icon, changes)];
  expect(lossless.encoding).toMatchObject({ format: 'webp', lossless: true });
  const [settings, facts] = [{ ...EAGER, ...changes }, inspectImage(source)!];
  const task = { source, facts, recipe: lossy('webp', facts, settings), settings, timeLimitMs: 10_000 };
  const { file } = await encodeImage(task);
  const [before, after] = [await meanColour(icon), await meanColour(file.bytes)];
  for (const [channel, level] of before.entries()) expect(Math.abs(level - after[channel]!)).toBeLessThan(4);
});

/** The mean of each channel, laid on grey. */
async function meanColour(image: Uint8Array): Promise<number[]> {
  const { channels } = await sharp(await sharp(image).flatten({ background: '#808080' }).png().toBuffer()).stats();
  return channels.map(({ mean }) => mean);
}

test('R14: from JPEG to JPEG every output is compared where it replaces its source, else one of sixteen', async () => {
  const source = await makeJpeg({ quality: 95 });
  const recipe = { action: 'encode', format: 'jpeg', lossless: false, quality: 60 } as const;
  const task = {
    source: new ImageFile(source),
    facts: inspectImage(new ImageFile(source))!,
    recipe,
    settings: EAGER,
    timeLimitMs: 10_000,
  };
  const bytes = await sharp(source).negate().jpeg().toBuffer();
  for (let padding = 0; padding < 32; padding++) {
    const comment = { marker: 0xfe, payload: new Uint8Array(padding) };
    const inverted = withSegments(new Uint8Array(bytes), [comment]);
    expect(await findPixelFault(new ImageFile(inverted), { ...task, replacesSource: true })).toMatch('differs by');
    const fault = await findPixelFault(new ImageFile(inverted), task);
    if (inverted.length % 16 === 0) expect(fault).toMatch('differs by');
    else expect(fault).toBeUndefined();
  }
});

test.each([
  'jpeg',
  'webp',
  'avif',
] as const)('R15: as %s the copyright stays while the place is gone', async (format) => {
  const { bytes } = await compressed(await turnedJpeg(), { format, metadata: 'copyright' });
  const { exif, xmp } = await sharp(bytes).metadata();
  const text = `${exif?.toString('latin1')} ${xmp?.toString('latin1')}`;
  expect(text).toContain('Ada 2024');
  expect(text).not.toMatch(/GPS|Paris|48,51/);
  // Tag 0x8825, the pointer to the GPS directory, in either byte order.
  expect(exif!.includes(Buffer.from([0x88, 0x25, 0, 4])) || exif!.includes(Buffer.from([0x25, 0x88, 4, 0]))).toBe(
    false,
  );
  expect(Buffer.from(bytes).includes(Buffer.from('48,51'))).toBe(false);
});

test('R15: strip leaves neither a place nor a name', async () => {
  const { bytes } = await compressed(await turnedJpeg(), { metadata: 'strip' });
  for (const word of ['Ada', 'GPS', 'Paris', 'Cam']) expect(Buffer.from(bytes).includes(Buffer.from(word))).toBe(false);
});

test('R16: EXIF, XMP and the profile are kept in WebP, PNG and AVIF as in JPEG', async () => {
  const icc = await iccProfile();
  const png = makePng({
    chunks: [pngIcc(icc), pngExif({ artist: 'Ada' }), pngXmp(xmpPacket({ creator: 'Ada' }))],
  });
  const jpeg = withSegments(await turnedJpeg(), iccSegments(icc));
  for (const [source, format] of [
    [png, 'keep'],
    [png, 'webp'],
    [png, 'jpeg'],
    [jpeg, 'webp'],
    [jpeg, 'avif'],
  ] as const) {
    const { exif, xmp, icc: profile } = await sharp((await compressed(source, { format })).bytes).metadata();
    expect([format, exif?.includes('Ada'), xmp?.includes('Ada'), profile?.length]).toEqual([
      format,
      true,
      true,
      icc.length,
    ]);
  }
});

test('R17: progressive or baseline is as it was asked for, and the receipt says which', async () => {
  const source = await makeJpeg({ quality: 95, width: 200, height: 160 });
  for (const effort of ['best', 'fast'] as const) {
    for (const progressive of ['auto', true, false] as const) {
      const { bytes, encoding } = await compressed(source, { effort, progressive });
      const expected = progressive === 'auto' ? effort === 'best' : progressive;
      expect([inspectImage(new ImageFile(bytes))!.progressive, encoding.progressive]).toEqual([expected, expected]);
    }
  }
});

test('R18: no quality and no effort makes a lossless run lossy', async () => {
  const source = makePng({ width: 200, height: 150, colourType: 6 });
  for (const quality of [1, 50, 100]) {
    for (const effort of ['best', 'fast'] as const) {
      const { bytes, encoding } = await compressed(source, { mode: 'lossless', quality, effort });
      expect(encoding.lossless).toBe(true);
      expect((await storedPixels(source)).equals(await storedPixels(bytes))).toBe(true);
    }
  }
});

test('R19: every receipt says lossless where all pixels are the same, and only there', async () => {
  const sources = [
    await makeJpeg({ quality: 95 }),
    makePng(),
    await makeWebp({ lossless: true, alpha: true }),
    await makeWebp(),
  ];
  for (const source of sources) {
    for (const changes of [{}, { mode: 'lossless' }, { format: 'webp' }, { effort: 'fast' }] as const) {
      const outcome = await compress(source, changes);
      if (outcome.status !== 'compressed') continue;
      const isSame = (await storedPixels(source)).equals(await storedPixels(outcome.bytes));
      expect(outcome.encoding.lossless).toBe(isSame);
    }
    const { encoding } = await compressed(source, { resize: { maxWidth: 40 } });
    expect(encoding.lossless).toBe(false);
  }
});

test('R20: the first bytes decide what an image is, and its type tells the truth', async () => {
  expect(await compress(ascii('<!doctype html><title>photo.png</title>'))).toEqual({
    status: 'skipped',
    reason: 'not-an-image',
  });
  expect(await compress(new Uint8Array())).toEqual({ status: 'skipped', reason: 'empty' });
  expect((await compressed(makePng())).contentType).toBe('image/png');
  expect((await compressed(await makeJpeg({ quality: 95 }), { format: 'webp' })).contentType).toBe('image/webp');
});

test('R21: HEIC is kept as an unsupported format, by name', async () => {
  const heic = Buffer.from((await makeAvif()).slice());
  for (let at = heic.indexOf('avif'); at >= 0 && at < 64; at = heic.indexOf('avif', at)) heic.write('heic', at);
  for (let at = heic.indexOf('av01'); at >= 0; at = heic.indexOf('av01', at)) heic.write('hvc1', at);
  const outcome = await compress(new Uint8Array(heic), { format: 'jpeg' });
  expect(outcome).toMatchObject({ status: 'kept', reason: 'unsupported-format', contentType: 'image/heic' });
  expect(outcome).toHaveProperty('detail', 'HEIC cannot be decoded here');
});

test('R22: nothing ever grows: what would is kept', async () => {
  const lowQuality = await makeJpeg({ quality: 20 });
  for (const changes of [
    { quality: 95 },
    { quality: 95, effort: 'fast' },
    { mode: 'auto' },
    { quality: 95, format: 'webp' },
  ] as const) {
    const outcome = await compress(lowQuality, changes);
    if (outcome.status === 'compressed') expect(outcome.bytes.length).toBeLessThan(lowQuality.length);
    else expect(outcome.status).toBe('kept');
  }
  const tight = (await compressed(makePng(), { mode: 'lossless' })).bytes;
  expect(await compress(tight, { mode: 'lossless' })).toMatchObject({ status: 'kept', reason: 'no-gain' });
});

test('R23: a saving counts only when it reaches both the percentage and the bytes', async () => {
  const source = await makeJpeg({ quality: 90 });
  const { bytes } = await compressed(source);
  const saved = source.length - bytes.length;
  const percent = (100 * saved) / source.length;
  const withMinimum = async (minSavings: CompressionSettings['minSavings']) =>
    (await compress(source, { minSavings })).status;
  expect(await withMinimum({ percent: percent - 0.1, bytes: saved })).toBe('compressed');
  expect(await withMinimum({ percent: percent + 0.1, bytes: 1 })).toBe('kept');
  expect(await withMinimum({ percent: 0, bytes: saved + 1 })).toBe('kept');
});

test.each([
  ['best', {}],
  ['fast', { effort: 'fast' }],
  ['WebP', { format: 'webp' }],
  ['AVIF', { format: 'avif' }],
  ['lossless', { mode: 'lossless' }],
  ['auto', { mode: 'auto' }],
] as const)('R24: a second run (%s) over outputs changes nothing, without any mark', async (_name, changes) => {
  const settings = { minSavings: DEFAULT_COMPRESSION.minSavings, quality: 70, ...changes };
  for (const source of [
    await makeJpeg({ quality: 97, width: 400, height: 300 }),
    makePng({ width: 200, height: 150 }),
  ]) {
    const first = await compress(source, settings);
    if (first.status !== 'compressed') continue;
    expect(await compress(first.bytes, settings)).toMatchObject({ status: 'kept' });
  }
});

test('R25: only its own tables decide whether a JPEG is compressed already, not its name or comments', async () => {
  const comment = { marker: 0xfe, payload: ascii('image-press optimised quality=10') };
  const fresh = withSegments(await makeJpeg({ quality: 95 }), [comment]);
  expect((await compress(fresh, { effort: 'fast' })).status).toBe('compressed');
  const spent = await makeJpeg({ quality: 50 });
  expect(await compress(spent, { effort: 'fast' })).toMatchObject({
    status: 'kept',
    reason: 'already-compressed',
  });
  const packed = await compressed(spent, { effort: 'best' });
  expect(packed.encoding.lossless).toBe(true);
});

test('R26: the search for a quality keeps to its bounds and stops early', async () => {
  for (let threshold = 50; threshold <= 100; threshold++) {
    const asked: number[] = [];
    const found = await findLowest(async (quality) => {
      asked.push(quality);
      return SCORE_FLOOR + (quality - threshold);
    });
    expect(asked.length).toBeLessThanOrEqual(4);
    expect(found.probes).toBe(asked.length);
    expect(Math.min(...asked)).toBeGreaterThanOrEqual(SEARCH_RANGE.lowest);
    expect(Math.max(...asked)).toBeLessThanOrEqual(SEARCH_RANGE.highest);
    expect(found.isGood).toBe(threshold <= SEARCH_RANGE.highest);
    if (found.isGood) expect(found.score).toBeGreaterThanOrEqual(SCORE_FLOOR);
    else expect(found.quality).toBe(SEARCH_RANGE.highest);
  }
  const exact: number[] = [];
  await findLowest(async (quality) => {
    exact.push(quality);
    return SCORE_FLOOR + 0.1;
  });
  expect(exact).toHaveLength(1);
  const bounded: number[] = [];
  await findLowest(async (quality) => {
    bounded.push(quality);
    return 0;
  }, 70);
  expect(Math.max(...bounded)).toBeLessThanOrEqual(70);
});

test('R27: other settings compress an output again, and a run may be for WebP only', async () => {
  const first = await compressed(await makeJpeg({ quality: 95, width: 200, height: 160 }), { quality: 85 });
  const again = await compressed(first.bytes, { quality: 40 });
  expect(again.encoding.lossless).toBe(false);
  for (const source of [await makeJpeg({ quality: 90 }), makePng()]) {
    expect((await compressed(source, { format: 'webp' })).contentType).toBe('image/webp');
  }
});

test('the source is never changed, whatever is done with it', async () => {
  const source = concat(await turnedJpeg());
  const before = Buffer.from(source).toString('base64');
  for (const changes of EVERY_MODE) await compress(source, changes);
  await compress(source, { autoOrient: true, resize: { maxWidth: 10 } });
  expect(Buffer.from(source).toString('base64')).toBe(before);
  expect(photoPixels(2, 2).length).toBe(12);
});

test.each(['jpeg', 'webp'] as const)('R81: a resized %s has no thumbnail of the picture before', async (format) => {
  const thumbnail = await makeJpeg({ width: 16, height: 16, seed: 9 });
  const source = withSegments(await makeJpeg({ width: 600, height: 450, quality: 95 }), [
    exifSegment({ make: 'a camera', thumbnail }),
  ]);
  const holds = (bytes: Uint8Array) => Buffer.from(bytes).includes(Buffer.from(thumbnail.subarray(0, 200)));
  const { bytes } = await compressed(source, { format, resize: { maxWidth: 300 } });
  expect([holds(source), holds(bytes)]).toEqual([true, false]);
  expect(Buffer.from(bytes).includes('a camera')).toBe(true);
});
