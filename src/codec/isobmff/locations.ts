import { byteAt, uintAt } from '../bytes.ts';
import { corruptIso, findBox, type IsoBox, MAX_BOXES } from './boxes.ts';

/** Where the content of an item is stored. */
export interface ItemLocation {
  readonly id: number;
  /** 0: offsets from the start of the file; 1: inside `idat`. */
  readonly construction: number;
  readonly extents: readonly { readonly offset: number; readonly length: number }[];
}

/** The rows of `iloc`. @throws CorruptImageError where they have more extents than any picture */
export function readLocations(bytes: Uint8Array, metaBoxes: readonly IsoBox[]): ItemLocation[] {
  const box = findBox(metaBoxes, 'iloc');
  if (!box || box.end - box.from < 8) return [];
  const content = bytes.subarray(box.from, box.end);
  const [version, sizes, moreSizes] = [byteAt(content, 0), byteAt(content, 4), byteAt(content, 5)];
  const [offsetLength, lengthLength, baseLength] = [sizes >> 4, sizes & 15, moreSizes >> 4];
  const indexLength = version > 0 ? moreSizes & 15 : 0;
  const idLength = version < 2 ? 2 : 4;
  const count = Math.min(uintAt(content, 6, idLength), MAX_BOXES);
  const locations: ItemLocation[] = [];
  let total = 0;
  let at = 6 + idLength;
  const take = (length: number) => {
    at += length;
    return uintAt(content, at - length, length);
  };
  for (let item = 0; item < count && at < content.length; item++) {
    const id = take(idLength);
    const construction = version > 0 ? take(2) & 15 : 0;
    take(2);
    const base = take(baseLength);
    const extentCount = take(2);
    const extents: { offset: number; length: number }[] = [];
    // An extent that takes no bytes in the table is the same however often it is counted.
    for (let last = 0; extents.length < extentCount && at < content.length && at > last; ) {
      last = at;
      take(indexLength);
      extents.push({ offset: base + take(offsetLength), length: take(lengthLength) });
    }
    total += extents.length;
    if (total > MAX_BOXES) throw corruptIso(`more than ${MAX_BOXES} extents`, box.from);
    locations.push({ id, construction, extents });
  }
  return locations;
}
