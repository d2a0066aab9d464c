import type { ImageFormat } from '../core/image-result.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { indexOfText, startsWith, textAt, viewOf } from './bytes.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { readOrientation, withoutExifPrefix } from './exif.ts';
import { readGif } from './gif-blocks.ts';
import {
  type IsoImage,
  readBoxes,
  readBrands,
  readIsoImage,
  readIsoMetadata,
  readIsoOrientation,
} from './iso-boxes.ts';
import { chromaSubsampling, isProgressive, quantisationTables, readJpeg } from './jpeg-markers.ts';
import { readMultiPicture } from './jpeg-pictures.ts';
import { findChunk, type Png, readPng } from './png-chunks.ts';
import { findRiffChunk, readWebP, type WebP } from './riff-chunks.ts';
import { estimateSourceQuality } from './source-quality.ts';
import { numbersOf, readDirectory, readTiff, type Tiff, type TiffDirectory } from './tiff-directory.ts';

export { CorruptImageError };

/** The format by its first bytes, whatever its name says; undefined when these bytes are no image. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  const magic = MAGIC.find(([, prefix, at]) => startsWith(bytes, prefix, at));
  if (magic) return magic[0];
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return 'webp';
  return sniffIso(bytes) ?? sniffText(bytes);
}

const MAGIC: readonly (readonly [format: ImageFormat, prefix: string, at: number])[] = [
  ['jpeg', '\xff\xd8\xff', 0],
  ['png', '\x89PNG\r\n\x1a\n', 0],
  ['gif', 'GIF87a', 0],
  ['gif', 'GIF89a', 0],
  ['tiff', 'II*\0', 0],
  ['tiff', 'MM\0*', 0],
  ['tiff', 'II+\0', 0],
  ['tiff', 'MM\0+', 0],
  ['psd', '8BPS', 0],
  ['jxl', '\xff\x0a', 0],
  ['jxl', '\0\0\0\x0cJXL \r\n\x87\n', 0],
  ['jp2', '\0\0\0\x0cjP  \r\n\x87\n', 0],
  ['jp2', '\xff\x4f\xff\x51', 0],
  ['qoi', 'qoif', 0],
];

const AVIF_BRANDS = ['avif', 'avis'];
const HEIF_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'mif2', 'msf1'];

function sniffIso(bytes: Uint8Array): ImageFormat | undefined {
  const brands = readBrands(bytes);
  if (AVIF_BRANDS.some((brand) => brands.includes(brand))) return 'avif';
  return HEIF_BRANDS.some((brand) => brands.includes(brand)) ? 'heif' : undefined;
}

/** Formats whose magic is short or is text, so that more than the first bytes must fit. */
function sniffText(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, 'BM') && isBmp(bytes)) return 'bmp';
  if ((startsWith(bytes, '\0\0\x01\0') || startsWith(bytes, '\0\0\x02\0')) && isIco(bytes)) return 'ico';
  const head = textAt(bytes, 0, 4096);
  if (/^P[1-6]\s(?:\s|#[^\n]*\n)*\d/.test(head) || /^P7\s+WIDTH\s/.test(head)) return 'pnm';
  return isSvg(head) ? 'svg' : undefined;
}

function isBmp(bytes: Uint8Array): boolean {
  return bytes.length >= 26 && [12, 16, 40, 52, 56, 64, 108, 124].includes(viewOf(bytes).getUint32(14, true));
}

function isIco(bytes: Uint8Array): boolean {
  return bytes.length >= 22 && bytes[4]! > 0 && bytes[5] === 0 && bytes[9] === 0;
}

/** `<svg` as the root element: HTML that holds a drawing is no image. */
function isSvg(head: string): boolean {
  const text = head.replace(/^\u00ef\u00bb\u00bf/, '').replace(/^\s+/, '');
  if (!text.startsWith('<')) return false;
  const root = /<(?![?!])\s{0,9}([\w:.-]{1,40})/.exec(text.replace(/<!--(?:[^-]|-(?!->))*-->/g, ''));
  return root !== null && /^(?:\w{1,20}:)?svg$/.test(root[1]!);
}

/**
 * What the header tells, without decoding a pixel; undefined when these bytes are no image. Throws
 * CorruptImageError when the format is known and its header cannot be read.
 */
export function inspectImage(bytes: Uint8Array): ImageFacts | undefined {
  const format = sniffFormat(bytes);
  if (!format) return undefined;
  return { ...NOTHING_SPECIAL, format, ...INSPECTORS[format](bytes) };
}

type Found = Partial<Omit<ImageFacts, 'format'>>;

const NOTHING_SPECIAL = {
  width: 0,
  height: 0,
  pages: 1,
  channels: 3,
  bitsPerChannel: 8,
  colour: 'rgb',
  alpha: false,
  icc: false,
  orientation: 1,
  progressive: false,
  gainMap: false,
  multiPicture: false,
  contentCredentials: false,
  trailingBytes: 0,
} as const satisfies Omit<ImageFacts, 'format'>;

const INSPECTORS: Readonly<Record<ImageFormat, (bytes: Uint8Array) => Found>> = {
  jpeg: inspectJpeg,
  png: inspectPng,
  webp: inspectWebP,
  gif: inspectGif,
  avif: inspectIso,
  heif: inspectIso,
  tiff: inspectTiff,
  bmp: (bytes) => sizeAt(bytes, 18, 22, true, 4),
  psd: (bytes) => sizeAt(bytes, 18, 14, false, 4),
  qoi: (bytes) => sizeAt(bytes, 4, 8, false, 4),
  jp2: () => ({}),
  jxl: () => ({}),
  svg: () => ({}),
  ico: () => ({}),
  pnm: () => ({}),
};

function inspectJpeg(bytes: Uint8Array): Found {
  const jpeg = readJpeg(bytes);
  const { frame, segments } = jpeg;
  const channels = frame.components.length;
  const exif = segments.find(({ kind }) => kind === 'exif');
  const pictures = readMultiPicture(jpeg);
  return {
    width: frame.width,
    height: frame.height,
    channels,
    bitsPerChannel: frame.bits,
    colour: channels === 1 ? 'grey' : channels === 3 ? 'rgb' : channels === 4 ? 'cmyk' : 'other',
    icc: segments.some(({ kind }) => kind === 'icc'),
    orientation: exif ? readOrientation(withoutExifPrefix(exif.payload)) : 1,
    progressive: isProgressive(frame),
    sourceQuality: estimateSourceQuality(quantisationTables(jpeg)),
    chromaSubsampling: chromaSubsampling(frame),
    lossless: (frame.marker & 3) === 3,
    gainMap: pictures.gainMap,
    multiPicture: pictures.count > 1,
    contentCredentials: segments.some(
      ({ kind, payload }) => kind === 'jumbf' && indexOfText(payload, 'c2pa') >= 0,
    ),
    trailingBytes: pictures.unknownTrailingBytes,
  };
}

const PNG_COLOURS = { 0: 'grey', 2: 'rgb', 3: 'palette', 4: 'grey', 6: 'rgb' } as const;
const PNG_CHANNELS = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 } as const;

function inspectPng(bytes: Uint8Array): Found {
  const png = readPng(bytes);
  const { header } = png;
  const colourType = header.colourType as keyof typeof PNG_COLOURS;
  const has = (...types: string[]) => types.some((type) => findChunk(png, type));
  const exif = findChunk(png, 'eXIf');
  const animation = findChunk(png, 'acTL')?.payload;
  const isKeyed = has('tRNS') && (colourType & 4) === 0;
  return {
    width: header.width,
    height: header.height,
    pages: animation && animation.length >= 4 ? Math.max(1, viewOf(animation).getUint32(0)) : 1,
    channels: PNG_CHANNELS[colourType] + (isKeyed ? 1 : 0),
    bitsPerChannel: header.bitDepth,
    colour: PNG_COLOURS[colourType],
    alpha: isKeyed || (colourType & 4) !== 0,
    icc: has('iCCP'),
    orientation: exif ? readOrientation(withoutExifPrefix(exif.payload)) : 1,
    progressive: header.interlaced,
    lossless: true,
    gainMap: has('gmAP', 'gdAT'),
    contentCredentials: has('caBX'),
    trailingBytes: countTrailing(bytes, png.end),
    pngColour: hasOwnColours(png) || undefined,
  };
}

const SRGB_GAMMA = 45_455;
const SRGB_CHROMATICITIES = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];

/** What cICP, gAMA and cHRM say, which no other format can carry, and where nothing stronger overrules them. */
function hasOwnColours(png: Png): boolean {
  const chunk = (type: string) => findChunk(png, type)?.payload;
  const coding = chunk('cICP');
  if (coding) return !(coding[0] === 1 && coding[1] === 13);
  if (chunk('iCCP') || chunk('sRGB')) return false;
  const [gamma, chromaticities] = [chunk('gAMA'), chunk('cHRM')];
  const differs = (payload: Uint8Array | undefined, expected: readonly number[], tolerance: number) =>
    payload?.length === expected.length * 4 &&
    expected.some((value, index) => Math.abs(viewOf(payload).getUint32(index * 4) - value) > tolerance);
  return differs(gamma, [SRGB_GAMMA], 1000) || differs(chromaticities, SRGB_CHROMATICITIES, 500);
}

function inspectWebP(bytes: Uint8Array): Found {
  const webp = readWebP(bytes);
  const exif = findRiffChunk(webp, 'EXIF');
  return {
    width: webp.width,
    height: webp.height,
    pages: webp.frames,
    channels: webp.alpha ? 4 : 3,
    alpha: webp.alpha,
    icc: findRiffChunk(webp, 'ICCP') !== undefined,
    orientation: exif ? readOrientation(withoutExifPrefix(exif)) : 1,
    chromaSubsampling: hasLossyFrame(webp) ? '4:2:0' : undefined,
    lossless: webp.lossless,
    contentCredentials: findRiffChunk(webp, 'C2PA') !== undefined,
    trailingBytes: countTrailing(bytes, webp.end),
  };
}

function hasLossyFrame({ lossless }: WebP): boolean {
  return !lossless;
}

function inspectGif(bytes: Uint8Array): Found {
  const gif = readGif(bytes);
  return {
    width: gif.width,
    height: gif.height,
    pages: gif.frames,
    channels: gif.transparent ? 4 : 3,
    colour: 'palette',
    alpha: gif.transparent,
    progressive: gif.interlaced,
    lossless: true,
    trailingBytes: countTrailing(bytes, gif.end),
  };
}

function countTrailing(bytes: Uint8Array, end: number): number {
  const rest = bytes.subarray(end);
  // Padding is no data: cameras and copying programs fill up with zeros.
  return rest.every((byte) => byte === 0) ? 0 : rest.length;
}

const C2PA_UUID = '\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81';
const GAIN_MAP_URNS = ['urn:com:apple:photo:2020:aux:hdrgainmap', 'urn:com:photo:aux:hdrgainmap'];

function inspectIso(bytes: Uint8Array): Found {
  const image = readIsoImage(bytes);
  const { primary, items, references, brands } = image;
  const property = (type: string) => primary.properties.find((box) => box.type === type);
  const size = property('ispe');
  if (!size || size.end - size.from < 12) {
    throw new CorruptImageError(
      `Expected a readable AVIF or HEIF header but found no ispe box at byte ${image.meta.at}`,
    );
  }
  const view = viewOf(bytes);
  const { bits, planes, subsampling } = readIsoSamples(image);
  const alpha = references.some(
    ({ type, from, to }) => type === 'auxl' && to.includes(primary.id) && isAlpha(image, from),
  );
  return {
    width: view.getUint32(size.from + 4),
    height: view.getUint32(size.from + 8),
    pages: brands.includes('avis') || brands.includes('msf1') ? countSamples(image) : 1,
    channels: planes + (alpha ? 1 : 0),
    bitsPerChannel: bits,
    colour: planes === 1 ? 'grey' : 'rgb',
    alpha,
    icc: readIsoMetadata(image).icc !== undefined,
    orientation: readIsoOrientation(image),
    chromaSubsampling: subsampling,
    gainMap: items.some((item) => item.type === 'tmap' || isAuxiliary(image, item.id, GAIN_MAP_URNS)),
    contentCredentials: image.boxes.some(
      ({ type, from }) => type === 'uuid' && startsWith(bytes, C2PA_UUID, from - 16),
    ),
  };
}

function isAlpha(image: IsoImage, id: number): boolean {
  return isAuxiliary(image, id, [
    'urn:mpeg:mpegB:cicp:systems:auxiliary:alpha',
    'urn:mpeg:hevc:2015:auxid:1',
  ]);
}

function isAuxiliary({ bytes, items }: IsoImage, id: number, urns: readonly string[]): boolean {
  const properties = items.find((item) => item.id === id)?.properties ?? [];
  return properties.some(
    ({ type, from }) => type === 'auxC' && urns.some((urn) => startsWith(bytes, urn, from + 4)),
  );
}

/** From av1C where there is one, also that of the first tile of a grid; else from pixi. */
function readIsoSamples(image: IsoImage): { bits: number; planes: number; subsampling?: string } {
  const { bytes, primary, items, references } = image;
  const tileId = references.find(({ type, from }) => type === 'dimg' && from === primary.id)?.to[0];
  const tile = items.find(({ id }) => id === tileId);
  const properties = [...primary.properties, ...(tile?.properties ?? [])];
  const av1 = properties.find(({ type, from, end }) => type === 'av1C' && end - from >= 4);
  if (av1) return readAv1Samples(bytes[av1.from + 2]!);
  const pixi = properties.find(({ type, from, end }) => type === 'pixi' && end - from >= 6);
  return pixi
    ? { bits: bytes[pixi.from + 5]!, planes: bytes[pixi.from + 4] === 1 ? 1 : 3 }
    : { bits: 8, planes: 3 };
}

function readAv1Samples(flags: number): { bits: number; planes: number; subsampling?: string } {
  const bits = flags & 0x40 ? (flags & 0x20 ? 12 : 10) : 8;
  if (flags & 0x10) return { bits, planes: 1 };
  const halved = `${flags & 0x08 ? 1 : 0}${flags & 0x04 ? 1 : 0}`;
  return { bits, planes: 3, subsampling: halved === '11' ? '4:2:0' : halved === '10' ? '4:2:2' : '4:4:4' };
}

/** The frames of the longest track of an image sequence. */
function countSamples({ bytes, boxes }: IsoImage): number {
  const view = viewOf(bytes);
  const counts = boxes
    .filter(({ type }) => type === 'moov')
    .flatMap(({ from, end }) => readBoxes(bytes, from, end).filter(({ type }) => type === 'trak'))
    .flatMap((track) => descend(bytes, track, ['mdia', 'minf', 'stbl', 'stsz']))
    .flatMap(({ from, end }) => (end - from >= 12 ? [view.getUint32(from + 8)] : []));
  return Math.max(1, ...counts);
}

function descend(
  bytes: Uint8Array,
  box: { from: number; end: number },
  path: readonly string[],
): { from: number; end: number }[] {
  const [next, ...rest] = path;
  if (next === undefined) return [box];
  return readBoxes(bytes, box.from, box.end)
    .filter(({ type }) => type === next)
    .flatMap((inner) => descend(bytes, inner, rest));
}

const TIFF_PHOTOMETRIC = {
  0: 'grey',
  1: 'grey',
  2: 'rgb',
  3: 'palette',
  5: 'cmyk',
  6: 'rgb',
  8: 'lab',
  9: 'lab',
} as const;
const MAX_TIFF_PAGES = 10_000;
const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
  samples: 277,
  extraSamples: 338,
  icc: 34675,
  dngVersion: 50706,
} as const;

function inspectTiff(bytes: Uint8Array): Found {
  const tiff = readTiff(bytes);
  const first = tiff && readDirectory(tiff, tiff.first);
  if (!tiff || !first)
    throw new CorruptImageError('Expected a readable TIFF header but found no directory at byte 4');
  const number = (tag: number) => numbersOf(tiff, first.entries.get(tag))[0];
  const [width, height] = [number(TAG.width), number(TAG.height)];
  if (!width || !height) {
    throw new CorruptImageError(
      `Expected a readable TIFF header but found no width or height at byte ${first.at}`,
    );
  }
  const orientation = number(TAG.orientation) ?? 1;
  const extra = numbersOf(tiff, first.entries.get(TAG.extraSamples));
  const colour = TIFF_PHOTOMETRIC[(number(TAG.photometric) ?? 1) as keyof typeof TIFF_PHOTOMETRIC] ?? 'other';
  return {
    width,
    height,
    pages: countPages(tiff, first),
    channels: number(TAG.samples) ?? 1,
    bitsPerChannel: number(TAG.bits) ?? 1,
    colour: isCameraRaw(bytes, first) ? 'other' : colour,
    alpha: extra.some((kind) => kind === 1 || kind === 2),
    icc: first.entries.has(TAG.icc),
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    lossless: ![6, 7, 34712, 50001].includes(number(TAG.compression) ?? 1),
  };
}

/** Raw files are TIFF by their magic; the picture that they show first is only a preview. */
function isCameraRaw(bytes: Uint8Array, first: TiffDirectory): boolean {
  const SUB_DIRECTORIES = 330;
  const MAKE = 271;
  const isCanon = startsWith(bytes, 'CR', 8);
  return (
    isCanon ||
    first.entries.has(TAG.dngVersion) ||
    (first.entries.has(SUB_DIRECTORIES) && first.entries.has(MAKE))
  );
}

function countPages(tiff: Tiff, first: TiffDirectory): number {
  const seen = new Set([first.at]);
  let directory: TiffDirectory | undefined = first;
  while (directory && directory.next !== 0 && !seen.has(directory.next) && seen.size < MAX_TIFF_PAGES) {
    const next: TiffDirectory | undefined = readDirectory(tiff, directory.next);
    if (next) seen.add(directory.next);
    directory = next;
  }
  return seen.size;
}

/** Formats without an encoder here: their size is told where it stands at a fixed place. */
function sizeAt(
  bytes: Uint8Array,
  widthAt: number,
  heightAt: number,
  littleEndian: boolean,
  length: number,
): Found {
  if (heightAt + length > bytes.length || widthAt + length > bytes.length) return {};
  const view = viewOf(bytes);
  return {
    width: Math.abs(view.getInt32(widthAt, littleEndian)),
    height: Math.abs(view.getInt32(heightAt, littleEndian)),
  };
}
