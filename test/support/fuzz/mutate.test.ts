import { PNG } from 'pngjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { FORMATS } from '../../../src/codec/formats.ts';
import { CONTAINERS, FUZZ_FORMATS, mutate, randomOf } from './mutate.ts';
import { MUTATIONS } from './mutations.ts';
import { type Container, editConsistently } from './piece.ts';
import { makeSeedFiles, type SeedFile } from './seed-files.ts';

let files: readonly SeedFile[] = [];

beforeAll(async () => {
  files = await makeSeedFiles();
});

describe('mutate', () => {
  it('gives the same file for the same seed and number, and another for another', () => {
    const [file] = files as [SeedFile];
    const make = (seed: number, number: number) =>
      mutate(file.format, file.bytes, file.bytes, randomOf(seed, number)).bytes;
    expect(make(3, 4)).toEqual(make(3, 4));
    expect(make(3, 4)).not.toEqual(make(3, 5));
    expect(make(3, 4)).not.toEqual(make(4, 4));
  });

  it.each(FUZZ_FORMATS)('damages a %s in every way there is, and always changes it', (format) => {
    const mutations = new Set<string>();
    const own = (CONTAINERS[format] as Container).own ?? [];
    for (let number = 0; number < 1500; number++) {
      const { bytes, other } = pairOf(format, number);
      const mutant = mutate(format, bytes, other, randomOf(1, number));
      expect(Buffer.compare(mutant.bytes, bytes)).not.toBe(0);
      for (const name of mutant.mutations) mutations.add(name);
    }
    expect([...mutations]).toEqual(expect.arrayContaining(own.map(({ name }) => name)));
    expect(mutations.size).toBeGreaterThanOrEqual(MUTATIONS.length + own.length);
  });

  it('does not change the file it is given', () => {
    for (const { format, bytes } of files) {
      const before = bytes.slice();
      for (let number = 0; number < 100; number++) mutate(format, bytes, bytes, randomOf(2, number));
      expect(bytes).toEqual(before);
    }
  });
});

function pairOf(format: string, number: number): { bytes: Uint8Array; other: Uint8Array } {
  const same = files.filter((file) => file.format === format);
  return { bytes: same[number % same.length]!.bytes, other: same[(number + 1) % same.length]!.bytes };
}

describe('pieces', () => {
  it('are found in every seed file, within its bounds and in their parents', () => {
    for (const { name, format, bytes } of files) {
      const pieces = CONTAINERS[format].pieces(bytes);
      expect(pieces.length, name).toBeGreaterThan(0);
      for (const { at, bodyAt, bodyEnd, end } of pieces) {
        expect([at, bodyAt, bodyEnd, end], name).toEqual(
          [at, bodyAt, bodyEnd, end].toSorted((one, other) => one - other),
        );
        expect(end, name).toBeLessThanOrEqual(bytes.length);
      }
      expect(FORMATS[format].sniff(bytes), name).toBe(true);
    }
  });
});

describe('a consistent edit', () => {
  it.each(['avif', 'tiff'] as const)('of a %s moves the positions that are behind it', (format) => {
    for (const { name, bytes } of files.filter((file) => file.format === format)) {
      const container: Container = CONTAINERS[format];
      const dataOf = (file: Uint8Array) =>
        container
          .pieces(file)
          .filter((piece) => piece.name === 'extent' || piece.name === 'strip')
          .map(({ at, end }) => file.slice(at, end));
      const data = container.pieces(bytes).find((piece) => piece.name === 'extent' || piece.name === 'strip');
      const edit = { at: data?.at ?? 0, removed: 0, insert: new Uint8Array(12) };
      const edited = editConsistently(bytes, edit, data?.outerLengths ?? [], container);
      expect(data, name).toBeDefined();
      expect(dataOf(edited), name).toEqual(dataOf(bytes));
    }
  });

  it('of a PNG chunk corrects its length and its checksum', () => {
    const { bytes } = files.find(({ name }) => name === 'png/rgb')!;
    const text = CONTAINERS.png.pieces(bytes).find(({ name }) => name === 'tEXt')!;
    const edit = { at: text.bodyEnd, removed: 0, insert: new Uint8Array(5).fill(65) };
    const edited = editConsistently(bytes, edit, [text.length!], CONTAINERS.png);
    expect(PNG.sync.read(Buffer.from(edited)).data).toEqual(PNG.sync.read(Buffer.from(bytes)).data);
  });
});
