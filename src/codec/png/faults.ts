import { crc32 } from 'node:zlib';
import { textAt, viewOf } from '../bytes.ts';
import { PNG_SIGNATURE } from './chunks.ts';

/**
 * What is wrong with the chunks of a PNG: a checksum that does not fit, no pixels or no end, a frame out of order or without
 * data; undefined when all is well.
 */
export function findPngFault(bytes: Uint8Array): string | undefined {
  if (textAt(bytes, 0, PNG_SIGNATURE.length) !== PNG_SIGNATURE) return undefined;
  const view = viewOf(bytes);
  let at = PNG_SIGNATURE.length;
  let hasPixels = false;
  const findFrameFault = frameWatch();
  while (at + 12 <= bytes.length) {
    const type = textAt(bytes, at + 4, 4);
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length)
      return `Expected the end of chunk ${type} at byte ${end} but the file ends before`;
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      return `Expected chunk ${type} at byte ${at} to match its checksum but it does not`;
    }
    const frameFault = findFrameFault(type, bytes.subarray(at + 8, end));
    if (frameFault) return `${frameFault} at byte ${at}`;
    if (type === 'IDAT') hasPixels = true;
    if (type === 'IEND') return hasPixels ? undefined : `Expected an IDAT chunk before IEND at byte ${at}`;
    at = end + 4;
  }
  return 'Expected an IEND chunk but the file ends before it';
}

/** Looks at the chunks of an animation one after the other: libpng reads the still picture alone. */
function frameWatch(): (type: string, payload: Uint8Array) => string | undefined {
  let isAnimated = false;
  let sequence = 0;
  // What the frame in hand has got so far, and from which kind of chunk.
  let frame: 'none' | 'begun' | 'of IDAT' | 'of fdAT' = 'none';
  return (type, payload) => {
    if (type === 'acTL') isAnimated = true;
    if (!isAnimated) return undefined;
    if (type === 'fcTL' || type === 'fdAT') {
      const number = payload.length >= 4 ? viewOf(payload).getUint32(0) : undefined;
      if (number !== sequence) return `Expected number ${sequence} of the animation but found ${number}`;
      sequence++;
    }
    if (frame === 'begun' && (type === 'fcTL' || type === 'IEND'))
      return 'Expected the data of a frame but found none';
    if (type === 'fcTL') frame = 'begun';
    if (type === 'IDAT' && frame === 'begun') frame = 'of IDAT';
    if (type !== 'fdAT') return undefined;
    if (frame === 'none' || frame === 'of IDAT')
      return 'Expected the control chunk of a frame but found its data';
    frame = 'of fdAT';
    return undefined;
  };
}
