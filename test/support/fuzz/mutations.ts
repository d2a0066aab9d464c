import { concat } from '../fixtures/bytes.ts';
import {
  type Container,
  editConsistently,
  type NumberField,
  type Piece,
  piecesOf,
  type Random,
  readField,
  type Subject,
  writeField,
} from './piece.ts';

/** A file to be damaged, and what mutations of every format may draw on. */
interface Damage extends Subject {
  readonly container: Container;
  /** Another file of the same format. */
  readonly other: Uint8Array;
}

type Mutation = (damage: Damage) => Uint8Array | undefined;

/** Damage that every format may suffer. */
export const MUTATIONS: readonly { readonly name: string; readonly apply: Mutation }[] = [
  { name: 'flip a bit of a piece', apply: (damage) => flipBits(damage, 1) },
  { name: 'flip bits of a piece', apply: (damage) => flipBits(damage, 2 + damage.random(8)) },
  { name: 'flip a bit of the largest pieces', apply: flipLargest },
  { name: 'flip a bit anywhere', apply: ({ file, random }) => flipped(file, 0, file.length, 1, random) },
  { name: 'overwrite a run', apply: overwriteRun },
  { name: 'set a field', apply: setField },
  { name: 'set a field of the first pieces', apply: setEarlyField },
  { name: 'change a length', apply: changeLength },
  { name: 'cut out of a piece', apply: cutPiece },
  { name: 'cut the end of a piece', apply: cutPieceEnd },
  { name: 'insert into a piece', apply: growPiece },
  { name: 'leave out a piece', apply: deletePiece },
  { name: 'repeat a piece', apply: repeatPiece },
  { name: 'swap two pieces', apply: swapPieces },
  { name: 'take the body of a piece from another file', apply: transplantPiece },
  { name: 'continue with another file', apply: splice },
  { name: 'cut the file', apply: ({ file, random }) => file.slice(0, random(file.length)) },
  { name: 'cut the file near a piece', apply: cutNearPiece },
  { name: 'cut the file and end it properly', apply: cutAndEnd },
  { name: 'leave out a range', apply: dropRange },
  { name: 'append bytes', apply: appendBytes },
];

function anyPiece({ pieces, random }: Damage): Piece {
  return pieces[random(pieces.length)]!;
}

function flipped(file: Uint8Array, from: number, to: number, bits: number, random: Random): Uint8Array | undefined {
  if (to <= from) return undefined;
  const changed = file.slice();
  for (let flip = 0; flip < bits; flip++) changed[from + random(to - from)]! ^= 1 << random(8);
  return changed;
}

/** Checksums are made right again in three of four, so that the damage gets past them. */
function rechecked({ container, random }: Damage, changed: Uint8Array | undefined): Uint8Array | undefined {
  return changed && container.withChecksums && random(4) > 0 ? container.withChecksums(changed) : changed;
}

function flipBits(damage: Damage, bits: number): Uint8Array | undefined {
  const { bodyAt, bodyEnd } = anyPiece(damage);
  return rechecked(damage, flipped(damage.file, bodyAt, bodyEnd, bits, damage.random));
}

function flipLargest(damage: Damage): Uint8Array | undefined {
  const lengthOf = ({ bodyAt, bodyEnd }: Piece) => bodyEnd - bodyAt;
  const largest = damage.pieces.toSorted((one, other) => lengthOf(other) - lengthOf(one)).slice(0, 3);
  const { bodyAt, bodyEnd } = largest[damage.random(largest.length)]!;
  return rechecked(damage, flipped(damage.file, bodyAt, bodyEnd, 1 + damage.random(3), damage.random));
}

function overwriteRun(damage: Damage): Uint8Array | undefined {
  const { bodyAt, bodyEnd } = anyPiece(damage);
  const from = bodyAt + damage.random(bodyEnd - bodyAt);
  const to = Math.min(bodyEnd, from + 1 + damage.random(64));
  return rechecked(damage, damage.file.slice().fill([0, 0xff, 0x55][damage.random(3)]!, from, to));
}

function setField(damage: Damage): Uint8Array | undefined {
  return setOneOf(damage.container.fields(damage.file, damage.pieces), damage);
}

/** Headers matter most, and have a small part of the fields. */
function setEarlyField(damage: Damage): Uint8Array | undefined {
  const fields = damage.container.fields(damage.file, damage.pieces.slice(0, 4));
  return setOneOf(fields.slice(0, 24), damage);
}

function setOneOf(fields: readonly NumberField[], damage: Damage): Uint8Array | undefined {
  const { file, random } = damage;
  const field = fields[random(fields.length)];
  if (!field) return undefined;
  const changed = file.slice();
  writeField(changed, field, otherValue(readField(file, field), field, random));
  return rechecked(damage, changed);
}

function otherValue(value: number, { size }: NumberField, random: Random): number {
  const max = 256 ** size - 1;
  const near = [0, 1, value + 1, value - 1, value * 2, Math.floor(value / 2), max, Math.ceil(max / 2), value ^ 1];
  return near[random(near.length + 1)] ?? random(Math.min(max, 2 ** 31));
}

function changeLength(damage: Damage): Uint8Array | undefined {
  const { file, pieces, random } = damage;
  const lengths = pieces.flatMap(({ length, outerLengths }) => [...(length ? [length] : []), ...outerLengths]);
  const field = lengths[random(lengths.length)];
  if (!field) return undefined;
  const changed = file.slice();
  writeField(changed, field, otherValue(readField(file, field), field, random));
  return changed;
}

function lengthsOf({ length, outerLengths }: Piece): NumberField[] {
  return length ? [length, ...outerLengths] : [...outerLengths];
}

function stepped({ container }: Damage, length: number): number {
  const step = container.step ?? 1;
  return Math.floor(length / step) * step;
}

function cutPiece(damage: Damage): Uint8Array | undefined {
  const piece = anyPiece(damage);
  const length = piece.bodyEnd - piece.bodyAt;
  const from = damage.random(length);
  const removed = stepped(damage, Math.min(length - from, 1 + damage.random(40)));
  const edit = { at: piece.bodyAt + from, removed, insert: new Uint8Array() };
  return editConsistently(damage.file, edit, lengthsOf(piece), damage.container);
}

function cutPieceEnd(damage: Damage): Uint8Array | undefined {
  const piece = anyPiece(damage);
  const removed = stepped(damage, damage.random(piece.bodyEnd - piece.bodyAt));
  const edit = { at: piece.bodyEnd - removed, removed, insert: new Uint8Array() };
  return editConsistently(damage.file, edit, lengthsOf(piece), damage.container);
}

function growPiece(damage: Damage): Uint8Array | undefined {
  const { file, container, random } = damage;
  const piece = anyPiece(damage);
  const from = random(file.length);
  const length = stepped(damage, 2 + random(30));
  const insert = random(2) ? new Uint8Array(length).fill(random(256)) : file.slice(from, from + length);
  const at = piece.bodyAt + random(piece.bodyEnd - piece.bodyAt + 1);
  return editConsistently(file, { at, removed: 0, insert }, lengthsOf(piece), container);
}

function deletePiece(damage: Damage): Uint8Array | undefined {
  const { at, end, outerLengths } = anyPiece(damage);
  const edit = { at, removed: end - at, insert: new Uint8Array() };
  return editConsistently(damage.file, edit, outerLengths, damage.container);
}

function repeatPiece(damage: Damage): Uint8Array | undefined {
  const { at, end, outerLengths } = anyPiece(damage);
  const edit = { at: end, removed: 0, insert: damage.file.slice(at, end) };
  return editConsistently(damage.file, edit, outerLengths, damage.container);
}

/** Of pieces that do not overlap; one may be in another parent. */
function swapPieces(damage: Damage): Uint8Array | undefined {
  const [first, second] = [anyPiece(damage), anyPiece(damage)].sort((one, other) => one.at - other.at) as [
    Piece,
    Piece,
  ];
  if (first.end > second.at) return undefined;
  const { file } = damage;
  return concat(
    file.subarray(0, first.at),
    file.subarray(second.at, second.end),
    file.subarray(first.end, second.at),
    file.subarray(first.at, first.end),
    file.subarray(second.end),
  );
}

function transplantPiece(damage: Damage): Uint8Array | undefined {
  const { file, other, container, random } = damage;
  const piece = anyPiece(damage);
  const donors = piecesOf(container, other).filter(({ name }) => name === piece.name);
  const donor = donors[random(donors.length)];
  if (!donor) return undefined;
  const insert = other.slice(donor.bodyAt, donor.bodyEnd);
  const edit = { at: piece.bodyAt, removed: piece.bodyEnd - piece.bodyAt, insert };
  return editConsistently(file, edit, lengthsOf(piece), container);
}

function splice(damage: Damage): Uint8Array | undefined {
  const { file, other, container, random } = damage;
  const donors = piecesOf(container, other);
  const at = random(2) ? anyPiece(damage).at : random(file.length);
  const donor = donors[random(donors.length)]!;
  const from = random(2) ? donor.at : Math.min(at, other.length - 1);
  return concat(file.subarray(0, at), other.subarray(from));
}

function cutNearPiece(damage: Damage): Uint8Array | undefined {
  const { at, end } = anyPiece(damage);
  const near = (damage.random(2) ? at : end) + damage.random(9) - 4;
  return damage.file.slice(0, Math.max(1, near));
}

/** As a tool does that repairs what it reads. */
function cutAndEnd(damage: Damage): Uint8Array | undefined {
  const { file, container, random } = damage;
  const { at, end } = anyPiece(damage);
  return concat(file.subarray(0, at + random(end - at)), container.end ?? new Uint8Array(random(400)));
}

function dropRange({ file, random }: Damage): Uint8Array | undefined {
  const from = random(file.length);
  return concat(file.subarray(0, from), file.subarray(from + 1 + random(Math.min(400, file.length))));
}

function appendBytes({ file, other, random }: Damage): Uint8Array | undefined {
  const tails = [new Uint8Array(1 + random(30)), new Uint8Array(2).fill(10), other, file.slice(random(file.length))];
  return concat(file, tails[random(tails.length)]!);
}
