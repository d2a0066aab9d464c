import { indexOfText, startsWith, viewOf } from './bytes.ts';
import { type Jpeg, type JpegSegment, readJpeg } from './jpeg-markers.ts';
import { readDirectory, readTiff, type Tiff, type TiffEntry } from './tiff-directory.ts';

/** JPEG files of more than one picture: MPO, and gain maps that lie behind the picture. */

export interface MultiPicture {
  /** Pictures that the index names, the first one included; 1 without an index. */
  readonly count: number;
  readonly gainMap: boolean;
  /** Bytes behind the picture that belong to no other picture and are no padding. */
  readonly unknownTrailingBytes: number;
}

export interface PictureEntry {
  /** From the start of the file. */
  readonly start: number;
  readonly length: number;
  /** Where its sixteen bytes lie in the file. */
  readonly at: number;
}

const MP_ENTRIES = 0xb002;
const MAX_PICTURES = 1000;

const GAIN_MAP_NAMES = [
  'http://ns.adobe.com/hdr-gain-map/1.0/',
  'urn:com:apple:photo:2020:aux:hdrgainmap',
  'http://ns.apple.com/HDRGainMap/1.0/',
  'Semantic="GainMap"',
];

export function readMultiPicture(jpeg: Jpeg): MultiPicture {
  const pictures = readPictureEntries(jpeg);
  const others = picturesBehind(jpeg, pictures);
  const trailing = jpeg.bytes.subarray(jpeg.end);
  return {
    count: Math.max(1, pictures.length),
    gainMap: hasGainMapMarker(jpeg.segments) || others.some((picture) => isGainMap(jpeg.bytes, picture)),
    unknownTrailingBytes: countUnknown(trailing, others, jpeg.end),
  };
}

/**
 * The pictures that lie behind the first one whole, in order of their place. One that begins inside another is none:
 * each byte is looked at once, however many pictures the index names.
 */
function picturesBehind({ bytes, end }: Jpeg, pictures: readonly PictureEntry[]): PictureEntry[] {
  const behind: PictureEntry[] = [];
  let at = end;
  for (const picture of pictures.toSorted((one, other) => one.start - other.start)) {
    const { start, length } = picture;
    if (start < at || start + length > bytes.length) continue;
    behind.push(picture);
    at = start + length;
  }
  return behind;
}

/** What the index in APP2 (MPF) names; none when there is no index or it cannot be read. */
export function readPictureEntries(jpeg: Jpeg): PictureEntry[] {
  const segment = jpeg.segments.find(({ kind }) => kind === 'multi-picture');
  const tiff = segment && readTiff(segment.payload.subarray(4));
  const directory = tiff && !tiff.big ? readDirectory(tiff, tiff.first) : undefined;
  const entry = directory?.entries.get(MP_ENTRIES);
  return segment && tiff && entry ? readEntries(tiff, entry, segment.at + 8) : [];
}

function readEntries(tiff: Tiff, entry: TiffEntry, base: number): PictureEntry[] {
  const view = viewOf(tiff.bytes);
  const count = Math.min(Math.floor(entry.length / 16), MAX_PICTURES);
  return Array.from({ length: count }, (_, index) => {
    const at = entry.valueAt + index * 16;
    const offset = view.getUint32(at + 8, tiff.littleEndian);
    // The first picture is the file's own, and its offset is 0 by definition.
    return {
      start: offset === 0 ? 0 : base + offset,
      length: view.getUint32(at + 4, tiff.littleEndian),
      at: base + at,
    };
  });
}

function hasGainMapMarker(segments: readonly JpegSegment[]): boolean {
  return segments.some(
    ({ kind, payload }) =>
      kind === 'gain-map' ||
      ((kind === 'xmp' || kind === 'extended-xmp') &&
        GAIN_MAP_NAMES.some((name) => indexOfText(payload, name) >= 0)),
  );
}

function isGainMap(bytes: Uint8Array, { start, length }: PictureEntry): boolean {
  if (!startsWith(bytes, '\xff\xd8', start)) return false;
  try {
    return hasGainMapMarker(readJpeg(bytes.subarray(start, start + length)).segments);
  } catch {
    return false;
  }
}

/** What remains when the pictures and the zeros between them are taken away. */
function countUnknown(trailing: Uint8Array, pictures: readonly PictureEntry[], base: number): number {
  let unknown = 0;
  let at = 0;
  for (const { start, length } of [...pictures, { start: base + trailing.length, length: 0 }]) {
    const gap = trailing.subarray(at, Math.max(at, start - base));
    if (gap.some((byte) => byte !== 0)) unknown += gap.length;
    at = Math.max(at, start - base + length);
  }
  return unknown;
}
