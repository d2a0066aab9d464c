import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { joinAll, joinBytes, latin1, startsWith, textAt, uint32, viewOf } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import { readOrientation } from '../metadata/exif.ts';

/** What a PNG is made of, chunk by chunk. */

export interface PngChunk {
  readonly type: string;
  readonly at: number;
  readonly payload: Uint8Array;
}

export interface Png {
  readonly header: PngHeader;
  readonly chunks: readonly PngChunk[];
  /** Where IEND ends, or the file when there is none. */
  readonly end: number;
}

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly interlaced: boolean;
}

export const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n';
export const XMP_KEYWORD = 'XML:com.adobe.xmp';

const MAX_CHUNKS = 200_000;
const MAX_PROFILE_BYTES = 16_000_000;
// Credits are a line; what Photoshop writes about layers and history can be some megabytes.
const MAX_TEXT_BYTES = 65_536;
const MAX_XMP_BYTES = 4_000_000;

/** Reads the chunks up to IEND or as far as they go; throws CorruptImageError when IHDR cannot be read. */
export function readPng(bytes: Uint8Array): Png {
  const chunks: PngChunk[] = [];
  const view = viewOf(bytes);
  let at = PNG_SIGNATURE.length;
  while (at + 12 <= bytes.length && chunks.at(-1)?.type !== 'IEND') {
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) break;
    chunks.push({ type: textAt(bytes, at + 4, 4), at, payload: bytes.subarray(at + 8, at + 8 + length) });
    if (chunks.length > MAX_CHUNKS) throw corrupt(`more than ${MAX_CHUNKS} chunks`, at);
    at += 12 + length;
  }
  const isWhole = chunks.at(-1)?.type === 'IEND';
  return { header: readHeader(chunks[0]), chunks, end: isWhole ? at : bytes.length };
}

function readHeader(chunk: PngChunk | undefined): PngHeader {
  if (chunk?.type !== 'IHDR' || chunk.payload.length !== 13) throw corrupt('no IHDR chunk of 13 bytes', 8);
  const view = viewOf(chunk.payload);
  const header = {
    width: view.getUint32(0),
    height: view.getUint32(4),
    bitDepth: chunk.payload[8]!,
    colourType: chunk.payload[9]!,
    interlaced: chunk.payload[12] === 1,
  };
  if (header.width === 0 || header.height === 0) throw corrupt('a width or height of 0', 16);
  if (header.width > 0x7fffffff || header.height > 0x7fffffff)
    throw corrupt('a negative width or height', 16);
  if (!isAllowed(header)) throw corrupt(`colour type ${header.colourType} with ${header.bitDepth} bits`, 24);
  return header;
}

const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

function isAllowed({ colourType, bitDepth }: PngHeader): boolean {
  return DEPTHS[colourType]?.includes(bitDepth) ?? false;
}

function corrupt(what: string, at: number): CorruptImageError {
  return new CorruptImageError(`Expected a readable PNG header but found ${what} at byte ${at}`);
}

export function findChunk(png: Png, type: string): PngChunk | undefined {
  return png.chunks.find((chunk) => chunk.type === type);
}

/** A PNG of these chunks; their checksums are computed anew. */
export function writePng(chunks: readonly Pick<PngChunk, 'type' | 'payload'>[]): Uint8Array {
  return joinAll([latin1(PNG_SIGNATURE), ...chunks.flatMap(chunkParts)]);
}

function chunkParts({ type, payload }: Pick<PngChunk, 'type' | 'payload'>): Uint8Array[] {
  const name = latin1(type);
  return [uint32(payload.length), name, payload, uint32(crc32(payload, crc32(name)))];
}

/** The profile in iCCP; undefined when there is none or it cannot be inflated. */
export function readPngIcc(png: Png): Uint8Array | undefined {
  const payload = findChunk(png, 'iCCP')?.payload;
  const nameEnd = payload?.indexOf(0) ?? -1;
  return payload && nameEnd >= 0 ? inflated(payload.subarray(nameEnd + 2), MAX_PROFILE_BYTES) : undefined;
}

/** Orientation that the PNG's own EXIF tells. */
export function readPngOrientation(png: Png): number {
  return readOrientation(findChunk(png, 'eXIf')?.payload);
}

export function iccChunk(profile: Uint8Array): Pick<PngChunk, 'type' | 'payload'> {
  return { type: 'iCCP', payload: joinBytes(latin1('icc\0\0'), deflateSync(profile, { level: 9 })) };
}

/** The XMP packet in its iTXt chunk; undefined when there is none. */
export function readPngXmp(png: Png): Uint8Array | undefined {
  const chunk = png.chunks.find(isXmpChunk);
  return chunk && readText(chunk)?.value;
}

export function isXmpChunk({ type, payload }: Pick<PngChunk, 'type' | 'payload'>): boolean {
  return type === 'iTXt' && startsWith(payload, `${XMP_KEYWORD}\0`);
}

export function xmpChunk(packet: Uint8Array): Pick<PngChunk, 'type' | 'payload'> {
  return { type: 'iTXt', payload: joinBytes(latin1(`${XMP_KEYWORD}\0\0\0\0\0`), packet) };
}

const TEXT_CHUNKS: ReadonlySet<string> = new Set(['tEXt', 'zTXt', 'iTXt']);

/** Keyword of a tEXt, zTXt or iTXt chunk, whose value may be compressed: it is not touched. */
export function keywordOf({ type, payload }: Pick<PngChunk, 'type' | 'payload'>): string | undefined {
  if (!TEXT_CHUNKS.has(type)) return undefined;
  const end = payload.subarray(0, 80).indexOf(0);
  return end < 1 ? undefined : textAt(payload, 0, end);
}

/** Keyword and value of a text chunk; undefined where the value inflates to more than such a text ever has. */
export function readText(
  chunk: Pick<PngChunk, 'type' | 'payload'>,
): { keyword: string; value: Uint8Array } | undefined {
  const keyword = keywordOf(chunk);
  if (keyword === undefined) return undefined;
  const maxBytes = keyword === XMP_KEYWORD ? MAX_XMP_BYTES : MAX_TEXT_BYTES;
  const value = textValue(chunk.type, chunk.payload, keyword.length + 1, maxBytes);
  return value && { keyword, value };
}

function textValue(type: string, payload: Uint8Array, at: number, maxBytes: number): Uint8Array | undefined {
  if (type === 'tEXt') return payload.subarray(at);
  if (type === 'zTXt') return inflated(payload.subarray(at + 1), maxBytes);
  const languageEnd = payload.indexOf(0, at + 2);
  const translatedEnd = languageEnd < 0 ? -1 : payload.indexOf(0, languageEnd + 1);
  if (translatedEnd < 0) return undefined;
  const text = payload.subarray(translatedEnd + 1);
  return payload[at] === 1 ? inflated(text, maxBytes) : text;
}

function inflated(compressed: Uint8Array, maxOutputLength: number): Uint8Array | undefined {
  try {
    return inflateSync(compressed, { maxOutputLength });
  } catch {
    return undefined;
  }
}

/**
 * Frames of an animation, 0 of a still. Whoever decodes a frame makes room for all of it, so each has to lie within
 * the picture, and be there. @throws CorruptImageError
 */
export function countFrames(png: Png): number {
  const controls = png.chunks.filter(({ type }) => type === 'fcTL');
  const outside = controls.find(({ payload }) => !isWithin(png.header, payload));
  if (outside) throw corrupt('a frame outside the picture', outside.at);
  const animation = findChunk(png, 'acTL')?.payload;
  const told = animation && animation.length >= 4 ? viewOf(animation).getUint32(0) : 0;
  if (told > controls.length)
    throw corrupt(`${controls.length} of the ${told} frames that its animation has`, png.end);
  return animation ? controls.length : 0;
}

function isWithin({ width, height }: PngHeader, control: Uint8Array): boolean {
  if (control.length !== 26) return false;
  const view = viewOf(control);
  const [frameWidth, frameHeight, left, top] = [4, 8, 12, 16].map((at) => view.getUint32(at));
  return left! + frameWidth! <= width && top! + frameHeight! <= height;
}

export interface ApngFrame {
  /** The frame alone as a PNG of its own, in its own size. */
  readonly png: Uint8Array;
  /** Where and how long it is shown: fcTL without its sequence number. */
  readonly control: Uint8Array;
}

/** The frames of an animated PNG; none when it is a still. */
export function apngFrames(bytes: Uint8Array): ApngFrame[] {
  const { chunks } = readPng(bytes);
  if (!chunks.some(({ type }) => type === 'acTL')) return [];
  const header = chunks[0]!.payload;
  const shared = chunks.filter(({ type }) => type === 'PLTE' || type === 'tRNS');
  const frames: { control: Uint8Array; parts: Uint8Array[] }[] = [];
  for (const { type, payload } of chunks) {
    if (type === 'fcTL' && payload.length === 26) frames.push({ control: payload, parts: [] });
    else if (type === 'IDAT') frames.at(-1)?.parts.push(payload);
    else if (type === 'fdAT') frames.at(-1)?.parts.push(payload.subarray(4));
  }
  return frames.map(({ control, parts }) => {
    const frameHeader = joinBytes(control.subarray(4, 12), header.subarray(8));
    const whole = [
      { type: 'IHDR', payload: frameHeader },
      ...shared,
      { type: 'IDAT', payload: joinAll(parts) },
      { type: 'IEND', payload: new Uint8Array() },
    ];
    return { png: writePng(whole), control: control.subarray(4) };
  });
}
