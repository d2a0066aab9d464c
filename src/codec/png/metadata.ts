import { isUtf8 } from 'node:buffer';
import { sameBytes, uint16, viewOf } from '../bytes.ts';
import { buildExif, withOrientation, withoutExifPrefix } from '../metadata/exif.ts';
import type { ImageMetadata, MetadataPolicy, MetadataTransfer } from '../metadata/model.ts';
import { underPolicy, withPlainExif } from '../metadata/policy.ts';
import { withCredits, withXmpOrientation, type XmpCredits } from '../metadata/xmp.ts';
import {
  findChunk,
  iccChunk,
  isXmpChunk,
  keywordOf,
  type Png,
  type PngChunk,
  readPng,
  readPngIcc,
  readPngOrientation,
  readPngXmp,
  readText,
  writePng,
  xmpChunk,
} from './chunks.ts';

export function readPngMetadata(bytes: Uint8Array): ImageMetadata {
  const png = readPng(bytes);
  return withPlainExif({
    exif: findChunk(png, 'eXIf')?.payload,
    xmp: withCredits(readPngXmp(png), readPngCredits(png)),
    icc: readPngIcc(png),
  });
}

/** Author and copyright as PNG writes them in texts of its own. */
function readPngCredits(png: Png): Pick<XmpCredits, 'creators' | 'rights'> {
  const textOf = (wanted: string) => {
    const chunk = png.chunks.find((candidate) => keywordOf(candidate)?.toLowerCase() === wanted);
    const value = chunk && readText(chunk)?.value;
    // tEXt and zTXt are Latin-1 and iTXt is UTF-8, but many writers put UTF-8 into all of them.
    return value && Buffer.from(value.subarray(0, 4000)).toString(isUtf8(value) ? 'utf8' : 'latin1');
  };
  // The second is no keyword of the standard's, but some programs write it.
  const author = textOf('author') || textOf('artist');
  return { creators: author ? [author] : [], rights: textOf('copyright') };
}

/** An encoder's PNG with this metadata; a source that is a PNG, too, hands on its own chunks. */
export function writePngMetadata(
  output: Uint8Array,
  metadata: ImageMetadata,
  transfer: MetadataTransfer,
): Uint8Array {
  const png = readPng(output);
  const [header, ...rest] = png.chunks;
  const added =
    transfer.source.format === 'png' ? chunksFromPng(png, transfer) : chunksFromOther(metadata, transfer);
  return writePng([header!, ...added, ...rest]);
}

function chunksFromOther({ exif, xmp, icc }: ImageMetadata, { ownsIcc }: MetadataTransfer): NewChunk[] {
  return [
    ...(icc && !ownsIcc ? [iccChunk(icc)] : []),
    ...(exif ? [{ type: 'eXIf', payload: exif }] : []),
    ...(xmp ? [xmpChunk(xmp)] : []),
  ];
}

const COLOUR_CHUNKS: ReadonlySet<string> = new Set(['iCCP', 'sRGB', 'gAMA', 'cHRM', 'cICP', 'mDCV', 'cLLI']);
// They describe pixels that were encoded anew, and stand behind the palette, where the output has its own.
const OF_OLD_PIXELS: ReadonlySet<string> = new Set(['bKGD', 'hIST', 'sBIT']);

function chunksFromPng(output: Png, { source, policy, orientation, ownsIcc }: MetadataTransfer): NewChunk[] {
  const from = readPng(source.bytes);
  const plain = { ...from, chunks: from.chunks.filter(({ type }) => !OF_OLD_PIXELS.has(type)) };
  const { before, after } = chunksOfCopy(plain, natureOf(output), policy, orientation)!;
  const present = new Set(output.chunks.map(({ type }) => type));
  return [...before, ...after].filter(
    ({ type }) => !(ownsIcc && COLOUR_CHUNKS.has(type)) && !(present.has(type) && type !== 'tEXt'),
  );
}

export type NewChunk = Pick<PngChunk, 'type' | 'payload'>;

/** The palette and colour type that chunks speak in, or have to be fitted to. */
export interface PngTarget {
  readonly colourType: number;
  readonly bitDepth: number;
  readonly palette?: Uint8Array;
}

export function natureOf(png: Png): PngTarget {
  const { colourType, bitDepth } = png.header;
  return { colourType, bitDepth, palette: findChunk(png, 'PLTE')?.payload };
}

// Written by whoever writes the pixels.
export const PIXEL_CHUNKS: ReadonlySet<string> = new Set([
  'IHDR',
  'PLTE',
  'tRNS',
  'IDAT',
  'IEND',
  'acTL',
  'fcTL',
  'fdAT',
]);

// How the pixels are meant to look: kept under every policy.
const APPEARANCE: ReadonlySet<string> = new Set([
  'cHRM',
  'gAMA',
  'iCCP',
  'sRGB',
  'cICP',
  'mDCV',
  'mDCv',
  'cLLI',
  'cLLi',
  'sBIT',
  'bKGD',
  'pHYs',
  'sTER',
]);

const CREDIT_KEYWORDS: ReadonlySet<string> = new Set(['author', 'artist', 'copyright']);

/** Apple's table of offsets into the compressed data: wrong in every copy. */
export const STALE: ReadonlySet<string> = new Set(['iDOT']);

/**
 * The ancillary chunks of a PNG as they go with a copy of its pixels. Undefined when one of them cannot be said
 * in the target's colour type: then the pixels have to stay in the source's.
 */
export function chunksOfCopy(
  source: Png,
  target: PngTarget,
  policy: MetadataPolicy,
  orientation: number,
): { before: NewChunk[]; after: NewChunk[] } | undefined {
  const firstData = source.chunks.findIndex(({ type }) => type === 'IDAT');
  const xmp = source.chunks.find(isXmpChunk);
  const own = natureOf(source);
  const isTurned = orientation !== readPngOrientation(source);
  const [before, after]: [NewChunk[], NewChunk[]] = [[], []];
  for (const [index, chunk] of source.chunks.entries()) {
    if (PIXEL_CHUNKS.has(chunk.type) || STALE.has(chunk.type) || !isCarried(chunk, policy)) continue;
    const fitted = fitChunk(chunk, own, target);
    if (!fitted) return undefined;
    // A picture has one packet of XMP: a second one is inflated by nobody.
    const isSpare = fitted !== xmp && isXmpChunk(fitted);
    (index < firstData ? before : after).push(isTurned && !isSpare ? turned(fitted, orientation) : fitted);
  }
  before.push(...rewrittenChunks(source, policy, orientation));
  return { before, after };
}

function isCarried(chunk: NewChunk, policy: MetadataPolicy): boolean {
  if (policy === 'keep' || APPEARANCE.has(chunk.type)) return true;
  const keyword = policy === 'strip' ? undefined : keywordOf(chunk);
  return keyword !== undefined && CREDIT_KEYWORDS.has(keyword.toLowerCase());
}

function turned(chunk: NewChunk, orientation: number): NewChunk {
  if (chunk.type === 'eXIf') {
    return { type: 'eXIf', payload: withOrientation(withoutExifPrefix(chunk.payload), orientation) };
  }
  if (!isXmpChunk(chunk)) return chunk;
  const packet = readText(chunk)?.value;
  const upright = packet && withXmpOrientation(packet, orientation);
  return upright && packet && !sameBytes(upright, packet) ? xmpChunk(upright) : chunk;
}

/** EXIF and XMP that the policy lets through in a new form, or that tell an orientation nothing else tells. */
function rewrittenChunks(source: Png, policy: MetadataPolicy, orientation: number): NewChunk[] {
  const exif = findChunk(source, 'eXIf')?.payload;
  if (policy === 'keep') {
    return exif || orientation === 1 ? [] : [{ type: 'eXIf', payload: buildExif({ orientation }) }];
  }
  const xmp = source.chunks.find(isXmpChunk);
  const plain = { exif: exif && withoutExifPrefix(exif), xmp: xmp && readText(xmp)?.value };
  const allowed = underPolicy(plain, policy, orientation);
  return [
    ...(allowed.exif ? [{ type: 'eXIf', payload: allowed.exif }] : []),
    ...(allowed.xmp ? [xmpChunk(allowed.xmp)] : []),
  ];
}

const IN_COLOUR_TYPE: ReadonlySet<string> = new Set(['bKGD', 'sBIT', 'hIST']);

/** Three chunks speak in the colour type of the picture; the others fit everywhere. */
function fitChunk(chunk: NewChunk, own: PngTarget, target: PngTarget): NewChunk | undefined {
  if (!IN_COLOUR_TYPE.has(chunk.type) || isSameNature(own, target)) return chunk;
  if (chunk.type === 'bKGD') return fitBackground(chunk, own, target);
  return chunk.type === 'sBIT' ? fitSignificantBits(chunk, own.colourType, target) : undefined;
}

function isSameNature(own: PngTarget, target: PngTarget): boolean {
  if (target.colourType !== own.colourType || target.bitDepth !== own.bitDepth) return false;
  if (!own.palette || !target.palette) return own.palette === target.palette;
  return sameBytes(own.palette, target.palette);
}

function fitBackground({ type, payload }: NewChunk, own: PngTarget, target: PngTarget): NewChunk | undefined {
  const colour = readBackground(payload, own);
  const value = colour && writeBackground(colour, target);
  return value && { type, payload: value };
}

interface Background {
  readonly samples: readonly number[];
  readonly bitDepth: number;
}

function readBackground(
  payload: Uint8Array,
  { colourType, bitDepth, palette }: PngTarget,
): Background | undefined {
  if (colourType === 3) {
    const at = (payload[0] ?? 256) * 3;
    const colour = palette?.subarray(at, at + 3);
    return colour?.length === 3 ? { samples: [...colour], bitDepth: 8 } : undefined;
  }
  const count = colourType & 2 ? 3 : 1;
  if (payload.length < count * 2) return undefined;
  const view = viewOf(payload);
  const samples = Array.from({ length: count }, (_, index) => view.getUint16(index * 2));
  return { samples: count === 1 ? [samples[0]!, samples[0]!, samples[0]!] : samples, bitDepth };
}

function writeBackground({ samples, bitDepth }: Background, target: PngTarget): Uint8Array | undefined {
  const depth = target.colourType === 3 ? 8 : target.bitDepth;
  const scaled = samples.map((sample) => (sample * (2 ** depth - 1)) / (2 ** bitDepth - 1));
  if (!scaled.every(Number.isInteger)) return undefined;
  const [red, green, blue] = scaled as [number, number, number];
  if (target.colourType === 3) return paletteIndex(target.palette, red, green, blue);
  if (target.colourType & 2) return Uint8Array.from(scaled.flatMap((sample) => [...uint16(sample)]));
  return red === green && green === blue ? uint16(red) : undefined;
}

function paletteIndex(
  palette: Uint8Array | undefined,
  red: number,
  green: number,
  blue: number,
): Uint8Array | undefined {
  for (let at = 0; palette && at + 3 <= palette.length; at += 3) {
    if (palette[at] === red && palette[at + 1] === green && palette[at + 2] === blue)
      return Uint8Array.of(at / 3);
  }
  return undefined;
}

function fitSignificantBits(
  { type, payload }: NewChunk,
  colourType: number,
  target: PngTarget,
): NewChunk | undefined {
  const isColour = (kind: number) => (kind & 2) !== 0;
  const colours = isColour(colourType) ? payload.subarray(0, 3) : payload.subarray(0, 1);
  const hasAlpha = colourType === 4 || colourType === 6;
  const alpha = hasAlpha ? payload.subarray(colours.length, colours.length + 1) : Uint8Array.of();
  if (colours.length + alpha.length !== payload.length) return undefined;
  const isEven = colours.every((bits) => bits === colours[0]);
  if (!isColour(target.colourType) && !isEven) return undefined;
  const depth = target.colourType === 3 ? 8 : target.bitDepth;
  const wanted = isColour(target.colourType)
    ? [0, 1, 2].map((index) => colours[index] ?? colours[0]!)
    : [colours[0]!];
  const needsAlpha = target.colourType === 4 || target.colourType === 6;
  const all = [...wanted, ...(needsAlpha ? [alpha[0] ?? depth] : [])];
  return { type, payload: Uint8Array.from(all.map((bits) => Math.min(bits, depth))) };
}
