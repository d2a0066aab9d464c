import { joinBytes, sameBytes, uint32 } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { readPictureEntries } from './multi-picture.ts';
import { codingStart, type Jpeg, readJpeg, segmentBytes } from './segments.ts';

/**
 * A copy of a JPEG with what follows the end of its source, byte for byte, and with the index of pictures corrected to
 * their new places; undefined where that fails.
 * @param file a source whose trailing parts are `isMovable`
 */
export function carryTrailingParts(file: ImageFile, copy: Uint8Array): Uint8Array | undefined {
  const source = file.read(readJpeg);
  const before = readPictureEntries(source);
  const trailing = source.bytes.subarray(source.end);
  if (before.length === 0) return joinBytes(copy, trailing);
  const indexed = readJpeg(withIndex(source, readJpeg(copy)));
  const index = findIndex(indexed);
  if (!index) return undefined;
  // Only now: bytes that were read are never changed.
  const whole = joinBytes(indexed.bytes, trailing);
  const moved = indexed.end - source.end;
  const littleEndian = index.payload[4] === 0x49;
  const base = index.at + 8;
  readPictureEntries(indexed).forEach(({ at }, number) => {
    const { start = 0, length = 0 } = before[number] ?? {};
    if (number === 0) whole.set(uint32(Math.max(length, source.end) + moved, littleEndian), at + 4);
    else whole.set(uint32(start + moved - base, littleEndian), at + 8);
  });
  return samePictures(source, readJpeg(whole)) ? whole : undefined;
}

/** A new encoding has no index: it goes after the other metadata. */
function withIndex(source: Jpeg, copy: Jpeg): Uint8Array {
  const own = copy.bytes.subarray(0, copy.end);
  const index = findIndex(source);
  if (!index || findIndex(copy)) return own;
  const at = codingStart(copy);
  return joinBytes(own.subarray(0, at), segmentBytes(index.marker, index.payload), own.subarray(at));
}

function findIndex({ segments }: Jpeg) {
  return segments.find(({ kind }) => kind === 'multi-picture');
}

function samePictures(source: Jpeg, copy: Jpeg): boolean {
  const picturesOf = (jpeg: Jpeg) =>
    readPictureEntries(jpeg)
      .slice(1)
      .map(({ start, length }) => jpeg.bytes.subarray(start, start + length));
  const copies = picturesOf(copy);
  return picturesOf(source).every((picture, index) => copies[index] && sameBytes(picture, copies[index]));
}
