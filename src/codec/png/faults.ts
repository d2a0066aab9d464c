import { crc32 } from 'node:zlib';
import { textAt, uint32At } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { PNG_SIGNATURE, type PngChunk, readPng } from './chunks.ts';
import { findFrameFault } from './frames.ts';

/**
 * What is wrong with the chunks of a PNG: a checksum that does not fit, no pixels or no end, a frame out of order or
 * without data; undefined when nothing is wrong. @throws CorruptImageError when the header cannot be read
 */
export function findPngFault(file: ImageFile): string | undefined {
  const { bytes } = file;
  const { chunks } = file.read(readPng);
  const damaged = chunks.find(({ at, payload }) => {
    const end = at + 8 + payload.length;
    return crc32(bytes.subarray(at + 4, end)) !== uint32At(bytes, end);
  });
  if (damaged) return `Expected chunk ${damaged.type} at byte ${damaged.at} to match its checksum but it does not`;
  const frame = findFrameFault(chunks);
  return frame ? `${frame.fault} at byte ${frame.at}` : findMissingPart(bytes, chunks);
}

function findMissingPart(bytes: Uint8Array, chunks: readonly PngChunk[]): string | undefined {
  const last = chunks.at(-1);
  if (last?.type === 'IEND') {
    const hasPixels = chunks.some(({ type }) => type === 'IDAT');
    return hasPixels ? undefined : `Expected an IDAT chunk before IEND at byte ${last.at}`;
  }
  const at = last ? last.at + 12 + last.payload.length : PNG_SIGNATURE.length;
  if (at + 12 > bytes.length) return 'Expected an IEND chunk but the file ends before it';
  const end = at + 8 + uint32At(bytes, at);
  return `Expected the end of chunk ${textAt(bytes, at + 4, 4)} at byte ${end} but the file ends before`;
}
