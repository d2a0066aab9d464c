import { byteAt, uint16At } from '../bytes.ts';
import type { Jpeg } from './segments.ts';

/** What quality a JPEG was written at, read from its quantisation tables. */

const DQT = 0xdb;

// At quality 50, in zigzag order as in the file. Annex K of the JPEG standard, which libjpeg and nearly everybody scale by their quality.
const LIBJPEG = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];

// mozjpeg's default. With its trellis quantisation 74 looks like libjpeg's 70.
const MOZJPEG = [
  16, 16, 16, 16, 17, 16, 18, 20, 20, 18, 25, 27, 24, 27, 25, 37, 34, 31, 31, 34, 37, 56, 40, 43, 40, 43, 40, 56, 85,
  53, 62, 53, 53, 62, 53, 85, 75, 91, 74, 69, 74, 91, 75, 135, 106, 94, 94, 106, 135, 156, 131, 124, 131, 156, 189, 169,
  169, 189, 238, 226, 238, 311, 311, 418,
];

const MOZJPEG_OFFSET = -4;

const QUALITIES = Array.from({ length: 100 }, (_, index) => index + 1);

/** On libjpeg's scale, 1 to 100; undefined without a usable table. For foreign tables the nearest of libjpeg's. */
export function estimateSourceQuality(tables: readonly (readonly number[])[]): number | undefined {
  const table = tables[0];
  if (table?.length !== 64 || table.some((step) => step < 1)) return undefined;
  return WELL_KNOWN.get(table.join()) ?? nearestOfLibjpeg(table);
}

/** What nearly every JPEG has, by its steps; where two qualities share a table, the higher. */
const WELL_KNOWN: ReadonlyMap<string, number> = new Map([
  ...QUALITIES.map((quality) => [scaled(MOZJPEG, quality).join(), Math.max(1, quality + MOZJPEG_OFFSET)] as const),
  ...QUALITIES.map((quality) => [scaled(LIBJPEG, quality).join(), quality] as const),
]);

function nearestOfLibjpeg(table: readonly number[]): number {
  const logarithms = table.map(Math.log);
  const distances = LOGARITHMS.map((base) => distanceBetween(logarithms, base));
  return distances.lastIndexOf(Math.min(...distances)) + 1;
}

const LOGARITHMS = QUALITIES.map((quality) => scaled(LIBJPEG, quality).map(Math.log));

/** The low frequencies decide how a picture looks, and foreign tables differ most in the high ones. */
function distanceBetween(table: readonly number[], base: readonly number[]): number {
  return table.reduce((sum, step, index) => sum + Math.abs(step - (base[index] ?? 0)) / (1 + index / 4), 0);
}

function scaled(steps: readonly number[], quality: number): number[] {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - quality * 2;
  return steps.map((step) => Math.min(255, Math.max(1, Math.floor((step * scale + 50) / 100))));
}

/** The quantisation tables, 64 numbers each in zigzag order, that luma and then chroma use. */
export function quantisationTables(jpeg: Jpeg): number[][] {
  const tables = new Map<number, number[]>();
  for (const { marker, payload } of jpeg.segments) {
    if (marker === DQT) for (const [id, table] of readTables(payload)) tables.set(id, table);
  }
  const used = new Set(jpeg.frame.components.map(({ table }) => table));
  return [...used].flatMap((id) => [tables.get(id)].filter((table) => table !== undefined));
}

function readTables(payload: Uint8Array): [id: number, table: number[]][] {
  const tables: [number, number[]][] = [];
  for (let at = 0; at < payload.length; ) {
    const head = byteAt(payload, at);
    const isWide = head >> 4 !== 0;
    const values = payload.subarray(at + 1, at + 1 + (isWide ? 128 : 64));
    if (values.length < (isWide ? 128 : 64)) break;
    const table = isWide ? Array.from({ length: 64 }, (_, index) => uint16At(values, index * 2)) : [...values];
    tables.push([head & 15, table]);
    at += 1 + values.length;
  }
  return tables;
}
