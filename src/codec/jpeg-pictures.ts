import type { ImageFacts } from '../core/recipe.ts';
import { indexOfText, startsWith, viewOf } from './bytes.ts';
import { EXIF_PREFIX, type Jpeg, type JpegSegment, readJpeg } from './jpeg-markers.ts';
import { readDirectory, readTiff, type Tiff, type TiffEntry } from './tiff-directory.ts';

/** JPEG files of more than one picture: MPO, and gain maps that lie behind the picture. */

export interface MultiPicture {
  /** Pictures that the index names, the first one included; 1 without an index. */
  readonly count: number;
  readonly gainMap: boolean;
  readonly previews?: ImageFacts['previews'];
  /** Bytes behind the picture that belong to no other picture and are no padding. */
  readonly unknownTrailingBytes: number;
}

export interface PictureEntry {
  /** From the start of the file. */
  readonly start: number;
  readonly length: number;
  /** Where its sixteen bytes lie in the file. */
  readonly at: number;
  /** A smaller copy of the first picture ("large thumbnail"), not one of its own. */
  readonly preview: boolean;
}

const MP_ENTRIES = 0xb002;
/** Class of the type of a picture, its format (JPEG is 0) included: CIPA DC-007, 5.2.3.3. */
const TYPE_CLASS = 0x07ff0000;
const LARGE_THUMBNAIL = 0x00010000;
const MAX_PICTURES = 1000;
/** Bytes times pictures: far above what cameras write, and searched in a few hundredths of a second. */
const MOST_SEARCHED = 4e6;

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
  const gainMap = hasGainMapMarker(jpeg.segments) || others.some((picture) => isGainMap(jpeg.bytes, picture));
  const unknownTrailingBytes = countUnknown(trailing, others, jpeg.end);
  const isWhole = unknownTrailingBytes === 0 && areIndexed(jpeg, pictures);
  const arePreviews = isWhole && !gainMap && others.every((picture) => isPreview(jpeg.bytes, picture));
  return {
    count: Math.max(1, pictures.length),
    gainMap,
    ...(arePreviews && { previews: isPointedAt(jpeg, others) ? 'pointed-at' : 'movable' }),
    unknownTrailingBytes,
  };
}

/** Whether every picture that the index names beside the first lies behind it, whole. */
export function areIndexed(jpeg: Jpeg, pictures: readonly PictureEntry[]): boolean {
  const [own, ...others] = pictures;
  return (
    own?.start === 0 &&
    own.length >= jpeg.end &&
    others.length > 0 &&
    picturesBehind(jpeg, pictures).length === others.length
  );
}

function isPreview(bytes: Uint8Array, { start, preview }: PictureEntry): boolean {
  return preview && startsWith(bytes, '\xff\xd8', start);
}

/**
 * Whether another part of the file holds the place of one of these pictures, or of what lies at its beginning: maker
 * notes do (Sony's point into the preview's own header), and nobody can correct all of them. Any number that could be
 * such a place counts, from the start of the file or of the TIFF structure, in either byte order.
 */
function isPointedAt({ segments }: Jpeg, pictures: readonly PictureEntry[]): boolean {
  const holders = segments.filter(({ kind }) => kind === 'exif' || kind === 'application');
  const length = holders.reduce((sum, { payload }) => sum + payload.length, 0);
  if (length * pictures.length > MOST_SEARCHED) return true;
  return holders.some(({ at, payload }) => {
    const view = viewOf(payload);
    const bases = [0, at + 4 + EXIF_PREFIX.length];
    for (let offset = 0; offset + 4 <= payload.length; offset += 2) {
      for (const littleEndian of [true, false]) {
        const value = view.getUint32(offset, littleEndian);
        if (bases.some((base) => pictures.some(({ start }) => isNear(value + base, start)))) return true;
      }
    }
    return false;
  });
}

function isNear(place: number, start: number): boolean {
  return place >= start - 64 && place < start + 512;
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
      preview: (view.getUint32(at, tiff.littleEndian) & TYPE_CLASS) === LARGE_THUMBNAIL,
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
