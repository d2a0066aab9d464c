import { textAt, uintAt } from '../bytes.ts';
import { findBox, type IsoBox, readBoxes } from './boxes.ts';
import { type IsoImage, readAssociations } from './image.ts';

/** Where the boxes of a file do not fit into each other or into the file; undefined where they do. */
export function findBoxFault(image: IsoImage): string | undefined {
  return findCutChild(image.bytes, image.boxes, 0) ?? findShortTable(image) ?? findMissingMovie(image);
}

/** A last box that reaches beyond the file, although no item's data may be in that part; other bytes are trailing data. */
export function findCutEnd({ bytes, boxes }: IsoImage): string | undefined {
  const at = boxes.at(-1)?.end ?? 0;
  const type = textAt(bytes, at + 4, 4);
  if (!TOP_BOXES.has(type)) return undefined;
  return `its last box (${type} at byte ${at}) is longer than the ${bytes.length - at} bytes left, although no picture's data are missing`;
}

/** The boxes of the first level that a picture is made of, or that may be between them. */
const TOP_BOXES: ReadonlySet<string> = new Set([
  'ftyp',
  'meta',
  'mdat',
  'moov',
  'free',
  'skip',
  'styp',
  'sidx',
  'mfra',
]);

/** How many bytes stand before the boxes in a box that holds others. */
const CONTAINERS: Readonly<Record<string, number>> = {
  meta: 4,
  iprp: 0,
  ipco: 0,
  iref: 4,
  moov: 0,
  trak: 0,
  mdia: 0,
  minf: 0,
  stbl: 0,
};

// moov, trak, mdia, minf, stbl.
const MAX_DEPTH = 5;

function findCutChild(bytes: Uint8Array, boxes: readonly IsoBox[], depth: number): string | undefined {
  for (const box of boxes) {
    const before = CONTAINERS[box.type];
    if (before === undefined || depth === MAX_DEPTH) continue;
    const children = readBoxes(bytes, box.from + before, box.end);
    const fault = findGap(bytes, box, children) ?? findCutChild(bytes, children, depth + 1);
    if (fault) return fault;
  }
  return undefined;
}

function findGap(bytes: Uint8Array, box: IsoBox, children: readonly IsoBox[]): string | undefined {
  const at = children.at(-1)?.end ?? box.from + (CONTAINERS[box.type] ?? 0);
  // Some writers end a list with zeros.
  if (bytes.subarray(at, box.end).every((byte) => byte === 0)) return undefined;
  return `Expected the ${box.type} box to be made of whole boxes up to byte ${box.end} but the one at byte ${at} is cut off`;
}

/** An image sequence without its table of frames. */
function findMissingMovie({ boxes, brands }: IsoImage): string | undefined {
  if (!brands.includes('avis') || findBox(boxes, 'moov')) return undefined;
  return 'Expected the moov box of an image sequence but the file has none';
}

/** Tables with fewer rows than they say they have, or that name what is not there. */
function findShortTable(image: IsoImage): string | undefined {
  const { bytes, metaBoxes, hasAllLocations } = image;
  const list = findBox(metaBoxes, 'iinf');
  if (list) {
    const countLength = bytes[list.from] === 0 ? 2 : 4;
    const declared = uintAt(bytes, list.from + 4, countLength);
    const found = readBoxes(bytes, list.from + 4 + countLength, list.end).length;
    if (declared > found) return `Expected ${declared} items in iinf but found ${found}`;
  }
  if (!hasAllLocations && findBox(metaBoxes, 'iloc')) return 'Expected all rows of iloc but the box ends before them';
  return findMissingProperty(image);
}

function findMissingProperty({ bytes, metaBoxes }: IsoImage): string | undefined {
  const boxes = metaBoxes.filter(({ type }) => type === 'iprp').flatMap(({ from, end }) => readBoxes(bytes, from, end));
  const store = findBox(boxes, 'ipco');
  const count = store ? readBoxes(bytes, store.from, store.end).length : 0;
  for (const { id, entries } of readAssociations(bytes, boxes)) {
    const missing = entries.map((entry) => entry & 0x7fff).find((number) => number > count);
    if (missing !== undefined) return `Expected ${count} item properties but item ${id} has number ${missing}`;
  }
  return undefined;
}
