import { concat } from '../fixtures/bytes.ts';

/** A number in a file: where it stands and how it is written. */
export interface NumberField {
  readonly name: string;
  readonly at: number;
  readonly size: number;
  readonly littleEndian?: boolean;
}

/** A part that the format delimits: a segment, chunk, block, box, directory entry or strip. Pieces may be nested. */
export interface Piece {
  readonly name: string;
  readonly at: number;
  readonly end: number;
  readonly bodyAt: number;
  readonly bodyEnd: number;
  /** The length that counts its body. */
  readonly length?: NumberField;
  /** The lengths of the pieces around it, which count the whole piece. */
  readonly outerLengths: readonly NumberField[];
}

/** What the mutators have to know about a container format. */
export interface Container {
  pieces(file: Uint8Array): Piece[];
  /** Numbers that decide how the rest is read: sizes, depths, table numbers. */
  fields(file: Uint8Array, pieces: readonly Piece[]): NumberField[];
  /** Numbers that are positions in the file. */
  offsets?(file: Uint8Array): NumberField[];
  /** The file with all its checksums computed again. */
  withChecksums?(file: Uint8Array): Uint8Array;
  /** What every file ends with. */
  readonly end?: Uint8Array;
  /** The length of a body is a multiple of it. */
  readonly step?: number;
  /** Damage that no other format knows. */
  readonly own?: readonly OwnMutation[];
}

export interface OwnMutation {
  readonly name: string;
  /** The damaged file; undefined where this cannot be done to it. */
  apply(subject: Subject): Uint8Array | undefined;
}

/** A file to be damaged. */
export interface Subject {
  readonly file: Uint8Array;
  readonly pieces: readonly Piece[];
  readonly random: Random;
}

/** A number from 0 to below `limit`. */
export type Random = (limit: number) => number;

/** `removed` bytes at `at` replaced by `insert`. */
export interface Edit {
  readonly at: number;
  readonly removed: number;
  readonly insert: Uint8Array;
}

export function readField(file: Uint8Array, { at, size, littleEndian }: NumberField): number {
  const bytes = file.subarray(at, at + size);
  const ordered = littleEndian ? bytes.toReversed() : bytes;
  return ordered.reduce((value, byte) => value * 256 + byte, 0);
}

/** Changes `file`. What does not fit is cut off, as a program that writes such a file would do. */
export function writeField(file: Uint8Array, { at, size, littleEndian }: NumberField, value: number): void {
  let rest = value < 0 ? value + 256 ** size : value;
  for (let index = 0; index < size; index++) {
    const place = littleEndian ? at + index : at + size - 1 - index;
    if (place < file.length) file[place] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** The edited file, with these lengths, all offsets behind the edit and all checksums made right again. */
export function editConsistently(
  file: Uint8Array,
  edit: Edit,
  lengths: readonly NumberField[],
  container: Container,
): Uint8Array {
  const grown = edit.insert.length - edit.removed;
  const fixed = file.slice();
  for (const field of lengths) writeField(fixed, field, readField(fixed, field) + grown);
  for (const field of container.offsets?.(file) ?? []) {
    const value = readField(file, field);
    if (value >= edit.at + edit.removed) writeField(fixed, field, value + grown);
  }
  const edited = editBytes(fixed, edit);
  return container.withChecksums?.(edited) ?? edited;
}

export function editBytes(file: Uint8Array, { at, removed, insert }: Edit): Uint8Array {
  return concat(file.subarray(0, at), insert, file.subarray(at + removed));
}

/** The fields that a table names by piece: name, distance from the start of the body, size. */
export function fieldsOf(
  pieces: readonly Piece[],
  table: Readonly<Record<string, readonly (readonly [string, number, number])[]>>,
  littleEndian = false,
): NumberField[] {
  return pieces.flatMap((piece) =>
    (table[piece.name] ?? [])
      .map(([name, distance, size]) => ({
        name: `${piece.name}.${name}`,
        at: piece.bodyAt + distance,
        size,
        littleEndian,
      }))
      .filter((field) => field.at + field.size <= piece.bodyEnd),
  );
}

/** Of a file that is beyond parsing the whole is one piece. */
export function piecesOf(container: Container, file: Uint8Array): Piece[] {
  const pieces = orUndefined(() => container.pieces(file).filter(({ bodyAt, bodyEnd }) => bodyEnd >= bodyAt)) ?? [];
  if (pieces.length > 0) return pieces;
  return [{ name: 'file', at: 0, bodyAt: 0, bodyEnd: file.length, end: file.length, outerLengths: [] }];
}

/** A mutation of a file that was damaged before may fail. */
export function orUndefined<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
