import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { sniffFormat } from '../../../src/codec/inspect-image.ts';
import { makeAvif } from '../fixtures/avif.ts';
import { makeGridAvif } from '../fixtures/avif-parts.ts';
import { bytesOf, concat } from '../fixtures/bytes.ts';
import { makeAnimation, makeWebp } from '../fixtures/gif-and-webp.ts';
import { exifSegment, iccSegments, makeJpeg, makeRestartJpeg, withSegments, xmpSegment } from '../fixtures/jpeg.ts';
import { makeGainMapJpeg, makeMotionVideo, makeMpo, samsungSef } from '../fixtures/jpeg-parts.ts';
import { iccProfile, xmpPacket } from '../fixtures/metadata.ts';
import { photoPixels } from '../fixtures/pixels.ts';
import { makeApng, makeApngAfterStill, makePng, pngExif, pngIcc, pngText } from '../fixtures/png.ts';
import { FUZZ_FORMATS, type FuzzFormat } from './mutate.ts';

export interface SeedFile {
  readonly name: string;
  readonly format: FuzzFormat;
  readonly bytes: Uint8Array;
}

/** Undamaged pictures of every format that is read, each with a different peculiarity; the same bytes in each run. */
export async function makeSeedFiles(): Promise<SeedFile[]> {
  const lists = await Promise.all([jpegs(), pngs(), gifs(), webps(), avifs(), tiffs()]);
  return lists.flat();
}

/** The images of a folder, which are read each time that their bytes are asked for; all of them by default. */
export function findImages(folder: string, maxBytes = Number.POSITIVE_INFINITY): SeedFile[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return names.flatMap((name) => {
    const file = path.join(folder, name);
    const status = statSync(file);
    const format = status.isFile() && status.size <= maxBytes ? formatOf(file) : undefined;
    return format ? [new FileOnDisk(file, name, format)] : [];
  });
}

function formatOf(file: string): FuzzFormat | undefined {
  const format = sniffFormat(bytesOf(readFileSync(file)).subarray(0, 4096));
  return FUZZ_FORMATS.find((one) => one === format);
}

/** Thousands of photographs do not fit in memory. */
class FileOnDisk implements SeedFile {
  readonly #file: string;
  readonly name: string;
  readonly format: FuzzFormat;

  constructor(file: string, name: string, format: FuzzFormat) {
    this.#file = file;
    this.name = name;
    this.format = format;
  }

  get bytes(): Uint8Array {
    return bytesOf(readFileSync(this.#file));
  }
}

const EXIF = { orientation: 6, gps: true, artist: 'A. Nonymous' };

async function jpegs(): Promise<SeedFile[]> {
  const metadata = [
    exifSegment(EXIF),
    xmpSegment(xmpPacket({ orientation: 6, gps: true })),
    ...iccSegments(await iccProfile()),
  ];
  return seedsOf('jpeg', {
    baseline: makeJpeg(),
    progressive: makeJpeg({ progressive: true, quality: 95 }),
    'full-chroma': makeJpeg({ chromaSubsampling: '4:4:4', quality: 95 }),
    'odd-size': makeJpeg({ width: 53, height: 37, quality: 90 }),
    grey: makeJpeg({ colourspace: 'b-w' }),
    'grey-progressive': makeJpeg({ colourspace: 'b-w', progressive: true }),
    cmyk: makeJpeg({ colourspace: 'cmyk' }),
    restart: makeRestartJpeg(),
    metadata: withSegments(await makeJpeg({ quality: 92 }), metadata),
    'gain-map': makeGainMapJpeg(),
    mpo: makeMpo(),
    phone: concat(await makeJpeg(), makeMotionVideo(), samsungSef()),
  });
}

async function pngs(): Promise<SeedFile[]> {
  const interlaced = await written(picture(50, 40).png({ progressive: true, compressionLevel: 1 }));
  return seedsOf('png', {
    rgb: makePng({ chunks: [pngExif(EXIF), pngText('Comment', 'one')] }),
    rgba: makePng({ colourType: 6 }),
    grey: makePng({ colourType: 0 }),
    'grey-alpha': makePng({ colourType: 4 }),
    palette: makePng({ colourType: 3, bitDepth: 4 }),
    'palette-few': makePng({ colourType: 3, bitDepth: 8, colours: 20 }),
    bilevel: makePng({ colourType: 0, bitDepth: 1 }),
    deep: makePng({ colourType: 0, bitDepth: 16 }),
    'deep-rgba': makePng({ colourType: 6, bitDepth: 16, width: 30 }),
    profile: makePng({ chunks: [pngIcc(await iccProfile())] }),
    interlaced,
    animated: makeApng(),
    'animated-after-still': makeApngAfterStill(),
  });
}

function gifs(): Promise<SeedFile[]> {
  return seedsOf('gif', {
    still: written(picture(60, 45).gif()),
    interlaced: written(picture(60, 45).gif({ progressive: true })),
    few: written(picture(40, 40).gif({ colours: 4 })),
    transparent: written(picture(40, 30, 4).gif()),
    animated: makeAnimation('gif'),
  });
}

function webps(): Promise<SeedFile[]> {
  return seedsOf('webp', {
    lossy: makeWebp(),
    lossless: makeWebp({ lossless: true }),
    'lossless-alpha': makeWebp({ lossless: true, alpha: true }),
    'lossy-alpha': makeWebp({ alpha: true }),
    'near-lossless': written(picture(50, 41).webp({ nearLossless: true })),
    profile: written(picture(64, 48).keepIccProfile().withIccProfile('p3').webp({ quality: 80 })),
    animated: makeAnimation('webp'),
    'animated-lossless': written(frames(3, 30, 24).webp({ lossless: true, delay: [50, 60, 70], loop: 3 })),
  });
}

function avifs(): Promise<SeedFile[]> {
  const options = { effort: 0, quality: 60 } as const;
  return seedsOf('avif', {
    photo: makeAvif(),
    alpha: makeAvif({ alpha: true }),
    '10-bit': makeAvif({ bitdepth: 10 }),
    monochrome: written(picture(64, 48).toColourspace('b-w').avif(options)),
    '420': written(picture(64, 48).avif({ ...options, chromaSubsampling: '4:2:0' })),
    lossless: written(picture(40, 32).avif({ effort: 0, lossless: true })),
    grid: makeGridAvif(),
    profile: written(picture(64, 48).keepIccProfile().withIccProfile('p3').avif(options)),
    metadata: written(
      picture(64, 48)
        .withExif({ IFD0: { Artist: 'A. Nonymous' } })
        .avif(options),
    ),
  });
}

function tiffs(): Promise<SeedFile[]> {
  const tile = { tile: true, tileWidth: 32, tileHeight: 32 } as const;
  const image = () => picture(64, 48);
  return seedsOf('tiff', {
    plain: written(image().tiff({ compression: 'none' })),
    lzw: written(image().tiff({ compression: 'lzw' })),
    deflate: written(image().tiff({ compression: 'deflate', predictor: 'horizontal' })),
    packbits: written(image().tiff({ compression: 'packbits' })),
    jpeg: written(image().tiff({ compression: 'jpeg', quality: 80 })),
    strips: written(picture(24, 300).tiff({ compression: 'lzw' })),
    tiled: written(image().tiff({ compression: 'lzw', ...tile })),
    'tiled-jpeg': written(image().tiff({ compression: 'jpeg', ...tile })),
    fax: written(image().toColourspace('b-w').threshold(90).tiff({ compression: 'ccittfax4', bitdepth: 1 })),
    grey: written(image().toColourspace('b-w').tiff({ compression: 'lzw' })),
    cmyk: written(image().toColourspace('cmyk').tiff({ compression: 'deflate' })),
    alpha: written(picture(50, 40, 4).tiff({ compression: 'deflate' })),
    big: written(image().tiff({ compression: 'lzw', bigtiff: true })),
    pages: written(frames(3, 40, 30).tiff({ compression: 'lzw' })),
    pyramid: written(picture(128, 96).tiff({ compression: 'deflate', ...tile, pyramid: true })),
  });
}

function picture(width: number, height: number, channels: 3 | 4 = 3): Sharp {
  return sharp(photoPixels(width, height, channels), { raw: { width, height, channels } });
}

function frames(count: number, width: number, height: number): Sharp {
  const pixels = concat(...Array.from({ length: count }, (_, frame) => photoPixels(width, height, 3, frame + 1)));
  return sharp(pixels, { raw: { width, height: height * count, channels: 3, pageHeight: height } });
}

async function written(image: Sharp): Promise<Uint8Array> {
  return bytesOf(await image.toBuffer());
}

async function seedsOf(
  format: FuzzFormat,
  files: Readonly<Record<string, Uint8Array | Promise<Uint8Array>>>,
): Promise<SeedFile[]> {
  const named = Object.entries(files).map(async ([name, bytes]) => ({
    name: `${format}/${name}`,
    format,
    bytes: await bytes,
  }));
  return Promise.all(named);
}
