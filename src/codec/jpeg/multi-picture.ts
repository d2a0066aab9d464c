import type { TrailingParts } from '../../core/recipe.ts';
import { indexOfText, startsWith, viewOf } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import { readDirectory, readTiff, type Tiff, type TiffEntry } from '../metadata/tiff-directory.ts';
import { countAfterEnd, EXIF_PREFIX, type Jpeg, type JpegSegment, readJpeg } from './segments.ts';
import { readTrailer } from './trailers.ts';

/** What follows the picture in a JPEG file: further pictures (MPO), gain maps, previews, what phones add. */

export interface MultiPicture {
  /** Pictures that the index names, the first one included; 1 without an index. */
  readonly count: number;
  readonly gainMap: boolean;
  /** The others that follow the first one whole, in order of their offsets. */
  readonly others: readonly PictureEntry[];
  /** Bytes of a known form at the end of the file: Samsung's SEF block, a video. */
  readonly trailer?: Uint8Array;
  /** Every other picture that the index names follows the first one, whole. */
  readonly isIndexed: boolean;
  readonly trailingParts?: TrailingParts;
  /** Bytes after the picture that belong to no other picture, to no known trailer, and are no padding. */
  readonly unknownTrailingBytes: number;
}

export interface PictureEntry {
  /** From the start of the file. */
  readonly start: number;
  readonly length: number;
  /** The offset of its sixteen bytes in the file. */
  readonly at: number;
  /** Of the numbers in the index. */
  readonly littleEndian: boolean;
  /** A smaller copy of the first picture ("large thumbnail"), not one of its own. */
  readonly preview: boolean;
}

const MP_ENTRIES = 0xb002;
/** Class of the type of a picture, its format (JPEG is 0) included: CIPA DC-007, 5.2.3.3. */
const TYPE_CLASS = 0x07ff0000;
const LARGE_THUMBNAIL = 0x00010000;
const MAX_PICTURES = 1000;
/** Bytes times offsets: far above what cameras write, and searched in a few hundredths of a second. */
const MAX_SEARCHED = 4e6;

const GAIN_MAP_NAMES = [
  'http://ns.adobe.com/hdr-gain-map/1.0/',
  'urn:com:apple:photo:2020:aux:hdrgainmap',
  'http://ns.apple.com/HDRGainMap/1.0/',
  'Semantic="GainMap"',
];

export function readMultiPicture(jpeg: Jpeg): MultiPicture {
  const pictures = readPictureEntries(jpeg);
  const others = picturesAfter(jpeg, pictures);
  const gaps = gapsAfter(jpeg, others);
  const tail = gaps.at(-1);
  const trailer = tail && readTrailer(tail.bytes);
  const unknown = trailer ? gaps.slice(0, -1) : gaps;
  const unknownTrailingBytes = unknown.reduce((sum, { bytes }) => sum + countAfterEnd(bytes, 0), 0);
  // Editors that drop the map leave the mark of it in the XMP.
  const mayHoldMap = others.length > 0 || unknownTrailingBytes > 0;
  const gainMap =
    (mayHoldMap && hasGainMapMarker(jpeg.segments)) || others.some((picture) => isGainMap(jpeg.bytes, picture));
  // Google's camera writes the length of the first picture some bytes short: where it ends is known from itself.
  const isIndexed = pictures[0]?.start === 0 && others.length > 0 && others.length === pictures.length - 1;
  const isPreview = ({ start, preview }: PictureEntry) => preview && startsWith(jpeg.bytes, '\xff\xd8', start);
  const arePreviews = isIndexed && others.every(isPreview);
  const isTrailer = trailer !== undefined && pictures.length <= 1;
  const isKnown = unknownTrailingBytes === 0 && !gainMap && (arePreviews || isTrailer);
  const starts = [...others, ...(trailer ? gaps.slice(-1) : [])].map(({ start }) => start);
  return {
    count: Math.max(1, pictures.filter(({ start }) => start < jpeg.bytes.length).length),
    gainMap,
    others,
    ...(trailer && { trailer: tail.bytes }),
    isIndexed,
    ...(isKnown && {
      trailingParts: { isPointedAt: isPointedAt(jpeg, starts), isMetadata: trailer?.isMetadata ?? true },
    }),
    unknownTrailingBytes,
  };
}

/** The bytes between the end of the picture, those after it, and the end of the file. */
function gapsAfter({ bytes, end }: Jpeg, pictures: readonly PictureEntry[]) {
  const from = [end, ...pictures.map(({ start, length }) => start + length)];
  const to = [...pictures.map(({ start }) => start), bytes.length];
  return from.map((start, index) => ({ start, bytes: bytes.subarray(start, to[index]) }));
}

/** Whether what follows the picture can be moved: all of it is known, and so is every offset that points to it. */
export function isMovable({ trailingParts, ...pictures }: MultiPicture): boolean {
  if (pictures.gainMap) return pictures.isIndexed && pictures.unknownTrailingBytes === 0;
  return trailingParts !== undefined && !trailingParts.isPointedAt;
}

/** Whether unknown data after the end can be moved: no index, no gain map, no known part and no offset is about it. */
export function isTailFree(jpeg: Jpeg): boolean {
  const { count, gainMap, others, trailer } = readMultiPicture(jpeg);
  const isAlone = count === 1 && !gainMap && others.length === 0 && !trailer;
  return jpeg.hasEnd && isAlone && !isPointedAt(jpeg, [jpeg.end]);
}

/**
 * Whether another part of the file holds one of these offsets, or one shortly after it: maker notes do (Sony's point into
 * the preview's own header), and they cannot all be corrected. Any number that could be such an offset counts, from the
 * start of the file or of the TIFF structure, in either byte order.
 */
export function isPointedAt({ segments }: Jpeg, places: readonly number[]): boolean {
  const holders = segments.filter(({ kind }) => kind === 'exif' || kind === 'application');
  const length = holders.reduce((sum, { payload }) => sum + payload.length, 0);
  if (length * places.length > MAX_SEARCHED) return true;
  const isNear = (value: number) => places.some((place) => value >= place - 64 && value < place + 512);
  return holders.some(({ at, payload }) => {
    const view = viewOf(payload);
    const tiffAt = at + 4 + EXIF_PREFIX.length;
    for (let offset = 0; offset + 4 <= payload.length; offset += 2) {
      for (const littleEndian of [true, false]) {
        const value = view.getUint32(offset, littleEndian);
        if (isNear(value) || isNear(value + tiffAt)) return true;
      }
    }
    return false;
  });
}

/**
 * The pictures that follow the first one whole, in order of their offsets. One that begins inside another does not count:
 * each byte is read once, however many pictures the index names.
 */
function picturesAfter({ bytes, end }: Jpeg, pictures: readonly PictureEntry[]): PictureEntry[] {
  const following: PictureEntry[] = [];
  let at = end;
  for (const picture of pictures.toSorted((one, other) => one.start - other.start)) {
    const { start, length } = picture;
    if (start < at || start + length > bytes.length) continue;
    following.push(picture);
    at = start + length;
  }
  return following;
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
      littleEndian: tiff.littleEndian,
      preview: (view.getUint32(at, tiff.littleEndian) & TYPE_CLASS) === LARGE_THUMBNAIL,
    };
  });
}

function hasGainMapMarker(segments: readonly JpegSegment[]): boolean {
  return segments.some(
    ({ kind, payload }) =>
      kind === 'gain-map' ||
      ((kind === 'xmp' || kind === 'extended-xmp') && GAIN_MAP_NAMES.some((name) => indexOfText(payload, name) >= 0)),
  );
}

export function isGainMap(bytes: Uint8Array, { start, length }: PictureEntry): boolean {
  if (!startsWith(bytes, '\xff\xd8', start)) return false;
  try {
    return hasGainMapMarker(readJpeg(bytes.subarray(start, start + length)).segments);
  } catch (error) {
    if (error instanceof CorruptImageError) return false;
    throw error;
  }
}
