import { byteAt, joinAll, latin1, startsWith, textAt, uint16At, uint32, uint32At } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';

/** WebP is a RIFF file: a list of chunks. */
export type RiffChunk = Readonly<{ type: string; payload: Uint8Array }>;

export interface WebP {
  readonly chunks: readonly RiffChunk[];
  readonly width: number;
  readonly height: number;
  readonly alpha: boolean;
  /** There is transparency that the header does not announce: viewers show it, libvips does not. */
  readonly alphaDenied: boolean;
  /** Every picture in it is lossless. */
  readonly lossless: boolean;
  readonly frames: number;
  /** The end by the size in the RIFF header. */
  readonly end: number;
}

/** Bits in the first byte of VP8X. */
export const FLAGS = { ICCP: 0x20, ALPH: 0x10, EXIF: 0x08, XMP: 0x04, ANIM: 0x02 } as const;

const MAX_CHUNKS = 100_000;

/** Throws CorruptImageError when the size of the picture cannot be read. */
export function readWebP(bytes: Uint8Array): WebP {
  const end = Math.min(bytes.length, bytes.length < 12 ? 0 : uint32At(bytes, 4, true) + 8);
  const chunks = readRiffChunks(bytes, 12, end);
  const [first] = chunks;
  const size = first && readSize(first);
  if (!size) throw corruptHeader('WebP', 'no VP8, VP8L or VP8X chunk', 12);
  return {
    ...size,
    alphaDenied: !size.alpha && chunks.some(isTransparent),
    chunks,
    lossless: chunks.every(isNotLossy),
    frames: Math.max(1, chunks.filter(({ type }) => type === 'ANMF').length),
    end: end + (end % 2 && end < bytes.length && bytes[end] === 0 ? 1 : 0),
  };
}

/** What is cut off is shorter than its chunk says. */
export function readRiffChunks(bytes: Uint8Array, from: number, end: number): RiffChunk[] {
  const chunks: RiffChunk[] = [];
  for (let at = from; at + 8 <= end; ) {
    const length = uint32At(bytes, at + 4, true);
    if (chunks.length >= MAX_CHUNKS) throw corruptHeader('WebP', `more than ${MAX_CHUNKS} chunks`, at);
    const payload = bytes.subarray(at + 8, Math.min(at + 8 + length, end));
    chunks.push({ type: textAt(bytes, at, 4), payload });
    at += 8 + length + (length % 2);
  }
  return chunks;
}

/** The size by the chunk of the pixels or the extended header; undefined where it is neither. */
export function readSize({ type, payload }: RiffChunk): Pick<WebP, 'width' | 'height' | 'alpha'> | undefined {
  if (type === 'VP8X' && payload.length >= 10) {
    const width = (uint32At(payload, 4, true) & 0xffffff) + 1;
    const height = (uint32At(payload, 7, true) & 0xffffff) + 1;
    return { width, height, alpha: (byteAt(payload, 0) & FLAGS.ALPH) !== 0 };
  }
  if (type === 'VP8L' && payload.length >= 5 && payload[0] === 0x2f) {
    const bits = uint32At(payload, 1, true);
    const [width, height] = [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
    return { width, height, alpha: ((bits >>> 28) & 1) === 1 };
  }
  if (type === 'VP8 ' && payload.length >= 10 && startsWith(payload, '\x9d\x01\x2a', 3)) {
    const width = uint16At(payload, 6, true) & 0x3fff;
    const height = uint16At(payload, 8, true) & 0x3fff;
    return width && height ? { width, height, alpha: false } : undefined;
  }
  return undefined;
}

function isTransparent(chunk: RiffChunk): boolean {
  if (chunk.type === 'ANMF') return readRiffChunks(chunk.payload, 16, chunk.payload.length).some(isTransparent);
  return chunk.type === 'ALPH' || (chunk.type === 'VP8L' && readSize(chunk)?.alpha === true);
}

function isNotLossy({ type, payload }: RiffChunk): boolean {
  if (type === 'VP8 ') return false;
  if (type !== 'ANMF') return true;
  return !readRiffChunks(payload, 16, payload.length).some((inner) => inner.type === 'VP8 ');
}

export function findRiffChunk(webp: WebP, type: string): Uint8Array | undefined {
  return webp.chunks.find((chunk) => chunk.type === type)?.payload;
}

/** The chunk if the header announces it: otherwise viewers ignore a profile or an orientation. */
export function findAnnounced(webp: WebP, type: 'ICCP' | 'EXIF'): Uint8Array | undefined {
  const header = findRiffChunk(webp, 'VP8X');
  return header && (byteAt(header, 0) & FLAGS[type]) !== 0 ? findRiffChunk(webp, type) : undefined;
}

/** The chunks that hold the pixels and their order in time. */
export const PICTURES: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'ALPH', 'ANIM', 'ANMF']);

/** A WebP of these chunks. */
export function writeWebP(chunks: readonly RiffChunk[]): Uint8Array {
  const parts = chunks.flatMap(({ type, payload }) => {
    const padding = new Uint8Array(payload.length % 2);
    return [latin1(type), uint32(payload.length, true), payload, padding];
  });
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return joinAll([latin1('RIFF'), uint32(length + 4, true), latin1('WEBP'), ...parts]);
}
