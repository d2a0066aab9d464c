import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { ascii, concat, uint32 } from '../../fixtures/bytes.ts';
import { pngChunk } from '../../fixtures/png.ts';
import { type Container, fieldsOf, type OwnMutation, type Piece, type Random, type Subject } from '../piece.ts';

/** Chunks. */
export const PNG: Container = {
  pieces: pngPieces,
  fields: (_file, pieces) => fieldsOf(pieces, FIELDS),
  withChecksums,
  end: pngChunk('IEND'),
  own: [
    { name: 'store fewer rows', apply: withRows((rows, random) => rows.subarray(0, random(rows.length))) },
    { name: 'store more rows', apply: withRows((rows, random) => concat(rows, new Uint8Array(1 + random(400)))) },
    { name: 'set a byte of the rows', apply: withRows(setByte) },
    { name: 'break the checksum of the pixels', apply: breakAdler },
    { name: 'split IDAT around another chunk', apply: splitData },
  ],
};

const FRAME = ['sequence', 'width', 'height', 'x', 'y'].map((name, index) => [name, index * 4, 4] as const);

const FIELDS = {
  IHDR: [
    ['width', 0, 4],
    ['height', 4, 4],
    ['depth', 8, 1],
    ['colourType', 9, 1],
    ['compression', 10, 1],
    ['filter', 11, 1],
    ['interlace', 12, 1],
  ],
  acTL: [
    ['frames', 0, 4],
    ['plays', 4, 4],
  ],
  fcTL: [...FRAME, ['dispose', 24, 1], ['blend', 25, 1]],
  fdAT: [['sequence', 0, 4]],
  IDAT: [['zlib', 0, 2]],
} as const;

function pngPieces(file: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 8; at + 12 <= file.length; ) {
    const size = Buffer.from(file.buffer, file.byteOffset + at, 4).readUInt32BE();
    const name = Buffer.from(file.subarray(at + 4, at + 8)).toString('latin1');
    const length = { name: 'length', at, size: 4 };
    pieces.push({ name, at, bodyAt: at + 8, bodyEnd: at + 8 + size, end: at + 12 + size, length, outerLengths: [] });
    at += 12 + size;
  }
  return pieces.filter(({ end }) => end <= file.length);
}

function withChecksums(file: Uint8Array): Uint8Array {
  const fixed = file.slice();
  for (const { at, bodyEnd } of pngPieces(file)) fixed.set(uint32(crc32(file.subarray(at + 4, bodyEnd))), bodyEnd);
  return fixed;
}

/** The pixels inflated, changed, and deflated again into one chunk. */
function withRows(change: (rows: Uint8Array, random: Random) => Uint8Array): OwnMutation['apply'] {
  return ({ file, pieces, random }) => {
    const data = pieces.filter(({ name }) => name === 'IDAT');
    const [first, last] = [data[0], data.at(-1)];
    if (!first || !last) return undefined;
    const rows = inflateSync(concat(...data.map(({ bodyAt, bodyEnd }) => file.subarray(bodyAt, bodyEnd))));
    const chunk = pngChunk('IDAT', deflateSync(change(rows, random), { level: 1 }));
    return concat(file.subarray(0, first.at), chunk, file.subarray(last.end));
  };
}

/** Where it hits the start of a row it is an unknown filter. */
function setByte(rows: Uint8Array, random: Random): Uint8Array {
  const height = 1 + random(64);
  const rowLength = Math.max(1, Math.floor(rows.length / height));
  return rows.slice().fill(random(256), rowLength * random(height), rowLength * random(height) + 1);
}

function breakAdler({ file, pieces, random }: Subject): Uint8Array | undefined {
  const last = pieces.findLast(({ name, bodyAt, bodyEnd }) => name === 'IDAT' && bodyEnd - bodyAt >= 4);
  if (!last) return undefined;
  const changed = file.slice();
  changed[last.bodyEnd - 1 - random(4)]! ^= 1 << random(8);
  return withChecksums(changed);
}

function splitData({ file, pieces, random }: Subject): Uint8Array | undefined {
  const data = pieces.find(({ name }) => name === 'IDAT');
  if (!data) return undefined;
  const at = data.bodyAt + random(data.bodyEnd - data.bodyAt);
  const between = [pngChunk('tEXt', ascii('Comment\0between')), pngChunk('IDAT'), new Uint8Array()][random(3)]!;
  return concat(
    file.subarray(0, data.at),
    pngChunk('IDAT', file.subarray(data.bodyAt, at)),
    between,
    pngChunk('IDAT', file.subarray(at, data.bodyEnd)),
    file.subarray(data.end),
  );
}
