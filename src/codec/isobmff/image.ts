import { byteAt, joinAll, textAt, uint16At, uintAt } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';
import { childrenOf, contentOf, findBox, type IsoBox, MAX_BOXES, readBoxes, readBrands } from './boxes.ts';
import { type ItemLocation, readLocations } from './locations.ts';

/** A picture of AVIF and HEIF, or what belongs to one; described in the `meta` box. */
export interface IsoItem {
  readonly id: number;
  readonly type: string;
  readonly contentType: string;
  /** Not to be shown by itself: a tile, a thumbnail, a mask. */
  readonly hidden: boolean;
  /** Properties in the order they apply. */
  readonly properties: readonly IsoBox[];
}

export interface IsoImage {
  readonly bytes: Uint8Array;
  readonly brands: readonly string[];
  readonly boxes: readonly IsoBox[];
  readonly meta: IsoBox;
  readonly metaBoxes: readonly IsoBox[];
  readonly primary: IsoItem;
  readonly items: ReadonlyMap<number, IsoItem>;
  readonly references: readonly {
    readonly type: string;
    readonly from: number;
    readonly to: readonly number[];
  }[];
  readonly locations: readonly ItemLocation[];
  /** All rows of `iloc` are there that it says it has. */
  readonly hasAllLocations: boolean;
}

/** Throws CorruptImageError when there is no readable `meta` box with a primary item. */
export function readIsoImage(bytes: Uint8Array): IsoImage {
  const boxes = readBoxes(bytes, 0, bytes.length);
  const meta = findBox(boxes, 'meta');
  if (!meta) throw corruptHeader('AVIF or HEIF', 'no meta box', bytes.length);
  const metaBoxes = readBoxes(bytes, meta.from + 4, meta.end);
  const items = readItems(bytes, metaBoxes);
  const pitm = contentOf(bytes, metaBoxes, 'pitm');
  const primary = pitm && pitm.length >= 6 && items.get(uintAt(pitm, 4, pitm[0] === 0 ? 2 : 4));
  if (!primary) throw corruptHeader('AVIF or HEIF', 'no primary item', meta.at);
  const [brands, references] = [readBrands(bytes), readReferences(bytes, metaBoxes)];
  const { rows: locations, isWhole: hasAllLocations } = readLocations(bytes, findBox(metaBoxes, 'iloc'));
  return { bytes, brands, boxes, meta, metaBoxes, primary, items, references, locations, hasAllLocations };
}

function readItems(bytes: Uint8Array, metaBoxes: readonly IsoBox[]): Map<number, IsoItem> {
  const items = new Map<number, IsoItem>();
  const list = findBox(metaBoxes, 'iinf');
  if (!list) return items;
  const properties = readProperties(bytes, metaBoxes);
  const from = list.from + (bytes[list.from] === 0 ? 6 : 8);
  for (const box of readBoxes(bytes, from, list.end)) {
    const item = box.type === 'infe' && readItem(bytes.subarray(box.from, box.end), properties);
    if (item && !items.has(item.id)) items.set(item.id, item);
  }
  return items;
}

function readItem(content: Uint8Array, properties: ReadonlyMap<number, IsoBox[]>): IsoItem | undefined {
  const version = byteAt(content, 0);
  if (version < 2) return undefined;
  const idLength = version === 2 ? 2 : 4;
  const id = uintAt(content, 4, idLength);
  const typeAt = 4 + idLength + 2;
  const nameEnd = content.indexOf(0, typeAt + 4);
  const [contentType = ''] = nameEnd < 0 ? [] : textAt(content, nameEnd + 1, 64).split('\0');
  const type = textAt(content, typeAt, 4);
  const hidden = (byteAt(content, 3) & 1) === 1;
  return { id, type, contentType, hidden, properties: properties.get(id) ?? [] };
}

/** Which properties each item has, by its id. */
function readProperties(bytes: Uint8Array, metaBoxes: readonly IsoBox[]): Map<number, IsoBox[]> {
  const boxes = childrenOf(bytes, findBox(metaBoxes, 'iprp'));
  const properties = childrenOf(bytes, findBox(boxes, 'ipco'));
  const result = new Map<number, IsoBox[]>();
  for (const { id, entries } of readAssociations(bytes, boxes)) {
    const own = result.get(id) ?? [];
    own.push(...entries.flatMap((entry) => properties[(entry & ~ESSENTIAL) - 1] ?? []));
    result.set(id, own);
  }
  return result;
}

/** Bit of an association: a reader that does not know the property must not show the item. */
export const ESSENTIAL = 0x8000;

interface Association {
  /** Of the item. */
  readonly id: number;
  /** Numbers of its properties, from 1, with `ESSENTIAL` where that is set. */
  readonly entries: readonly number[];
}

/** The associations in the `ipma` boxes among these. */
export function readAssociations(bytes: Uint8Array, boxes: readonly IsoBox[]): Association[] {
  return boxes
    .filter(({ type }) => type === 'ipma')
    .flatMap(({ from, end }) => readAssociationBox(bytes.subarray(from, end)));
}

function readAssociationBox(ipma: Uint8Array): Association[] {
  const idLength = byteAt(ipma, 0) < 1 ? 2 : 4;
  const entryLength = byteAt(ipma, 3) & 1 ? 2 : 1;
  const count = Math.min(uintAt(ipma, 4, 4), MAX_BOXES);
  const associations: Association[] = [];
  let total = 0;
  let at = 8;
  for (let item = 0; item < count && total < MAX_BOXES && at + idLength + 1 <= ipma.length; item++) {
    const id = uintAt(ipma, at, idLength);
    const length = byteAt(ipma, at + idLength);
    const from = at + idLength + 1;
    const places = Array.from({ length }, (_, index) => from + index * entryLength);
    associations.push({ id, entries: places.map((place) => readEntry(ipma, place, entryLength)) });
    total += length;
    at = from + length * entryLength;
  }
  return associations;
}

/** In one byte the essential bit is the eighth. */
function readEntry(ipma: Uint8Array, at: number, length: number): number {
  if (length === 2) return uint16At(ipma, at);
  const byte = byteAt(ipma, at);
  return (byte & 0x7f) | ((byte & 0x80) << 8);
}

function readReferences(bytes: Uint8Array, metaBoxes: readonly IsoBox[]): IsoImage['references'] {
  const list = findBox(metaBoxes, 'iref');
  if (!list) return [];
  const idLength = bytes[list.from] === 0 ? 2 : 4;
  return readBoxes(bytes, list.from + 4, list.end).map(({ type, from, end }) => {
    const content = bytes.subarray(from, end);
    const count = Math.min(uintAt(content, idLength, 2), Math.floor(content.length / idLength));
    const idAt = (at: number) => uintAt(content, at, idLength);
    const to = Array.from({ length: count }, (_, index) => idAt(idLength + 2 + index * idLength));
    return { type, from: idAt(0), to };
  });
}

/** The auxiliary items of the primary one, such as its transparency or a gain map. */
export function auxiliariesOf({ references, primary }: IsoImage): Set<number> {
  return new Set(
    references.filter(({ type, to }) => type === 'auxl' && to.includes(primary.id)).map(({ from }) => from),
  );
}

/** The content of an item; undefined when a part of it is outside the file. */
export function readItemContent(image: IsoImage, id: number): Uint8Array | undefined {
  const location = image.locations.find((row) => row.id === id);
  if (!location || location.construction > 1) return undefined;
  const store = location.construction === 0 ? image.bytes : contentOf(image.bytes, image.metaBoxes, 'idat');
  if (!store) return undefined;
  const parts: Uint8Array[] = [];
  let total = 0;
  for (const { offset, length } of location.extents) {
    const end = length === 0 ? store.length : offset + length;
    total += end - offset;
    // Overlapping extents could name the same bytes again and again.
    if (end > store.length || offset > end || total > store.length) return undefined;
    parts.push(store.subarray(offset, end));
  }
  return joinAll(parts);
}
