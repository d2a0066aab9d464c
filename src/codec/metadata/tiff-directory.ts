import { startsWith, textAt, viewOf } from '../bytes.ts';

/** The directories (IFDs) of a TIFF structure: TIFF files, EXIF and the index of multi-picture JPEGs have them. */

export interface Tiff {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  /** BigTIFF: eight-byte offsets. */
  readonly big: boolean;
  /** Offset of the first directory. */
  readonly first: number;
}

export interface TiffEntry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Offset of its twelve (BigTIFF: twenty) bytes. */
  readonly at: number;
  /** Offset of its value: inside the entry when it is short. */
  readonly valueAt: number;
  readonly length: number;
}

export interface TiffDirectory {
  readonly at: number;
  readonly entries: ReadonlyMap<number, TiffEntry>;
  /** Where the offset of the next directory is written. */
  readonly nextAt: number;
  /** 0 for the last one. */
  readonly next: number;
}

const TYPE_LENGTHS = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
export const TYPE_ASCII = 2;
/** EXIF 3.0 */
const TYPE_UTF8 = 129;

/** The header of a TIFF structure; undefined when these bytes are none. */
export function readTiff(bytes: Uint8Array): Tiff | undefined {
  if (bytes.length < 8) return undefined;
  const littleEndian = startsWith(bytes, 'II');
  if (!littleEndian && !startsWith(bytes, 'MM')) return undefined;
  const view = viewOf(bytes);
  const version = view.getUint16(2, littleEndian);
  if (version === 42) return { bytes, littleEndian, big: false, first: view.getUint32(4, littleEndian) };
  if (version !== 43 || bytes.length < 16) return undefined;
  return { bytes, littleEndian, big: true, first: Number(view.getBigUint64(8, littleEndian)) };
}

/** The directory at this offset; undefined where none fits. Entries whose value is outside the bytes are left out. */
export function readDirectory(tiff: Tiff, at: number): TiffDirectory | undefined {
  const bounds = boundsOf(tiff, at);
  if (!bounds) return undefined;
  const { count, entriesAt, entryLength, nextAt, next } = bounds;
  const view = viewOf(tiff.bytes);
  const entries = new Map<number, TiffEntry>();
  for (let index = 0; index < count; index++) {
    const entry = readEntry(tiff, view, entriesAt + index * entryLength);
    if (entry && !entries.has(entry.tag)) entries.set(entry.tag, entry);
  }
  return { at, entries, nextAt, next };
}

/** Offset of the next directory: 0 after the last one, undefined where none fits. No entry is read. */
export function nextDirectory(tiff: Tiff, at: number): number | undefined {
  return boundsOf(tiff, at)?.next;
}

function boundsOf(tiff: Tiff, at: number) {
  const { bytes, littleEndian, big } = tiff;
  const countLength = big ? 8 : 2;
  const entryLength = big ? 20 : 12;
  if (at < 8 || at + countLength > bytes.length) return undefined;
  const view = viewOf(bytes);
  const count = big ? Number(view.getBigUint64(at, littleEndian)) : view.getUint16(at, littleEndian);
  const entriesAt = at + countLength;
  const nextAt = entriesAt + count * entryLength;
  if (count > 65_535 || nextAt > bytes.length) return undefined;
  return { count, entriesAt, entryLength, nextAt, next: readOffset(tiff, view, nextAt) };
}

function readEntry(tiff: Tiff, view: DataView, at: number): TiffEntry | undefined {
  const { littleEndian, big, bytes } = tiff;
  const type = view.getUint16(at + 2, littleEndian);
  const count = big ? Number(view.getBigUint64(at + 4, littleEndian)) : view.getUint32(at + 4, littleEndian);
  const length = (type === TYPE_UTF8 ? 1 : (TYPE_LENGTHS[type] ?? 0)) * count;
  const inlineAt = at + (big ? 12 : 8);
  const valueAt = length <= (big ? 8 : 4) ? inlineAt : readOffset(tiff, view, inlineAt);
  if (length === 0 || valueAt + length > bytes.length) return undefined;
  return { tag: view.getUint16(at, littleEndian), type, count, at, valueAt, length };
}

function readOffset(tiff: Tiff, view: DataView, at: number): number {
  const length = tiff.big ? 8 : 4;
  if (at + length > tiff.bytes.length) return 0;
  return tiff.big ? Number(view.getBigUint64(at, tiff.littleEndian)) : view.getUint32(at, tiff.littleEndian);
}

type ReadNumber = (view: DataView, at: number, littleEndian: boolean) => number;

/** How the types of whole numbers are read. */
const WHOLE_NUMBERS: Readonly<Record<number, ReadNumber>> = {
  1: (view, at) => view.getUint8(at),
  3: (view, at, littleEndian) => view.getUint16(at, littleEndian),
  4: (view, at, littleEndian) => view.getUint32(at, littleEndian),
  6: (view, at) => view.getInt8(at),
  8: (view, at, littleEndian) => view.getInt16(at, littleEndian),
  9: (view, at, littleEndian) => view.getInt32(at, littleEndian),
  // The place of a directory, and BigTIFF's LONG8.
  13: (view, at, littleEndian) => view.getUint32(at, littleEndian),
  16: (view, at, littleEndian) => Number(view.getBigUint64(at, littleEndian)),
};

/** The whole numbers of an entry, at most `limit` of them; none when it holds something else. */
export function numbersOf(tiff: Tiff, entry: TiffEntry | undefined, limit = 16): number[] {
  const read = entry && WHOLE_NUMBERS[entry.type];
  if (!read) return [];
  const view = viewOf(tiff.bytes);
  return Array.from({ length: Math.min(entry.count, limit) }, (_, index) =>
    read(view, entry.valueAt + (index * entry.length) / entry.count, tiff.littleEndian),
  );
}

export const ORIENTATION = 274;

/** 1 to 8, as TIFF and EXIF number them; 1 when there is none or it is invalid. */
export function orientationOf(tiff: Tiff, directory: TiffDirectory): number {
  const [value = 1] = numbersOf(tiff, directory.entries.get(ORIENTATION));
  return value >= 1 && value <= 8 ? value : 1;
}

export function valueBytes(tiff: Tiff, entry: TiffEntry): Uint8Array {
  return tiff.bytes.subarray(entry.valueAt, entry.valueAt + entry.length);
}

/** A text entry without the NUL at its end. */
export function textOf(tiff: Tiff, entry: TiffEntry | undefined): string | undefined {
  if (!entry || !isText(entry)) return undefined;
  return textAt(tiff.bytes, entry.valueAt, entry.length).split('\0')[0];
}

export function isText({ type }: TiffEntry): boolean {
  return type === TYPE_ASCII || type === TYPE_UTF8;
}
