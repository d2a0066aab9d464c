import { concat } from '../../fixtures/bytes.ts';
import { type Container, fieldsOf, type NumberField, type Piece, type Subject } from '../piece.ts';

/** Segments, and the coded data between restart markers. */
export const JPEG: Container = {
  pieces: jpegPieces,
  fields: (file, pieces) => [...fieldsOf(pieces, FIELDS), ...componentFields(file, pieces)],
  end: new Uint8Array([0xff, 0xd9]),
  own: [
    { name: 'renumber a restart marker', apply: renumberRestart },
    { name: 'leave out a restart marker', apply: dropRestart },
    { name: 'put a marker into the coded data', apply: insertMarker },
    { name: 'leave out a scan', apply: dropScan },
  ],
};

const FIELDS = {
  SOF: [
    ['precision', 0, 1],
    ['height', 1, 2],
    ['width', 3, 2],
    ['components', 5, 1],
  ],
  DRI: [['interval', 0, 2]],
  DQT: [['table', 0, 1]],
  DHT: [['table', 0, 1], ...Array.from({ length: 16 }, (_, index) => [`count${index + 1}`, index + 1, 1] as const)],
  SOS: [['components', 0, 1]],
  APP14: [['transform', 11, 1]],
} as const;

function jpegPieces(file: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 2; at + 4 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1]!;
    if (marker === 0xd9) break;
    const end = at + 2 + file[at + 2]! * 256 + file[at + 3]!;
    const length = { name: 'length', at: at + 2, size: 2 };
    pieces.push({ name: nameOf(marker), at, bodyAt: at + 4, bodyEnd: end, end, length, outerLengths: [] });
    at = marker === 0xda ? addIntervals(file, end, pieces) : end;
  }
  return pieces.filter(({ end }) => end <= file.length);
}

function nameOf(marker: number): string {
  if (marker >= 0xe0 && marker <= 0xef) return `APP${marker - 0xe0}`;
  return NAMES.get(marker) ?? (marker >= 0xc0 && marker <= 0xcf ? 'SOF' : `0x${marker.toString(16)}`);
}

const NAMES = new Map([
  [0xc4, 'DHT'],
  [0xcc, 'DAC'],
  [0xda, 'SOS'],
  [0xdb, 'DQT'],
  [0xdc, 'DNL'],
  [0xdd, 'DRI'],
  [0xfe, 'COM'],
]);

/** One piece for each restart interval; returns where the next segment begins. */
function addIntervals(file: Uint8Array, from: number, pieces: Piece[]): number {
  for (let at = from, start = from; ; at++) {
    const marker = file[at] === 0xff ? file[at + 1]! : 0;
    const isRestart = marker >= 0xd0 && marker <= 0xd7;
    if (at < file.length && !isRestart && (marker === 0 || marker === 0xff)) continue;
    pieces.push({
      name: 'coded',
      at: start,
      bodyAt: start,
      bodyEnd: at,
      end: isRestart ? at + 2 : at,
      outerLengths: [],
    });
    if (!isRestart) return at;
    start = at + 2;
    at++;
  }
}

/** Id, sampling and table of each component in SOF; tables and spectral selection in SOS. */
function componentFields(file: Uint8Array, pieces: readonly Piece[]): NumberField[] {
  return pieces.flatMap(({ name, bodyAt, bodyEnd }) => {
    const from = name === 'SOF' ? 6 : 1;
    if (name !== 'SOF' && name !== 'SOS') return [];
    const places = Array.from({ length: Math.max(0, bodyEnd - bodyAt - from) }, (_, index) => bodyAt + from + index);
    return places.filter((at) => at < file.length).map((at) => ({ name: `${name}.component`, at, size: 1 }));
  });
}

const isRestarted = (file: Uint8Array) => (piece: Piece) =>
  piece.end === piece.bodyEnd + 2 && file[piece.bodyEnd] === 0xff;

function renumberRestart({ file, pieces, random }: Subject): Uint8Array | undefined {
  const intervals = pieces.filter(isRestarted(file));
  const interval = intervals[random(intervals.length)];
  if (!interval) return undefined;
  const changed = file.slice();
  changed[interval.bodyEnd + 1] = 0xd0 + random(8);
  return changed;
}

function dropRestart({ file, pieces, random }: Subject): Uint8Array | undefined {
  const intervals = pieces.filter(isRestarted(file));
  const interval = intervals[random(intervals.length)];
  return interval && concat(file.subarray(0, interval.bodyEnd), file.subarray(interval.end));
}

function insertMarker({ file, pieces, random }: Subject): Uint8Array | undefined {
  const coded = pieces.filter(({ name }) => name === 'coded');
  const { bodyAt = 0, bodyEnd = 0 } = coded[random(coded.length)] ?? {};
  const at = bodyAt + random(bodyEnd - bodyAt + 1);
  const marker = [0xd0 + random(8), 0xd9, 0xc4, 0xda, 0xff, 0x01][random(6)]!;
  return concat(file.subarray(0, at), [0xff, marker], file.subarray(at));
}

function dropScan({ file, pieces, random }: Subject): Uint8Array | undefined {
  const scans = pieces.flatMap(({ name }, index) => (name === 'SOS' ? [index] : []));
  const from = scans[random(scans.length)];
  if (from === undefined || scans.length < 2) return undefined;
  const after = pieces.slice(from + 1).find(({ name }) => name !== 'coded');
  return concat(file.subarray(0, pieces[from]!.at), file.subarray(after?.at ?? file.length - 2));
}
