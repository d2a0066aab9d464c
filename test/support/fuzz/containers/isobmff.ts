import { type Container, fieldsOf, type NumberField, type Piece, readField } from '../piece.ts';

/** Boxes, and in `mdat` the extents that `iloc` points at. */
export const ISOBMFF: Container = {
  pieces: (file) => {
    const boxes = readBoxes(file, 0, file.length, []);
    return [...boxes, ...extentPieces(file, boxes)];
  },
  fields: (file, pieces) => [
    ...fieldsOf(pieces, FIELDS),
    ...pieces.flatMap(({ name, length }) => (length && name !== 'extent' ? [length] : [])),
    ...readLocations(file).flatMap(({ base, offset, size }) => [offset, size, ...(base.size > 0 ? [base] : [])]),
    ...bytesOf(pieces, 'ipma', 8),
    ...bytesOf(pieces, 'iref', 4),
    ...bytesOf(pieces, 'idat', 0),
    ...bytesOf(pieces, 'iloc', 4),
  ],
  offsets: positionFields,
};

/** How far the children are behind the start of the body. */
const PARENTS: Readonly<Record<string, number>> = {
  ...{ meta: 4, iprp: 0, ipco: 0, iinf: 6, iref: 4 },
  ...{ moov: 0, trak: 0, mdia: 0, minf: 0, stbl: 0, dinf: 0 },
};

const FIELDS = {
  ftyp: [['brand', 0, 4]],
  pitm: [['item', 4, 2]],
  ispe: [
    ['width', 4, 4],
    ['height', 8, 4],
  ],
  pixi: [
    ['channels', 4, 1],
    ['bits', 5, 1],
  ],
  av1C: [
    ['marker', 0, 1],
    ['profile', 1, 1],
    ['depth', 2, 1],
  ],
  colr: [
    ['type', 0, 4],
    ['primaries', 4, 2],
    ['transfer', 6, 2],
    ['matrix', 8, 2],
    ['range', 10, 1],
  ],
  irot: [['angle', 0, 1]],
  imir: [['axis', 0, 1]],
  iinf: [['count', 4, 2]],
  infe: [
    ['flags', 3, 1],
    ['item', 4, 2],
    ['type', 8, 4],
  ],
} as const;

function readBoxes(file: Uint8Array, from: number, to: number, outerLengths: readonly NumberField[]): Piece[] {
  const pieces: Piece[] = [];
  for (let at = from; at + 8 <= to; ) {
    const name = Buffer.from(file.subarray(at + 4, at + 8)).toString('latin1');
    const length = { name: `${name}.length`, at, size: 4 };
    const end = at + readField(file, length);
    if (end < at + 8 || end > to) break;
    pieces.push({ name, at, bodyAt: at + 8, bodyEnd: end, end, length, outerLengths });
    const skipped = Object.hasOwn(PARENTS, name) ? PARENTS[name] : undefined;
    if (skipped !== undefined) pieces.push(...readBoxes(file, at + 8 + skipped, end, [...outerLengths, length]));
    at = end;
  }
  return pieces;
}

function extentPieces(file: Uint8Array, boxes: readonly Piece[]): Piece[] {
  return readLocations(file).flatMap(({ base, offset, size }) => {
    const at = readField(file, base) + readField(file, offset);
    const end = at + readField(file, size);
    const around = boxes.find(({ name, bodyAt, bodyEnd }) => name === 'mdat' && bodyAt <= at && end <= bodyEnd);
    if (!around?.length) return [];
    return [{ name: 'extent', at, end, bodyAt: at, bodyEnd: end, length: size, outerLengths: [around.length] }];
  });
}

/** Positions from the start of the file: libheif writes them as bases, with offsets of 0 from these. */
function positionFields(file: Uint8Array): NumberField[] {
  return readLocations(file).map(({ base, offset }) => (readField(file, offset) === 0 ? base : offset));
}

interface Location {
  /** Of no bytes where the box has none. */
  readonly base: NumberField;
  readonly offset: NumberField;
  readonly size: NumberField;
}

/** Of `iloc` in versions 0 and 1 with offsets and lengths of four bytes. */
function readLocations(file: Uint8Array): Location[] {
  const iloc = readBoxes(file, 0, file.length, []).find(({ name }) => name === 'iloc');
  if (!iloc || file[iloc.bodyAt + 4] !== 0x44) return [];
  const [version, baseSize] = [file[iloc.bodyAt]!, file[iloc.bodyAt + 5]! >> 4];
  const found: Location[] = [];
  let at = iloc.bodyAt + 8;
  for (let item = 0; item < numberAt(file, iloc.bodyAt + 6) && at < iloc.bodyEnd; item++) {
    const base = { name: 'iloc.base', at: at + (version === 0 ? 4 : 6), size: baseSize };
    const extentsAt = base.at + baseSize;
    const count = Math.min(numberAt(file, extentsAt), MAX_EXTENTS);
    for (let extent = 0; extent < count; extent++) {
      const offset = { name: 'iloc.offset', at: extentsAt + 2 + extent * 8, size: 4 };
      found.push({ base, offset, size: { name: 'iloc.extentLength', at: offset.at + 4, size: 4 } });
    }
    at = extentsAt + 2 + count * 8;
  }
  return found.filter(({ size }) => size.at + 4 <= iloc.bodyEnd);
}

const MAX_EXTENTS = 100;

const numberAt = (file: Uint8Array, at: number) => readField(file, { name: '', at, size: 2 });

function bytesOf(pieces: readonly Piece[], box: string, from: number): NumberField[] {
  return pieces
    .filter(({ name }) => name === box)
    .flatMap(({ bodyAt, bodyEnd }) =>
      Array.from({ length: Math.max(0, bodyEnd - bodyAt - from) }, (_, index) => bodyAt + from + index),
    )
    .map((at) => ({ name: `${box}.byte`, at, size: 1 }));
}
