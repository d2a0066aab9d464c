import { nextDirectory, numbersOf, readDirectory, type Tiff, type TiffDirectory } from '../metadata/tiff-directory.ts';

// biome-ignore format: a table
const TAG = {
  width: 256, height: 257, bits: 258, compression: 259, photometric: 262, stripOffsets: 273, samples: 277,
  rowsPerStrip: 278, stripLengths: 279, planes: 284, tileWidth: 322, tileHeight: 323, tileOffsets: 324,
  tileLengths: 325,
} as const;

/** What was found where the strips or tiles of a page should be. */
export type LayoutFault = Readonly<{ is: 'damaged' | 'unproven'; detail: string }>;

// More than any scan has; each page is read in full.
const MAX_PAGES = 1000;

/** The first page whose directory, strips or tiles are not within the file. */
export function findLayoutFault(tiff: Tiff): LayoutFault | undefined {
  const seen = new Set<number>();
  for (let at = tiff.first; at !== 0; ) {
    if (seen.has(at)) return damaged(`Expected the end of the pages but page ${seen.size} leads back to byte ${at}`);
    if (seen.size === MAX_PAGES) return unproven(`it has more than ${MAX_PAGES} pages`);
    seen.add(at);
    const directory = readDirectory(tiff, at);
    if (!directory)
      return damaged(`Expected the directory of page ${seen.size} at byte ${at} but the file ends before`);
    const fault = findPageFault(tiff, directory);
    if (fault) return { ...fault, detail: `${fault.detail} in page ${seen.size}` };
    at = nextDirectory(tiff, at) ?? 0;
  }
  return undefined;
}

/** Offsets of the directories of all pages; of a file without a fault in its layout. */
export function* pagesOf(tiff: Tiff): Generator<number> {
  for (let at = tiff.first; at !== 0; at = nextDirectory(tiff, at) ?? 0) yield at;
}

/** Whether the first page, the one that is converted, stores its samples as they are. */
export function isUncompressed(tiff: Tiff): boolean {
  const first = readDirectory(tiff, tiff.first);
  return (numbersOf(tiff, first?.entries.get(TAG.compression))[0] ?? 1) === 1;
}

const damaged = (detail: string): LayoutFault => ({ is: 'damaged', detail });
const unproven = (detail: string): LayoutFault => ({ is: 'unproven', detail });

/** How a page is cut into strips or tiles, which are called segments here. */
interface Segments {
  readonly count: number;
  readonly offsetsTag: number;
  readonly lengthsTag: number;
  /** Of a segment that is not compressed. */
  readonly bytesOf: (index: number) => number;
}

function findPageFault(tiff: Tiff, directory: TiffDirectory): LayoutFault | undefined {
  const number = (tag: number, missing: number) => numbersOf(tiff, directory.entries.get(tag))[0] ?? missing;
  if (number(TAG.width, 0) === 0 || number(TAG.height, 0) === 0)
    return damaged('Expected a width and height but found none');
  // Its JPEG is stored in other tags.
  if (number(TAG.compression, 1) === OLD_JPEG) return unproven('it is stored as JPEG of an old kind');
  const segments = segmentsOf(number);
  if (segments.count > tiff.bytes.length)
    return damaged(`Expected ${segments.count} strips but the file has fewer bytes`);
  const values = (tag: number) => numbersOf(tiff, directory.entries.get(tag), segments.count);
  const [offsets, lengths] = [values(segments.offsetsTag), values(segments.lengthsTag)];
  if (offsets.length < segments.count)
    return damaged(`Expected the offsets of ${segments.count} strips or tiles but found ${offsets.length}`);
  const isPlain = number(TAG.compression, 1) === 1 && number(TAG.photometric, 0) !== YCBCR;
  if (lengths.length < segments.count)
    return (isPlain ? unproven : damaged)(`the lengths of its ${segments.count} strips or tiles are not all given`);
  return findSegmentFault(tiff.bytes.length, offsets, lengths, isPlain ? segments.bytesOf : () => 1);
}

const OLD_JPEG = 6;
/** Its colours may be stored at half the resolution. */
const YCBCR = 6;

function findSegmentFault(
  end: number,
  offsets: readonly number[],
  lengths: readonly number[],
  bytesOf: Segments['bytesOf'],
): LayoutFault | undefined {
  for (const [index, offset] of offsets.entries()) {
    const length = lengths[index] ?? 0;
    if (offset === 0 || length === 0) return unproven(`strip or tile ${index + 1} of ${offsets.length} is left out`);
    if (offset + length > end)
      return damaged(
        `Expected strip or tile ${index + 1} of ${offsets.length} up to byte ${offset + length} but the file has ${end}`,
      );
    if (length < bytesOf(index))
      return damaged(
        `Expected ${bytesOf(index)} bytes in strip or tile ${index + 1} of ${offsets.length} but found ${length}`,
      );
  }
  return undefined;
}

function segmentsOf(number: (tag: number, missing: number) => number): Segments {
  const [width, height] = [number(TAG.width, 0), number(TAG.height, 0)];
  const isPlanar = number(TAG.planes, 1) === 2;
  const samples = number(TAG.samples, 1);
  const planes = isPlanar ? samples : 1;
  const bits = number(TAG.bits, 1) * (isPlanar ? 1 : samples);
  const rowBytes = (pixels: number) => Math.ceil((pixels * bits) / 8);
  const [tileWidth, tileHeight] = [number(TAG.tileWidth, 0), number(TAG.tileHeight, 0)];
  if (tileWidth > 0 && tileHeight > 0) {
    const count = Math.ceil(width / tileWidth) * Math.ceil(height / tileHeight) * planes;
    const bytes = rowBytes(tileWidth) * tileHeight;
    return { count, offsetsTag: TAG.tileOffsets, lengthsTag: TAG.tileLengths, bytesOf: () => bytes };
  }
  const rows = Math.max(1, Math.min(height, number(TAG.rowsPerStrip, height)));
  const perPlane = Math.ceil(height / rows);
  const rowsOf = (index: number) => Math.min(rows, height - (index % perPlane) * rows);
  const bytesOf = (index: number) => rowBytes(width) * rowsOf(index);
  return { count: perPlane * planes, offsetsTag: TAG.stripOffsets, lengthsTag: TAG.stripLengths, bytesOf };
}
