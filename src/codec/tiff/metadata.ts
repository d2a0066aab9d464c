import { joinBytes } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { buildExif, directoryBytes, longEntry, type NewEntry, readCredits, tiffHeader } from '../metadata/exif.ts';
import { usableProfile } from '../metadata/icc.ts';
import { asPhotoshop, readIptc } from '../metadata/iptc.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import {
  numbersOf,
  readDirectory,
  readTiff,
  type Tiff,
  type TiffDirectory,
  type TiffEntry,
  valueBytes,
} from '../metadata/tiff-directory.ts';

const TAG = { xmp: 700, iptc: 33723, photoshop: 34377, exif: 34665, icc: 34675, gps: 34853 } as const;

/** The metadata of a TIFF in forms that other formats can store. */
export function readTiffMetadata(file: ImageFile): ImageMetadata {
  const tiff = file.read(readTiff);
  const first = tiff && readDirectory(tiff, tiff.first);
  if (!tiff || !first) return {};
  const value = (tag: number) => {
    const entry = first.entries.get(tag);
    return entry && valueBytes(tiff, entry);
  };
  const photoshop = value(TAG.photoshop);
  const iptc = value(TAG.iptc) ?? (photoshop && readIptc(photoshop));
  return {
    exif: exifOf(tiff, first),
    xmp: value(TAG.xmp),
    icc: usableProfile(value(TAG.icc)),
    photoshop: iptc && asPhotoshop(iptc),
  };
}

// The tags that describe the picture and not the layout of the file: the main directory of EXIF has the same.
const DESCRIPTIVE: ReadonlySet<number> = new Set([
  // ImageDescription, Make, Model, Orientation, XResolution, YResolution, ResolutionUnit.
  270, 271, 272, 274, 282, 283, 296,
  // Software, DateTime, Artist, HostComputer, Rating, Copyright.
  305, 306, 315, 316, 18246, 33432,
  // XPTitle, XPComment, XPAuthor, XPKeywords, XPSubject.
  40091, 40092, 40093, 40094, 40095,
]);

// Maker notes and interoperability hold offsets into the original file.
const WITH_OFFSETS: ReadonlySet<number> = new Set([37500, 40965]);

const MAX_EXIF_BYTES = 1_000_000;

/** EXIF is a TIFF structure: the descriptive entries become an EXIF in the same byte order. */
function exifOf(tiff: Tiff, first: TiffDirectory): Uint8Array | undefined {
  const main = entriesFor(first, ({ tag }) => DESCRIPTIVE.has(tag));
  const others = [TAG.exif, TAG.gps].map((pointer) => {
    const [at = 0] = numbersOf(tiff, first.entries.get(pointer));
    return { pointer, entries: entriesFor(readDirectory(tiff, at), ({ tag }) => !WITH_OFFSETS.has(tag)) };
  });
  const all = [main, ...others.map(({ entries }) => entries)].flat();
  if (all.length === 0) return undefined;
  // The entries of a hostile file may all point to the same megabytes.
  const length = all.reduce((sum, entry) => sum + entry.length, 0);
  if (length <= MAX_EXIF_BYTES) return writeExif(tiff, main, others);
  return tiff.big ? undefined : buildExif(readCredits(tiff.bytes));
}

function entriesFor(directory: TiffDirectory | undefined, isWanted: (entry: TiffEntry) => boolean) {
  const entries = [...(directory?.entries.values() ?? [])];
  // EXIF knows the types up to DOUBLE, and text as UTF-8.
  return entries.filter((entry) => isWanted(entry) && (entry.type <= 12 || entry.type === 129));
}

function writeExif(
  tiff: Tiff,
  main: readonly TiffEntry[],
  others: readonly { pointer: number; entries: readonly TiffEntry[] }[],
): Uint8Array {
  const { littleEndian } = tiff;
  const copied = (entry: TiffEntry): NewEntry => ({ ...entry, value: valueBytes(tiff, entry) });
  const present = others.filter(({ entries }) => entries.length > 0);
  const pointersTo = (places: readonly number[]) =>
    present.map(({ pointer }, index) => longEntry(pointer, places[index] ?? 0, littleEndian));
  const mainWith = (places: readonly number[]) =>
    directoryBytes([...main.map(copied), ...pointersTo(places)], 8, littleEndian);
  // Written twice: its length does not depend on the offsets in it.
  let at = 8 + mainWith([]).length;
  const places: number[] = [];
  const directories = present.map(({ entries }) => {
    const directory = directoryBytes(entries.map(copied), at, littleEndian);
    places.push(at);
    at += directory.length;
    return directory;
  });
  return joinBytes(tiffHeader(littleEndian), mainWith(places), ...directories);
}
