import { deflateSync, inflateSync } from 'node:zlib';
import { joinBytes, latin1, startsWith, textAt } from '../bytes.ts';
import { readOrientation } from '../metadata/exif.ts';
import { findChunk, type NewChunk, type Png } from './chunks.ts';

/** The single chunks that hold a profile, XMP, EXIF or a text. */

const XMP_KEYWORD = 'XML:com.adobe.xmp';
const MAX_PROFILE_BYTES = 16_000_000;
// Credits are a line; what Photoshop writes about layers and history can be some megabytes.
const MAX_TEXT_BYTES = 65_536;
const MAX_XMP_BYTES = 4_000_000;

/** The profile in iCCP; undefined when there is none or it cannot be inflated. */
export function readPngIcc(png: Png): Uint8Array | undefined {
  const payload = findChunk(png, 'iCCP')?.payload;
  const nameEnd = payload?.indexOf(0) ?? -1;
  return payload && nameEnd >= 0 ? inflated(payload.subarray(nameEnd + 2), MAX_PROFILE_BYTES) : undefined;
}

export function readPngOrientation(png: Png): number {
  return readOrientation(findChunk(png, 'eXIf')?.payload);
}

export function iccChunk(profile: Uint8Array): NewChunk {
  return { type: 'iCCP', payload: joinBytes(latin1('icc\0\0'), deflateSync(profile, { level: 9 })) };
}

/** The XMP packet in its iTXt chunk; undefined when there is none. */
export function readPngXmp(png: Png): Uint8Array | undefined {
  const chunk = png.chunks.find(isXmpChunk);
  return chunk && readText(chunk)?.value;
}

export function isXmpChunk({ type, payload }: NewChunk): boolean {
  return type === 'iTXt' && startsWith(payload, `${XMP_KEYWORD}\0`);
}

export function xmpChunk(packet: Uint8Array): NewChunk {
  return { type: 'iTXt', payload: joinBytes(latin1(`${XMP_KEYWORD}\0\0\0\0\0`), packet) };
}

/** Keyword of a tEXt, zTXt or iTXt chunk, without reading its value, which may be compressed. */
export function keywordOf({ type, payload }: NewChunk): string | undefined {
  if (!['tEXt', 'zTXt', 'iTXt'].includes(type)) return undefined;
  const end = payload.subarray(0, 80).indexOf(0);
  return end < 1 ? undefined : textAt(payload, 0, end);
}

/** Keyword and value of a text chunk; undefined where the value inflates to more than any real text. */
export function readText(chunk: NewChunk): { keyword: string; value: Uint8Array } | undefined {
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
