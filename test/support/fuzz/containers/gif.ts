import { concat } from '../../fixtures/bytes.ts';
import { type Container, fieldsOf, type NumberField, type Piece, type Subject } from '../piece.ts';

/** Header, palettes, extensions, frames and their coded data. */
export const GIF: Container = {
  pieces: gifPieces,
  fields: (file, pieces) => [...fieldsOf(pieces, FIELDS, true), ...blockLengths(file, pieces)],
  end: new Uint8Array([0x3b]),
  own: [{ name: 'change the coded data, in blocks of other lengths', apply: changeCodes }],
};

const FIELDS = {
  screen: [
    ['width', 6, 2],
    ['height', 8, 2],
    ['flags', 10, 1],
    ['background', 11, 1],
  ],
  frame: [
    ['left', 1, 2],
    ['top', 3, 2],
    ['width', 5, 2],
    ['height', 7, 2],
    ['flags', 9, 1],
  ],
  coded: [['minimumCodeSize', 0, 1]],
  extension: [
    ['label', 1, 1],
    ['flags', 3, 1],
    ['delay', 4, 2],
    ['transparent', 6, 1],
  ],
} as const;

function gifPieces(file: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  const add = (name: string, at: number, end: number) => {
    if (end > at) pieces.push({ name, at, bodyAt: at, bodyEnd: end, end, outerLengths: [] });
    return end;
  };
  let at = add('screen', 0, 13);
  at = add('palette', at, at + paletteLength(file[10]!));
  while (at < file.length && file[at] !== 0x3b) {
    if (file[at] === 0x21) at = add('extension', at, endOfBlocks(file, at + 2));
    else if (file[at] === 0x2c) {
      const flags = file[at + 9]!;
      at = add('frame', at, at + 10);
      at = add('palette', at, at + paletteLength(flags));
      at = add('coded', at, endOfBlocks(file, at + 1));
    } else break;
  }
  return pieces.filter(({ end }) => end <= file.length);
}

const paletteLength = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

function endOfBlocks(file: Uint8Array, from: number): number {
  let at = from;
  while (at < file.length && file[at] !== 0) at += 1 + file[at]!;
  return at + 1;
}

function blockLengths(file: Uint8Array, pieces: readonly Piece[]): NumberField[] {
  const fields: NumberField[] = [];
  for (const { name, bodyAt, bodyEnd } of pieces) {
    if (name !== 'coded') continue;
    for (let at = bodyAt + 1; at < bodyEnd; at += 1 + file[at]!) fields.push({ name: 'blockLength', at, size: 1 });
  }
  return fields;
}

/** Bits flipped, codes left out or added, without breaking the chain of blocks. */
function changeCodes({ file, pieces, random }: Subject): Uint8Array | undefined {
  const frames = pieces.filter(({ name }) => name === 'coded');
  const frame = frames[random(frames.length)];
  if (!frame) return undefined;
  const codes = codesOf(file, frame);
  const at = random(codes.length);
  const kind = random(4);
  if (kind === 0) codes[at]! ^= 1 << random(8);
  const changed = [codes, codes.subarray(0, at), concat(codes, new Uint8Array(1 + random(20))), cutOut(codes, at)][
    kind
  ]!;
  const blocks = blocksOf(changed, 1 + random(255));
  return concat(file.subarray(0, frame.at + 1), blocks, file.subarray(frame.end));
}

const cutOut = (codes: Uint8Array, at: number) => concat(codes.subarray(0, at), codes.subarray(at + 3));

function codesOf(file: Uint8Array, { bodyAt, bodyEnd }: Piece): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = bodyAt + 1; at < bodyEnd; at += 1 + file[at]!) parts.push(file.subarray(at + 1, at + 1 + file[at]!));
  return concat(...parts);
}

function blocksOf(codes: Uint8Array, length: number): Uint8Array {
  const parts: (Uint8Array | number[])[] = [];
  for (let at = 0; at < codes.length; at += length) {
    const block = codes.subarray(at, at + length);
    parts.push([block.length], block);
  }
  return concat(...parts, [0]);
}
