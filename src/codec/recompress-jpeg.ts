import { compressJpeg } from '@napi-rs/image';
import { joinAll, joinBytes, sameBytes, uint32 } from './bytes.ts';
import type { MetadataPolicy } from './image-metadata.ts';
import { type Jpeg, readJpeg, segmentBytes } from './jpeg-markers.ts';
import { type NewSegment, segmentsOfCopy } from './jpeg-metadata.ts';
import { readMultiPicture, readPictureEntries } from './jpeg-pictures.ts';

/**
 * The same coefficients with better Huffman codes and scans: pixels are identical. The engine drops every marker
 * and accepts damaged files, so markers are put back here, and the caller decodes the source strictly before.
 * What lies behind the picture is carried whole (a gain map under `keep`) or the source is returned as it is.
 * Rejects with CorruptImageError for an unreadable header, else with the engine's error.
 */
export async function recompressJpeg(bytes: Uint8Array, policy: MetadataPolicy): Promise<Uint8Array> {
  const source = readJpeg(bytes);
  const pictures = readMultiPicture(source);
  const isAlone = pictures.count === 1 && !pictures.gainMap && pictures.unknownTrailingBytes === 0;
  if (!isAlone && !(policy === 'keep' && canCarry(source))) return bytes;
  const bare = readJpeg(await compressJpeg(bytes.subarray(0, source.end), { quality: 100 }));
  assertSameFrame(source, bare);
  const result = assemble(segmentsOfCopy(source, policy), bare);
  return isAlone ? result : withPicturesBehind(source, result);
}

/** Component ids tell a decoder the colour space where no marker does; the engine's own markers are dropped. */
function assertSameFrame(source: Jpeg, result: Jpeg): void {
  const describe = ({ frame }: Jpeg) =>
    JSON.stringify([
      frame.width,
      frame.height,
      frame.bits,
      frame.components.map(({ id, horizontal, vertical }) => [id, horizontal, vertical]),
    ]);
  if (describe(source) !== describe(result) || !result.hasEnd) {
    throw new Error(`Expected a JPEG of ${describe(source)} but the engine made ${describe(result)}`);
  }
}

/** These segments and the engine's part from its first table to EOI. */
function assemble(segments: readonly NewSegment[], { bytes, segments: coded, end }: Jpeg): Uint8Array {
  const first = coded.find(({ kind }) => kind === 'coding')!;
  return joinAll([
    [0xff, 0xd8],
    ...segments.map(({ marker, payload }) => segmentBytes(marker, payload)),
    bytes.subarray(first.at, end),
  ]);
}

/**
 * Whether every byte behind the picture is known: a gain map that the index names, and zeros. Other trailers and
 * the previews of stereo cameras may be pointed at from maker notes, which nobody can correct.
 */
function canCarry(source: Jpeg): boolean {
  const { gainMap, unknownTrailingBytes } = readMultiPicture(source);
  const [own, ...others] = readPictureEntries(source);
  return (
    gainMap &&
    unknownTrailingBytes === 0 &&
    own?.start === 0 &&
    own.length >= source.end &&
    others.length > 0 &&
    others.every(({ start, length }) => start >= source.end && start + length <= source.bytes.length)
  );
}

/** The pictures behind the first, byte for byte, and the index corrected to where they are now. */
function withPicturesBehind(source: Jpeg, result: Uint8Array): Uint8Array {
  const whole = joinBytes(result, source.bytes.subarray(source.end));
  const moved = result.length - source.end;
  const copy = readJpeg(whole);
  const index = copy.segments.find(({ kind }) => kind === 'multi-picture')!;
  const littleEndian = index.payload[4] === 0x49;
  const base = index.at + 8;
  const before = readPictureEntries(source);
  readPictureEntries(copy).forEach(({ at }, number) => {
    const { start, length } = before[number]!;
    if (number === 0) whole.set(uint32(length + moved, littleEndian), at + 4);
    else whole.set(uint32(start + moved - base, littleEndian), at + 8);
  });
  return samePictures(source, readJpeg(whole)) ? whole : source.bytes;
}

function samePictures(source: Jpeg, copy: Jpeg): boolean {
  const picturesOf = (jpeg: Jpeg) =>
    readPictureEntries(jpeg)
      .slice(1)
      .map(({ start, length }) => jpeg.bytes.subarray(start, start + length));
  const copies = picturesOf(copy);
  return picturesOf(source).every((picture, index) => copies[index] && sameBytes(picture, copies[index]));
}
