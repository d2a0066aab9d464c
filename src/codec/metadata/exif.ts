import { joinAll, joinBytes, latin1, startsWith, uint16, uint16At, uint32 } from '../bytes.ts';
import {
  isText,
  numbersOf,
  ORIENTATION,
  orientationOf,
  readDirectory,
  readTiff,
  type Tiff,
  type TiffDirectory,
  type TiffEntry,
  TYPE_ASCII,
  valueBytes,
} from './tiff-directory.ts';

/** EXIF is a TIFF structure; in this file always without the prefix `Exif\0\0`. */

const [ARTIST, XP_AUTHOR, COPYRIGHT] = [0x013b, 0x9c9d, 0x8298] as const;
const [TYPE_BYTE, TYPE_SHORT, TYPE_LONG] = [1, 3, 4] as const;

/** EXIF without the prefix that JPEG demands and some writers of PNG, WebP and AVIF add. */
export function withoutExifPrefix(block: Uint8Array): Uint8Array {
  return startsWith(block, 'Exif\0') ? block.subarray(6) : block;
}

/** 1 to 8; 1 when there is none or it is invalid. The prefix is optional. */
export function readOrientation(exif: Uint8Array | undefined): number {
  const main = exif && readMain(withoutExifPrefix(exif));
  return main ? orientationOf(main.tiff, main.directory) : 1;
}

function readMain(exif: Uint8Array): { tiff: Tiff; directory: TiffDirectory } | undefined {
  const tiff = readTiff(exif);
  const directory = tiff && !tiff.big ? readDirectory(tiff, tiff.first) : undefined;
  return tiff && directory ? { tiff, directory } : undefined;
}

/**
 * The same EXIF with this orientation: patched in place, so that every offset in it (maker notes!) stays valid.
 * The thumbnail is dropped when the orientation changes: it would be shown rotated.
 */
export function withOrientation(exif: Uint8Array, orientation: number): Uint8Array {
  const main = readMain(exif);
  if (!main) return orientation === 1 ? exif : buildExif({ orientation });
  const { tiff, directory } = main;
  const entry = directory.entries.get(ORIENTATION);
  if (readOrientation(exif) === orientation && (entry || orientation === 1)) return exif;
  if (!entry) return withOrientationAdded(tiff, directory, orientation);
  // Not slice(): that of a Buffer shares its memory, and would change the source.
  const patched = Uint8Array.from(exif);
  patched.set(entryBytes(orientationEntry(orientation, tiff.littleEndian), tiff.littleEndian), entry.at);
  if (directory.next !== 0) patched.set([0, 0, 0, 0], directory.nextAt);
  return patched;
}

/** The same EXIF without its thumbnail: the directory of it is unlinked, and its bytes are zeros. Offsets stay valid. */
export function withoutThumbnail(exif: Uint8Array): Uint8Array {
  const main = readMain(exif);
  if (!main || main.directory.next === 0) return exif;
  const { tiff, directory } = main;
  const patched = Uint8Array.from(exif);
  const entries = readDirectory(tiff, directory.next)?.entries;
  const [at = 0] = numbersOf(tiff, entries?.get(THUMBNAIL_OFFSET));
  const [length = 0] = numbersOf(tiff, entries?.get(THUMBNAIL_LENGTH));
  const isInside = at >= 8 && at + length <= patched.length;
  // Only a JPEG is cleared: a wrong offset may point at what is still needed.
  if (isInside && uint16At(exif, at) === 0xffd8) patched.fill(0, at, at + length);
  patched.set([0, 0, 0, 0], directory.nextAt);
  return patched;
}

const [THUMBNAIL_OFFSET, THUMBNAIL_LENGTH] = [0x0201, 0x0202] as const;

/** The main directory moves to the end, one entry longer; everything else keeps its offset. */
function withOrientationAdded(tiff: Tiff, directory: TiffDirectory, orientation: number): Uint8Array {
  const { bytes, littleEndian } = tiff;
  const entries: Uint8Array[] = [];
  for (let at = directory.at + 2; at < directory.nextAt; at += 12) entries.push(bytes.subarray(at, at + 12));
  const tagOf = (entry: Uint8Array) => uint16At(entry, 0, littleEndian);
  const before = entries.filter((entry) => tagOf(entry) < ORIENTATION);
  const after = entries.filter((entry) => tagOf(entry) > ORIENTATION);
  const padding = bytes.length % 2 ? [0] : [];
  const directoryAt = bytes.length + padding.length;
  const count = uint16(before.length + 1 + after.length, littleEndian);
  const entry = entryBytes(orientationEntry(orientation, littleEndian), littleEndian);
  const extended = joinAll([bytes, padding, count, ...before, entry, ...after, [0, 0, 0, 0]]);
  extended.set(uint32(directoryAt, littleEndian), 4);
  return extended;
}

function orientationEntry(orientation: number, littleEndian: boolean): NewEntry {
  return { tag: ORIENTATION, type: TYPE_SHORT, count: 1, value: uint16(orientation, littleEndian) };
}

export interface ExifContent {
  readonly orientation?: number;
  /** ASCII by the standard; writers use UTF-8, and it is copied unchanged. */
  readonly artist?: Uint8Array;
  readonly copyright?: Uint8Array;
  /** Windows' author, UTF-16. */
  readonly xpAuthor?: Uint8Array;
  readonly littleEndian?: boolean;
}

/** Author and copyright: no location, no camera, no thumbnail, no maker note. */
export function readCredits(exif: Uint8Array): ExifContent {
  const main = readMain(exif);
  if (!main) return {};
  const read = (tag: number, isRight: (entry: TiffEntry) => boolean) => {
    const entry = main.directory.entries.get(tag);
    return entry && isRight(entry) ? valueBytes(main.tiff, entry) : undefined;
  };
  return {
    artist: read(ARTIST, isText),
    copyright: read(COPYRIGHT, isText),
    xpAuthor: read(XP_AUTHOR, ({ type }) => type === TYPE_BYTE),
    littleEndian: main.tiff.littleEndian,
  };
}

/** A new EXIF that holds this and nothing else. */
export function buildExif(content: ExifContent): Uint8Array {
  const { orientation, artist, copyright, xpAuthor, littleEndian = false } = content;
  const text = (tag: number, value: Uint8Array | undefined): NewEntry[] =>
    value ? [{ tag, type: TYPE_ASCII, count: terminated(value).length, value: terminated(value) }] : [];
  const entries: NewEntry[] = [...text(ARTIST, artist), ...text(COPYRIGHT, copyright)];
  if (orientation !== undefined) entries.push(orientationEntry(orientation, littleEndian));
  if (xpAuthor) entries.push({ tag: XP_AUTHOR, type: TYPE_BYTE, count: xpAuthor.length, value: xpAuthor });
  return joinBytes(tiffHeader(littleEndian), directoryBytes(entries, 8, littleEndian));
}

/** The header of a structure whose first directory follows it, at 8. */
export function tiffHeader(littleEndian = false): Uint8Array {
  return joinBytes(latin1(littleEndian ? 'II' : 'MM'), uint16(42, littleEndian), uint32(8, littleEndian));
}

/** An entry to be written; its value is in the byte order of the whole. */
export type NewEntry = Readonly<{ tag: number; type: number; count: number; value: Uint8Array }>;

export function longEntry(tag: number, value: number, littleEndian: boolean): NewEntry {
  return { tag, type: TYPE_LONG, count: 1, value: uint32(value, littleEndian) };
}

/** The last directory of a structure, at the offset `at`, followed by its longer values. */
export function directoryBytes(entries: readonly NewEntry[], at: number, littleEndian = false): Uint8Array {
  let outsideAt = at + 2 + entries.length * 12 + 4;
  const outside: Uint8Array[] = [];
  const sorted = entries.toSorted((one, other) => one.tag - other.tag);
  const rows = sorted.map((entry) => {
    const { value } = entry;
    if (value.length <= 4) return entryBytes(entry, littleEndian);
    const row = entryBytes({ ...entry, value: uint32(outsideAt, littleEndian) }, littleEndian);
    const padded = value.length % 2 ? joinBytes(value, [0]) : value;
    outside.push(padded);
    outsideAt += padded.length;
    return row;
  });
  return joinBytes(uint16(entries.length, littleEndian), ...rows, [0, 0, 0, 0], ...outside);
}

function entryBytes({ tag, type, count, value }: NewEntry, littleEndian: boolean): Uint8Array {
  const head = [uint16(tag, littleEndian), uint16(type, littleEndian), uint32(count, littleEndian)];
  return joinBytes(...head, value, new Uint8Array(4 - value.length));
}

function terminated(text: Uint8Array): Uint8Array {
  return text.at(-1) === 0 ? text : joinBytes(text, [0]);
}
