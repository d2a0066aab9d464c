import { byteAt, uint16At } from '../bytes.ts';
import { numbersOf, type Tiff, type TiffDirectory } from '../metadata/tiff-directory.ts';

const TAG = { compression: 259, photometric: 262, stripOffsets: 273, subsampling: 530, tileOffsets: 324 } as const;
const JPEG = 7;
const YCBCR = 6;
// As many as a page can have here.
const MAX_SEGMENTS = 1_000_000;

/**
 * Whether the JPEG in each strip or tile of a page is sampled as the page says: libtiff refuses one that is not, and
 * other decoders do not look. @see TIFF Technical Note 2
 */
export function hasSamplingOfPage(tiff: Tiff, { entries }: TiffDirectory): boolean {
  const numbers = (tag: number, limit?: number) => numbersOf(tiff, entries.get(tag), limit);
  if (numbers(TAG.compression)[0] !== JPEG) return true;
  const [across = 2, down = 2] = numbers(TAG.photometric)[0] === YCBCR ? numbers(TAG.subsampling) : [1, 1];
  const tiles = numbers(TAG.tileOffsets, MAX_SEGMENTS);
  const offsets = tiles.length > 0 ? tiles : numbers(TAG.stripOffsets, MAX_SEGMENTS);
  return offsets.every((offset) => firstSampling(tiff.bytes, offset) === across * 16 + down);
}

/** Of the first component, as the frame header of the JPEG at this offset has it. */
function firstSampling(bytes: Uint8Array, from: number): number | undefined {
  let at = from + 2;
  while (byteAt(bytes, at) === 0xff && byteAt(bytes, at + 1) !== SOS) {
    if (isFrame(byteAt(bytes, at + 1))) return byteAt(bytes, at + 11);
    at += 2 + uint16At(bytes, at + 2);
  }
  return undefined;
}

const SOS = 0xda;

/** Baseline, extended or progressive; 0xc4 is a table. */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xc2;
