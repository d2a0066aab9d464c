import { byteAt, uint32At, uintAt } from '../bytes.ts';
import { contentOf, findBox } from './boxes.ts';
import { type IsoImage, type IsoItem, readItemContent } from './image.ts';
import type { ItemLocation } from './locations.ts';

/** Items whose data are not all in the file, or that are not made of the parts they should be; undefined where all are. */
export function findItemFault(image: IsoImage): string | undefined {
  return findMissingData(image) ?? findWrongReference(image) ?? findWrongGrid(image);
}

/** Items that are pictures and have data of their own. */
const WITH_DATA: ReadonlySet<string> = new Set(['av01', 'hvc1', 'jpeg', 'grid', 'iovl']);

function findMissingData(image: IsoImage): string | undefined {
  const locations = new Map<number, ItemLocation>();
  for (const row of image.locations) if (!locations.has(row.id)) locations.set(row.id, row);
  const idat = contentOf(image.bytes, image.metaBoxes, 'idat')?.length ?? 0;
  const stores = [image.bytes.length, idat];
  for (const item of image.items.values()) {
    const location = locations.get(item.id);
    const fault = location ? findOutside(item, location, stores) : undefined;
    if (fault) return fault;
    const size = sizeOf(image, item);
    if (size && (size.width === 0 || size.height === 0))
      return `Expected pixels of ${nameOf(item)} but its size is ${size.width} x ${size.height}`;
    if (!location && WITH_DATA.has(item.type)) return `Expected data of ${nameOf(item)} but iloc has no row for it`;
  }
  return undefined;
}

function findOutside(item: IsoItem, { construction, extents }: ItemLocation, stores: readonly number[]) {
  const available = stores[construction];
  if (available === undefined) return undefined;
  let total = 0;
  for (const { offset, length } of extents) {
    // A length of 0 reaches to the end.
    const end = length === 0 ? available : offset + length;
    if (offset > available || end > available)
      return `Expected the data of ${nameOf(item)} within ${available} bytes but they reach to byte ${Math.max(offset, end)}`;
    total += end - offset;
  }
  if (total > 0 || !WITH_DATA.has(item.type)) return undefined;
  return `Expected data of ${nameOf(item)} but it has no byte of them`;
}

const nameOf = ({ id, type }: IsoItem) => `item ${id} (${type})`;

/** References without which the picture is not complete. */
const ESSENTIAL_REFERENCES: ReadonlySet<string> = new Set(['dimg', 'auxl', 'prem']);

function findWrongReference(image: IsoImage): string | undefined {
  const { items, references } = image;
  for (const { type, from, to } of references.filter((row) => ESSENTIAL_REFERENCES.has(row.type))) {
    const missing = [from, ...to].find((id) => !items.has(id));
    if (missing !== undefined) return `Expected items of this file in iref but a ${type} reference names ${missing}`;
  }
  return isNestedTooDeep(image)
    ? 'Expected items made of others but found some that are made of each other'
    : undefined;
}

// A grid of pictures that are themselves derived; no real file has more levels.
const MAX_LEVELS = 4;

function isNestedTooDeep({ references }: IsoImage): boolean {
  const parts = references.filter(({ type }) => type === 'dimg');
  let level = new Set(parts.map(({ from }) => from));
  for (let depth = 0; depth < MAX_LEVELS && level.size > 0; depth++)
    level = new Set(parts.flatMap(({ from, to }) => (level.has(from) ? to : [])));
  return level.size > 0;
}

function findWrongGrid(image: IsoImage): string | undefined {
  for (const item of image.items.values()) {
    const fault = item.type === 'grid' ? findGridFault(image, item) : undefined;
    if (fault) return fault;
  }
  return undefined;
}

function findGridFault(image: IsoImage, item: IsoItem): string | undefined {
  const grid = readGrid(image, item);
  if (!grid) return `Expected the layout of a grid in ${nameOf(item)} but it has too few bytes`;
  const tiles = tilesOf(image, item.id);
  const { columns, rows } = grid;
  if (tiles.length < columns * rows)
    return `Expected ${columns} x ${rows} tiles of ${nameOf(item)} but it refers to ${tiles.length}`;
  return findTileFault(image, grid, tiles.slice(0, columns * rows));
}

/** A grid of another size than its box says: decoders go by one of the two. */
export function findGridDoubt(image: IsoImage): string | undefined {
  for (const item of image.items.values()) {
    const [grid, size] = item.type === 'grid' ? [readGrid(image, item), sizeOf(image, item)] : [];
    if (grid && size && (size.width !== grid.width || size.height !== grid.height))
      return `its boxes say ${size.width} x ${size.height} pixels but the layout of its grid ${grid.width} x ${grid.height}`;
  }
  return undefined;
}

interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
}

function readGrid(image: IsoImage, { id }: IsoItem): Grid | undefined {
  const content = readItemContent(image, id);
  const sideLength = content && byteAt(content, 1) & 1 ? 4 : 2;
  if (!content || content.length < 4 + 2 * sideLength) return undefined;
  const [rows, columns] = [byteAt(content, 2) + 1, byteAt(content, 3) + 1];
  return { columns, rows, width: uintAt(content, 4, sideLength), height: uintAt(content, 4 + sideLength, sideLength) };
}

function tilesOf({ references, items }: IsoImage, id: number): IsoItem[] {
  return references
    .filter(({ type, from }) => type === 'dimg' && from === id)
    .flatMap(({ to }) => to.flatMap((tile) => items.get(tile) ?? []));
}

function findTileFault(image: IsoImage, { columns, rows, width, height }: Grid, tiles: readonly IsoItem[]) {
  const [first] = tiles;
  const tile = first && sizeOf(image, first);
  for (const one of tiles) {
    const size = sizeOf(image, one);
    if (!tile || !size || size.width !== tile.width || size.height !== tile.height)
      return `Expected tiles of one size but ${nameOf(one)} has another`;
  }
  const covers = (side: number, count: number, whole: number) => side * count >= whole && side * (count - 1) < whole;
  if (!tile || (covers(tile.width, columns, width) && covers(tile.height, rows, height))) return undefined;
  return `Expected ${columns} x ${rows} tiles to cover ${width} x ${height} pixels but each has ${tile.width} x ${tile.height}`;
}

/** In pixels, as `ispe` says. */
export function sizeOf({ bytes }: IsoImage, { properties }: IsoItem): { width: number; height: number } | undefined {
  const box = findBox(properties, 'ispe');
  if (!box || box.end - box.from < 12) return undefined;
  return { width: uint32At(bytes, box.from + 4), height: uint32At(bytes, box.from + 8) };
}
