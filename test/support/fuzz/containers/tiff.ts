import { type Container, type NumberField, type Piece, readField, type Subject, writeField } from '../piece.ts';

/** Directory entries, and the strips or tiles that they point at. Classic TIFF and BigTIFF in both byte orders. */
export const TIFF: Container = {
  pieces: (file) => {
    const directories = readDirectories(file);
    return directories.flatMap((directory) => [...directory.entries.map(entryPiece), ...dataPieces(file, directory)]);
  },
  fields: (file) =>
    readDirectories(file).flatMap((directory) => [
      directory.next,
      ...directory.entries.flatMap(({ tag, type, count, value }) => [tag, type, count, value, value]),
      ...arrayFields(file, directory, OFFSET_TAGS),
      ...arrayFields(file, directory, LENGTH_TAGS),
    ]),
  offsets: (file) => [
    firstPointer(file),
    ...readDirectories(file).flatMap((directory) => [
      directory.next,
      ...directory.entries.filter((entry) => isOutside(file, entry)).map(({ value }) => value),
      ...arrayFields(file, directory, OFFSET_TAGS),
    ]),
  ],
  own: [
    { name: 'point a directory back at the first', apply: makeCycle },
    { name: 'swap two strips', apply: swapStrips },
  ],
};

const OFFSET_TAGS = [273, 324];
const LENGTH_TAGS = [279, 325];
const TYPE_SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const MAX_DIRECTORIES = 20;

interface Entry {
  readonly at: number;
  readonly length: number;
  readonly tag: NumberField;
  readonly type: NumberField;
  readonly count: NumberField;
  readonly value: NumberField;
}

interface Directory {
  readonly entries: readonly Entry[];
  readonly next: NumberField;
}

function layoutOf(file: Uint8Array) {
  const littleEndian = file[0] === 0x49;
  const isBig = file[littleEndian ? 2 : 3] === 43;
  const field = (name: string, at: number, size: number): NumberField => ({ name, at, size, littleEndian });
  return { isBig, field, countSize: isBig ? 8 : 2, entrySize: isBig ? 20 : 12, pointerSize: isBig ? 8 : 4 };
}

function firstPointer(file: Uint8Array): NumberField {
  const { isBig, field, pointerSize } = layoutOf(file);
  return field('firstDirectory', isBig ? 8 : 4, pointerSize);
}

function readDirectories(file: Uint8Array): Directory[] {
  const { field, countSize, entrySize, pointerSize } = layoutOf(file);
  const directories: Directory[] = [];
  let pointer = firstPointer(file);
  while (directories.length < MAX_DIRECTORIES) {
    const at = readField(file, pointer);
    const count = readField(file, field('', at, countSize));
    const end = at + countSize + count * entrySize;
    if (at === 0 || end + pointerSize > file.length) break;
    const entries = Array.from({ length: count }, (_, index) => readEntry(file, at + countSize + index * entrySize));
    pointer = field('nextDirectory', end, pointerSize);
    directories.push({ entries, next: pointer });
  }
  return directories;
}

function readEntry(file: Uint8Array, at: number): Entry {
  const { field, entrySize, pointerSize } = layoutOf(file);
  const name = `tag${readField(file, field('', at, 2))}`;
  return {
    at,
    length: entrySize,
    tag: field(`${name}.tag`, at, 2),
    type: field(`${name}.type`, at + 2, 2),
    count: field(`${name}.count`, at + 4, pointerSize),
    value: field(`${name}.value`, at + 4 + pointerSize, pointerSize),
  };
}

function entryPiece({ at, length, tag }: Entry): Piece {
  return { name: tag.name, at, bodyAt: at, bodyEnd: at + length, end: at + length, outerLengths: [] };
}

function isOutside(file: Uint8Array, { type, count, value }: Entry): boolean {
  return (TYPE_SIZES[readField(file, type)] ?? 1) * readField(file, count) > value.size;
}

/** The numbers of an array of offsets or lengths, which stand in its entry where they fit. */
function arrayFields(file: Uint8Array, { entries }: Directory, tags: readonly number[]): NumberField[] {
  const entry = entries.find(({ tag }) => tags.includes(readField(file, tag)));
  if (!entry) return [];
  const size = TYPE_SIZES[readField(file, entry.type)] ?? 0;
  const from = isOutside(file, entry) ? readField(file, entry.value) : entry.value.at;
  const count = Math.min(readField(file, entry.count), 10_000);
  const fields = Array.from({ length: size ? count : 0 }, (_, index) => ({
    name: `${entry.tag.name}[]`,
    at: from + index * size,
    size,
    littleEndian: entry.tag.littleEndian ?? false,
  }));
  return fields.filter(({ at }) => at + size <= file.length);
}

function dataPieces(file: Uint8Array, directory: Directory): Piece[] {
  const lengths = arrayFields(file, directory, LENGTH_TAGS);
  return arrayFields(file, directory, OFFSET_TAGS).flatMap((offset, index) => {
    const length = lengths[index];
    const at = readField(file, offset);
    const end = at + (length ? readField(file, length) : 0);
    if (!length || end > file.length) return [];
    return [{ name: 'strip', at, bodyAt: at, bodyEnd: end, end, length, outerLengths: [] }];
  });
}

function makeCycle({ file, random }: Subject): Uint8Array | undefined {
  const directories = readDirectories(file);
  const from = directories[random(directories.length)];
  if (!from) return undefined;
  const changed = file.slice();
  writeField(changed, from.next, readField(file, firstPointer(file)));
  return changed;
}

function swapStrips({ file, random }: Subject): Uint8Array | undefined {
  const offsets = readDirectories(file).flatMap((directory) => arrayFields(file, directory, OFFSET_TAGS));
  const [one, other] = [offsets[random(offsets.length)], offsets[random(offsets.length)]];
  if (!one || !other || one === other) return undefined;
  const changed = file.slice();
  writeField(changed, one, readField(file, other));
  writeField(changed, other, readField(file, one));
  return changed;
}
