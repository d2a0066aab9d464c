import { deflateSync } from 'node:zlib';
import { losslessCompressPng, type PNGLosslessOptions } from '@napi-rs/image';
import sharp from 'sharp';
import { sameBytes } from '../bytes.ts';
import { fromEngine } from '../engines.ts';
import type { ImageFile } from '../image-file.ts';
import type { MetadataPolicy } from '../metadata/model.ts';
import { chunkKind } from './chunk-kinds.ts';
import { countAfterEnd, findChunk, type Png, readPng, writePng } from './chunks.ts';
import { pixelFormatOf } from './fit-chunks.ts';
import { apngFrames } from './frames.ts';
import { hasIrregularData, picturesOf } from './judge.ts';
import { chunksOfCopy, type PngMetadata } from './metadata.ts';
import { readPngOrientation } from './metadata-chunks.ts';
import { choosePackingEffort } from './packing-effort.ts';
import { inflateRows } from './picture-data.ts';

/**
 * The same pixels packed tighter; every frame of an animation too. The engine drops most metadata chunks; this puts
 * them back. Returns the source itself where something in it would be lost.
 * @throws CorruptImageError for an unreadable header, TooSlowError, EngineError
 */
export async function recompressPng(
  file: ImageFile,
  policy: MetadataPolicy,
  timeLimitMs = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  const { bytes } = file;
  const source = file.read(readPng);
  if (!isUnderstood(source) || countAfterEnd(source, bytes) > 0) return bytes;
  const own = bytes.subarray(0, source.end);
  const input = (await hasIrregularData(file)) ? await withRegularData(source) : own;
  if (!input) return bytes;
  const effort = choosePackingEffort(picturesOf(source), timeLimitMs);
  const reduced = await repack(input, source, policy, { ...effort, ...reductionsFor(source) });
  const result = reduced ?? (await repack(input, source, policy, { ...effort, ...NO_REDUCTION }));
  if (!result) return bytes;
  return findChunk(source, 'acTL') && !(await sameFrames(bytes, result)) ? bytes : result;
}

/** A still with just the data of its picture, which the engine insists on. */
async function withRegularData(png: Png): Promise<Uint8Array | undefined> {
  const { chunks } = png;
  const [still, ...frames] = picturesOf(png);
  if (!still || frames.length > 0) return undefined;
  const rows = await inflateRows(still.parts, still);
  const data = { type: 'IDAT', payload: deflateSync(rows, { level: 1 }) };
  const first = chunks.findIndex(({ type }) => type === 'IDAT');
  const others = (from: number, to: number) => chunks.slice(from, to).filter(({ type }) => type !== 'IDAT');
  return writePng([...others(0, first), data, ...others(first, chunks.length)]);
}

const NO_REDUCTION: PNGLosslessOptions = {
  bitDepthReduction: false,
  colorTypeReduction: false,
  paletteReduction: false,
  grayscaleReduction: false,
};

/** Which changes of the pixel format are allowed. */
function reductionsFor(source: Png): PNGLosslessOptions {
  // Frames share one header and one palette.
  if (findChunk(source, 'acTL')) return NO_REDUCTION;
  return {
    // 16 bits stay, even where 8 would hold the same values.
    bitDepthReduction: source.header.bitDepth !== 16,
    // A profile for RGB is invalid in a grey PNG.
    grayscaleReduction: !findChunk(source, 'iCCP'),
  };
}

async function repack(bytes: Uint8Array, source: Png, policy: MetadataPolicy, options: PNGLosslessOptions) {
  const packed = readPng(await fromEngine(losslessCompressPng(bytes, { ...options, force: true })));
  if (bitsPerPixel(packed) > bitsPerPixel(source) || contradictsProfile(source, packed)) return undefined;
  const metadata = chunksOfCopy(source, pixelFormatOf(packed), policy, readPngOrientation(source));
  return metadata && assemblePng(packed, metadata);
}

/** The pixel chunks of a PNG with these metadata chunks, in the order that the specification demands. */
export function assemblePng({ chunks }: Pick<Png, 'chunks'>, metadata: PngMetadata): Uint8Array {
  const pixels = chunks.filter(({ type }) => chunkKind(type)?.pixels);
  const [head, rest] = [pixels.slice(0, 1), pixels.slice(1)];
  const firstData = rest.findIndex(({ type }) => type === 'IDAT' || type === 'fcTL');
  const colours = metadata.before.filter(({ type }) => chunkKind(type)?.beforePalette);
  const others = metadata.before.filter(({ type }) => !chunkKind(type)?.beforePalette);
  const beforeData = [...head, ...colours, ...rest.slice(0, firstData), ...others];
  return writePng([...beforeData, ...rest.slice(firstData, -1), ...metadata.after, ...rest.slice(-1)]);
}

/** A profile is for grey or for colour, and a palette counts as colour. */
function contradictsProfile(source: Png, packed: Png): boolean {
  const isColour = ({ header }: Png) => (header.colourType & 2) !== 0;
  return findChunk(source, 'iCCP') !== undefined && isColour(source) !== isColour(packed);
}

/** A small file can be smaller as RGB than with a palette, but a picture must not lose its palette. */
function bitsPerPixel({ header }: Png): number {
  const samples = header.colourType === 3 ? 1 : (header.colourType & 2) + 1 + (header.colourType & 4 ? 1 : 0);
  return samples * header.bitDepth;
}

/**
 * Chunks that depend on the pixel data and are not known here may be wrong in a copy (Fireworks keeps its layers in
 * some); an unknown critical chunk means that this is not a standard PNG.
 */
export function isUnderstood(png: Png): boolean {
  // Safe to copy: ancillary, and by its last letter independent of the pixels.
  const isSafe = png.chunks.every(({ type }) => chunkKind(type) || /^[a-z]..[a-z]$/s.test(type));
  // Without acTL viewers show a still picture; the engine treats it as a damaged animation.
  const hasFrames = png.chunks.some(({ type }) => type === 'fcTL' || type === 'fdAT');
  return isSafe && (!hasFrames || findChunk(png, 'acTL') !== undefined);
}

/** Decoders of stills see only one frame, so each is decoded on its own. */
async function sameFrames(source: Uint8Array, result: Uint8Array): Promise<boolean> {
  const decoded = (png: Uint8Array) => fromEngine(sharp(png).raw().toBuffer());
  const [before, after] = [apngFrames(source), apngFrames(result)];
  if (before.length !== after.length) return false;
  for (const [index, frame] of before.entries()) {
    const other = after[index];
    if (!other || !sameBytes(frame.control, other.control)) return false;
    if (!sameBytes(await decoded(frame.png), await decoded(other.png))) return false;
  }
  return true;
}
