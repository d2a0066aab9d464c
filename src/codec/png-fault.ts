import { crc32 } from 'node:zlib';
import { textAt, viewOf } from './bytes.ts';
import { PNG_SIGNATURE } from './png-chunks.ts';

/** What is wrong with the chunks of a PNG: a checksum that does not fit, no pixels or no end; undefined when all is well. */
export function findPngFault(bytes: Uint8Array): string | undefined {
  if (textAt(bytes, 0, PNG_SIGNATURE.length) !== PNG_SIGNATURE) return undefined;
  const view = viewOf(bytes);
  let at = PNG_SIGNATURE.length;
  let hasPixels = false;
  while (at + 12 <= bytes.length) {
    const type = textAt(bytes, at + 4, 4);
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length)
      return `Expected the end of chunk ${type} at byte ${end} but the file ends before`;
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      return `Expected chunk ${type} at byte ${at} to match its checksum but it does not`;
    }
    if (type === 'IDAT') hasPixels = true;
    if (type === 'IEND') return hasPixels ? undefined : `Expected an IDAT chunk before IEND at byte ${at}`;
    at = end + 4;
  }
  return 'Expected an IEND chunk but the file ends before it';
}
