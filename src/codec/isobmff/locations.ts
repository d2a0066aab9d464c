import { uintAt } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';
import { type IsoBox, MAX_BOXES } from './boxes.ts';

/** Where the content of an item is stored. */
export interface ItemLocation {
  readonly id: number;
  /** 0: offsets from the start of the file; 1: inside `idat`; 2: inside another item. */
  readonly construction: number;
  readonly extents: readonly { readonly offset: number; readonly length: number }[];
}

export interface LocationTable {
  readonly rows: readonly ItemLocation[];
  /** All rows and extents are there that it says it has. */
  readonly isWhole: boolean;
}

/** The rows of `iloc`. @throws CorruptImageError where they have more extents than any picture */
export function readLocations(bytes: Uint8Array, box: IsoBox | undefined): LocationTable {
  if (!box || box.end - box.from < 8) return { rows: [], isWhole: false };
  const table = new Table(bytes.subarray(box.from, box.end));
  const layout = readLayout(table);
  const count = table.take(layout.idLength);
  const rows: ItemLocation[] = [];
  let [total, isWhole] = [0, count <= MAX_BOXES];
  while (rows.length < Math.min(count, MAX_BOXES) && !table.isAtEnd) {
    const { row, declared } = readRow(table, layout);
    total += row.extents.length;
    if (total > MAX_BOXES) throw corruptHeader('AVIF or HEIF', `more than ${MAX_BOXES} extents`, box.from);
    isWhole &&= row.extents.length === declared;
    rows.push(row);
  }
  return { rows, isWhole: isWhole && rows.length === count && !table.isPastEnd };
}

/** Reads numbers one after another; beyond its end they are 0. */
class Table {
  readonly #content: Uint8Array;
  at = 0;

  constructor(content: Uint8Array) {
    this.#content = content;
  }

  take(length: number): number {
    this.at += length;
    return uintAt(this.#content, this.at - length, length);
  }

  get isAtEnd(): boolean {
    return this.at >= this.#content.length;
  }

  get isPastEnd(): boolean {
    return this.at > this.#content.length;
  }
}

interface Layout {
  readonly version: number;
  readonly idLength: number;
  readonly offsetLength: number;
  readonly lengthLength: number;
  readonly baseLength: number;
  readonly indexLength: number;
}

function readLayout(table: Table): Layout {
  const version = table.take(1);
  table.take(3);
  const [sizes, moreSizes] = [table.take(1), table.take(1)];
  return {
    version,
    idLength: version < 2 ? 2 : 4,
    offsetLength: sizes >> 4,
    lengthLength: sizes & 15,
    baseLength: moreSizes >> 4,
    indexLength: version > 0 ? moreSizes & 15 : 0,
  };
}

function readRow(table: Table, layout: Layout): { row: ItemLocation; declared: number } {
  const id = table.take(layout.idLength);
  const construction = layout.version > 0 ? table.take(2) & 15 : 0;
  table.take(2);
  const base = table.take(layout.baseLength);
  const declared = table.take(2);
  const extents: { offset: number; length: number }[] = [];
  // An extent that takes no bytes in the table is the same however often it is counted.
  for (let last = 0; extents.length < declared && !table.isAtEnd && table.at > last; ) {
    last = table.at;
    table.take(layout.indexLength);
    extents.push({ offset: base + table.take(layout.offsetLength), length: table.take(layout.lengthLength) });
  }
  return { row: { id, construction, extents }, declared };
}
