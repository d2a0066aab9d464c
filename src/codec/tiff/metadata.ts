import { joinBytes } from '../bytes.ts';
import {
  buildExif,
  directoryBytes,
  longEntry,
  type NewEntry,
  readCredits,
  tiffHeader,
} from '../metadata/exif.ts';
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

const XMP = 700;
const IPTC = 33723;
const PHOTOSHOP = 34377;
const ICC = 34675;
const EXIF_DIRECTORY = 34665;
const GPS_DIRECTORY = 34853;

/** The metadata of a TIFF in forms that other formats can store. */
export function readTiffMetadata(bytes: Uint8Array): ImageMetadata {
  const tiff = readTiff(bytes);
  const first = tiff && readDirectory(tiff, tiff.first);
  if (!tiff || !first) return {};
  const value = (tag: number) => {
    const entry = first.entries.get(tag);
    return entry && valueBytes(tiff, entry);
  };
  const photoshop = value(PHOTOSHOP);
  const iptc = value(IPTC) ?? (photoshop && readIptc(photoshop));
  return {
    exif: exifOf(tiff, first),
    xmp: value(XMP),
    icc: value(ICC),
    photoshop: iptc && asPhotoshop(iptc),
  };
}

// The tags that describe the picture and not the layout of the file: the main directory of EXIF has the same.
const DESCRIPTIVE: ReadonlySet<number> = new Set([
  270, // ImageDescription
  271, // Make
  272, // Model
  274, // Orientation
  282, // XResolution
  283, // YResolution
  296, // ResolutionUnit
  305, // Software
  306, // DateTime
  315, // Artist
  316, // HostComputer
  18246, // Rating
  33432, // Copyright
  40091, // XPTitle
  40092, // XPComment
  40093, // XPAuthor
  40094, // XPKeywords
  40095, // XPSubject
]);

// Maker notes and interoperability hold offsets into the original file.
const WITH_OFFSETS: ReadonlySet<number> = new Set([37500, 40965]);

const MAX_EXIF_BYTES = 1_000_000;

/** EXIF is a TIFF structure: the descriptive entries become an EXIF in the same byte order. */
function exifOf(tiff: Tiff, first: TiffDirectory): Uint8Array | undefined {
  const main = entriesFor(first, ({ tag }) => DESCRIPTIVE.has(tag));
  const others = [EXIF_DIRECTORY, GPS_DIRECTORY].map((pointer) => {
    const [at = 0] = numbersOf(tiff, first.entries.get(pointer));
    return { pointer, entries: entriesFor(readDirectory(tiff, at), ({ tag }) => !WITH_OFFSETS.has(tag)) };
  });
  const all = [main, ...others.map(({ entries }) => entries)].flat();
  if (all.length === 0) return undefined;
  // The entries of a hostile file may all point to the same megabytes.
  const length = all.reduce((sum, entry) => sum + entry.length, 0);
  return length > MAX_EXIF_BYTES ? creditsOf(tiff) : writeExif(tiff, main, others);
}

function entriesFor(
  directory: TiffDirectory | undefined,
  isWanted: (entry: TiffEntry) => boolean,
): TiffEntry[] {
  const entries = [...(directory?.entries.values() ?? [])];
  return entries.filter((entry) => isWanted(entry) && isKnownToExif(entry));
}

/** The types up to DOUBLE, and text as UTF-8. */
function isKnownToExif({ type }: TiffEntry): boolean {
  return type <= 12 || type === 129;
}

function creditsOf({ big, bytes }: Tiff): Uint8Array | undefined {
  return big ? undefined : buildExif(readCredits(bytes));
}

interface Directory {
  readonly pointer: number;
  readonly entries: readonly TiffEntry[];
}

function writeExif(tiff: Tiff, main: readonly TiffEntry[], others: readonly Directory[]): Uint8Array {
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
