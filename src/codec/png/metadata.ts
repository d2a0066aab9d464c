import { isUtf8 } from 'node:buffer';
import { sameBytes } from '../bytes.ts';
import type { WritableFormat } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { buildExif, withOrientation, withoutExifPrefix, withoutThumbnail } from '../metadata/exif.ts';
import { usableProfile } from '../metadata/icc.ts';
import type { ImageMetadata, MetadataPolicy, MetadataTransfer } from '../metadata/model.ts';
import { underPolicy, withPlainExif } from '../metadata/policy.ts';
import { withCredits, withXmpOrientation, type XmpCredits } from '../metadata/xmp.ts';
import { chunkKind } from './chunk-kinds.ts';
import { hasItsLength } from './chunk-lengths.ts';
import { findChunk, type NewChunk, type Png, readPng, writePng } from './chunks.ts';
import { fitChunk, type PngPixelFormat, pixelFormatOf } from './fit-chunks.ts';
import {
  iccChunk,
  isXmpChunk,
  keywordOf,
  readPngIcc,
  readPngOrientation,
  readPngXmp,
  readText,
  xmpChunk,
} from './metadata-chunks.ts';

export function readPngMetadata(file: ImageFile): ImageMetadata {
  const png = file.read(readPng);
  return withPlainExif({
    exif: findChunk(png, 'eXIf')?.payload,
    xmp: withCredits(readPngXmp(png), readPngCredits(png)),
    icc: usableProfile(readPngIcc(png)),
  });
}

/** Author and copyright in text chunks. */
function readPngCredits(png: Png): Pick<XmpCredits, 'creators' | 'rights'> {
  const textOf = (wanted: string) => {
    const chunk = png.chunks.find((candidate) => keywordOf(candidate)?.toLowerCase() === wanted);
    const value = chunk && readText(chunk)?.value;
    // tEXt and zTXt are Latin-1 and iTXt is UTF-8, but many writers put UTF-8 into all of them.
    return value && Buffer.from(value.subarray(0, 4000)).toString(isUtf8(value) ? 'utf8' : 'latin1');
  };
  // `Artist` is not a standard keyword, but some programs write it.
  const author = textOf('author') || textOf('artist');
  return { creators: author ? [author] : [], rights: textOf('copyright') };
}

/** An encoder's PNG with this metadata. From a source that is a PNG itself, the chunks are copied. */
export const writePngMetadata: WritableFormat['writeMetadata'] = (output, metadata, transfer) => {
  const encoded = output.read(readPng);
  // The encoder of libvips writes a density of 72 dpi where the source has none.
  const png = { ...encoded, chunks: encoded.chunks.filter(({ type }) => type !== 'pHYs') };
  const icc = transfer.ownsIcc ? undefined : metadata.icc;
  const { before, after } =
    transfer.source.format === 'png'
      ? chunksFromPng(png, transfer)
      : { before: metadataChunks({ ...metadata, icc }), after: [] };
  const [header, rest, end] = [png.chunks.slice(0, 1), png.chunks.slice(1, -1), png.chunks.slice(-1)];
  return writePng([...header, ...before, ...rest, ...after, ...end]);
};

function metadataChunks({ exif, xmp, icc }: ImageMetadata): NewChunk[] {
  return [
    ...(icc ? [iccChunk(icc)] : []),
    ...(exif ? [{ type: 'eXIf', payload: exif }] : []),
    ...(xmp ? [xmpChunk(xmp)] : []),
  ];
}

function chunksFromPng(output: Png, transfer: MetadataTransfer): PngMetadata {
  const { source, policy, orientation, isReshaped, ownsIcc } = transfer;
  const from = source.file.read(readPng);
  // Some describe the old pixels, or must follow the palette, and the output has its own.
  const plain = { ...from, chunks: from.chunks.filter(({ type }) => !chunkKind(type)?.inColourType) };
  const { before, after } = chunksOfCopy(plain, pixelFormatOf(output), policy, orientation)!;
  const present = new Set(output.chunks.map(({ type }) => type));
  const isWanted = ({ type }: NewChunk) =>
    !(ownsIcc && chunkKind(type)?.colour) && !(present.has(type) && type !== 'tEXt');
  // Viewers ignore colours that follow the pixels; EXIF and texts count anywhere, but libvips reads them only before.
  const moved = after.filter(({ type }) => !chunkKind(type)?.appearance);
  const ineffective = after.filter(({ type }) => chunkKind(type)?.appearance);
  const own = [...before, ...moved].filter(isWanted);
  return { before: isReshaped ? own.map(withoutChunkThumbnail) : own, after: ineffective.filter(isWanted) };
}

function withoutChunkThumbnail(chunk: NewChunk): NewChunk {
  return chunk.type === 'eXIf' ? { type: 'eXIf', payload: withoutThumbnail(withoutExifPrefix(chunk.payload)) } : chunk;
}

/** The metadata of a PNG by its position: what is after the pixels has no effect on their colours. */
export interface PngMetadata {
  readonly before: readonly NewChunk[];
  readonly after: readonly NewChunk[];
}

/** Neither part of the pixels nor wrong in every copy. */
export function isMetadataChunk({ type }: NewChunk): boolean {
  const kind = chunkKind(type);
  return !kind?.pixels && !kind?.stale;
}

/**
 * The ancillary chunks for a copy of the pixels of a PNG. Undefined when one of them cannot be expressed
 * in the target's colour type: the pixels then have to keep that of the source.
 */
export function chunksOfCopy(
  source: Png,
  target: PngPixelFormat,
  policy: MetadataPolicy,
  orientation: number,
): PngMetadata | undefined {
  const firstData = source.chunks.findIndex(({ type }) => type === 'IDAT');
  const xmp = source.chunks.find(isXmpChunk);
  const own = pixelFormatOf(source);
  const isRotated = orientation !== readPngOrientation(source);
  const [before, after]: [NewChunk[], NewChunk[]] = [[], []];
  for (const [index, chunk] of source.chunks.entries()) {
    if (!isCarried(chunk, policy) || !hasItsLength(chunk, source.header)) continue;
    const fitted = fitChunk(chunk, own, target);
    if (!fitted) return undefined;
    // A picture has one XMP packet: further ones are not inflated.
    const isDuplicate = fitted !== xmp && isXmpChunk(fitted);
    (index < firstData ? before : after).push(
      isRotated && !isDuplicate ? withOrientationIn(fitted, orientation) : fitted,
    );
  }
  before.push(...rewrittenChunks(source, policy, orientation));
  return { before, after };
}

function isCarried(chunk: NewChunk, policy: MetadataPolicy): boolean {
  if (!isMetadataChunk(chunk)) return false;
  if (policy === 'keep' || chunkKind(chunk.type)?.appearance) return true;
  const keyword = policy === 'strip' ? undefined : keywordOf(chunk);
  return keyword !== undefined && ['author', 'artist', 'copyright'].includes(keyword.toLowerCase());
}

function withOrientationIn(chunk: NewChunk, orientation: number): NewChunk {
  if (chunk.type === 'eXIf')
    return { type: 'eXIf', payload: withOrientation(withoutExifPrefix(chunk.payload), orientation) };
  if (!isXmpChunk(chunk)) return chunk;
  const packet = readText(chunk)?.value;
  const upright = packet && withXmpOrientation(packet, orientation);
  return upright && packet && !sameBytes(upright, packet) ? xmpChunk(upright) : chunk;
}

/** EXIF and XMP that the policy allows in a new form, or that hold an orientation no other chunk holds. */
function rewrittenChunks(source: Png, policy: MetadataPolicy, orientation: number): NewChunk[] {
  const exif = findChunk(source, 'eXIf')?.payload;
  if (policy === 'keep')
    return exif || orientation === 1 ? [] : [{ type: 'eXIf', payload: buildExif({ orientation }) }];
  return metadataChunks(underPolicy(withPlainExif({ exif, xmp: readPngXmp(source) }), policy, orientation));
}
