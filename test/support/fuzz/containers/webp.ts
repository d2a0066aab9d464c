import { type Container, fieldsOf, type NumberField, type Piece } from '../piece.ts';

/** RIFF chunks, also those within the frames of an animation. */
export const WEBP: Container = {
  pieces: (file) => chunks(file, 12, file.length, [{ name: 'RIFF', at: 4, size: 4, littleEndian: true }]),
  fields: (_file, pieces) => [
    { name: 'RIFF.length', at: 4, size: 4, littleEndian: true },
    ...fieldsOf(pieces, FIELDS, true),
  ],
  step: 2,
};

const FIELDS = {
  VP8X: [
    ['flags', 0, 1],
    ['width', 4, 3],
    ['height', 7, 3],
  ],
  'VP8 ': [
    ['firstPartition', 0, 3],
    ['startCode', 3, 3],
    ['width', 6, 2],
    ['height', 8, 2],
    ['segments', 10, 1],
    ['filters', 11, 2],
  ],
  VP8L: [
    ['signature', 0, 1],
    ['size', 1, 4],
    ['transforms', 5, 2],
  ],
  ALPH: [['method', 0, 1]],
  ANIM: [
    ['background', 0, 4],
    ['loops', 4, 2],
  ],
  ANMF: [
    ['x', 0, 3],
    ['y', 3, 3],
    ['width', 6, 3],
    ['height', 9, 3],
    ['duration', 12, 3],
    ['flags', 15, 1],
  ],
} as const;

function chunks(file: Uint8Array, from: number, to: number, outerLengths: readonly NumberField[]): Piece[] {
  const pieces: Piece[] = [];
  for (let at = from; at + 8 <= to; ) {
    const name = Buffer.from(file.subarray(at, at + 4)).toString('latin1');
    const size = Buffer.from(file.subarray(at + 4, at + 8)).readUInt32LE();
    const length = { name: `${name}.length`, at: at + 4, size: 4, littleEndian: true };
    const [bodyAt, bodyEnd] = [at + 8, at + 8 + size];
    const end = bodyEnd + (size % 2);
    if (bodyEnd > to) break;
    pieces.push({ name, at, bodyAt, bodyEnd, end, length, outerLengths });
    if (name === 'ANMF') pieces.push(...chunks(file, bodyAt + 16, bodyEnd, [...outerLengths, length]));
    at = end;
  }
  return pieces;
}
