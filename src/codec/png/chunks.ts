import { crc32 } from 'node:zlib';
import { byteAt, countTrailing, joinAll, latin1, textAt, uint32, uint32At } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';

/** A chunk as it is to be written: a PNG is a list of them. */
export type NewChunk = Readonly<{ type: string; payload: Uint8Array }>;

export interface PngChunk extends NewChunk {
  /** Offset of its length, its first field. */
  readonly at: number;
}

export interface Png {
  readonly header: {
    readonly width: number;
    readonly height: number;
    readonly bitDepth: number;
    readonly colourType: number;
    readonly interlaced: boolean;
  };
  readonly chunks: readonly PngChunk[];
  /** Where IEND ends, or the file when there is none. */
  readonly end: number;
}

export const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n';

const MAX_CHUNKS = 200_000;

/** Reads the chunks up to IEND or the first one that is cut off; throws CorruptImageError when IHDR cannot be read. */
export function readPng(bytes: Uint8Array): Png {
  const chunks: PngChunk[] = [];
  let at = PNG_SIGNATURE.length;
  while (at + 12 <= bytes.length && chunks.at(-1)?.type !== 'IEND') {
    const length = uint32At(bytes, at);
    if (at + 12 + length > bytes.length) break;
    chunks.push({ type: textAt(bytes, at + 4, 4), at, payload: bytes.subarray(at + 8, at + 8 + length) });
    if (chunks.length > MAX_CHUNKS) throw corruptHeader('PNG', `more than ${MAX_CHUNKS} chunks`, at);
    at += 12 + length;
  }
  const isWhole = chunks.at(-1)?.type === 'IEND';
  return { header: readHeader(chunks[0]), chunks, end: isWhole ? at : bytes.length };
}

function readHeader(chunk: PngChunk | undefined): Png['header'] {
  if (chunk?.type !== 'IHDR' || chunk.payload.length !== 13) throw corruptHeader('PNG', 'no IHDR chunk of 13 bytes', 8);
  const { payload } = chunk;
  const header = {
    width: uint32At(payload, 0),
    height: uint32At(payload, 4),
    bitDepth: byteAt(payload, 8),
    colourType: byteAt(payload, 9),
    interlaced: payload[12] === 1,
  };
  if (header.width === 0 || header.height === 0) throw corruptHeader('PNG', 'a width or height of 0', 16);
  if (header.width > 0x7fffffff || header.height > 0x7fffffff)
    throw corruptHeader('PNG', 'a negative width or height', 16);
  if (!DEPTHS[header.colourType]?.includes(header.bitDepth))
    throw corruptHeader('PNG', `colour type ${header.colourType} with ${header.bitDepth} bits`, 24);
  const [compression, filters, interlacing] = payload.subarray(10, 13);
  if (compression !== 0 || filters !== 0 || byteAt(payload, 12) > 1)
    throw corruptHeader(
      'PNG',
      `compression, filter and interlace methods ${compression}, ${filters} and ${interlacing}`,
      26,
    );
  return header;
}

const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

export function findChunk(png: Png, type: string): PngChunk | undefined {
  return png.chunks.find((chunk) => chunk.type === type);
}

const IEND = Uint8Array.of(0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82);

/** How many bytes follow the end; 0 when they are padding, or the end chunk once more. */
export function countAfterEnd({ end }: Png, bytes: Uint8Array): number {
  return countTrailing(bytes, end, IEND);
}

/** A PNG of these chunks; with new checksums. */
export function writePng(chunks: readonly NewChunk[]): Uint8Array {
  const parts = chunks.flatMap(({ type, payload }) => {
    const name = latin1(type);
    return [uint32(payload.length), name, payload, uint32(crc32(payload, crc32(name)))];
  });
  return joinAll([latin1(PNG_SIGNATURE), ...parts]);
}
