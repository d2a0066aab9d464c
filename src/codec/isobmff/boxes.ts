import { countTrailing, startsWith, textAt, uint32At, uintAt } from '../bytes.ts';

/** AVIF, HEIF and MP4 are ISO media files: boxes in boxes. */
export interface IsoBox {
  readonly type: string;
  readonly at: number;
  /** Where its content begins: after size, type and, for a `uuid` box, that. */
  readonly from: number;
  readonly end: number;
}

/** Far above any real picture: grids have some hundreds of tiles. */
export const MAX_BOXES = 65_536;

/** The boxes between two offsets, up to the first one that is cut off. */
export function readBoxes(bytes: Uint8Array, from: number, end: number): IsoBox[] {
  const boxes: IsoBox[] = [];
  for (let at = from; at + 8 <= end && boxes.length < MAX_BOXES; ) {
    const box = readHead(bytes, at, end);
    if (box.end < box.from || box.end > end) break;
    boxes.push(box);
    at = box.end;
  }
  return boxes;
}

/** A box by its first bytes; its end is not checked. */
function readHead(bytes: Uint8Array, at: number, end: number): IsoBox {
  const type = textAt(bytes, at + 4, 4);
  const size = uint32At(bytes, at);
  // 1: the size follows the type in eight bytes. 0: the box ends where its container does.
  const headLength = (size === 1 ? 16 : 8) + (type === 'uuid' ? 16 : 0);
  const length = size === 1 ? uintAt(bytes, at + 8, 8) : size || end - at;
  return { type, at, from: at + headLength, end: at + length };
}

export function findBox(boxes: readonly IsoBox[], type: string): IsoBox | undefined {
  return boxes.find((box) => box.type === type);
}

/** The boxes in this one; none where it is missing. */
export function childrenOf(bytes: Uint8Array, box: IsoBox | undefined): IsoBox[] {
  return box ? readBoxes(bytes, box.from, box.end) : [];
}

/** The content of the first box of this type. */
export function contentOf(bytes: Uint8Array, boxes: readonly IsoBox[], type: string): Uint8Array | undefined {
  const box = findBox(boxes, type);
  return box && bytes.subarray(box.from, box.end);
}

/** The brands in `ftyp`; none when the file does not begin with that box. */
export function readBrands(bytes: Uint8Array): string[] {
  if (!startsWith(bytes, 'ftyp', 4)) return [];
  const { from, end } = readHead(bytes, 0, bytes.length);
  const last = Math.min(end, bytes.length, 256);
  const brands = [textAt(bytes, from, 4)];
  for (let at = from + 8; at + 4 <= last; at += 4) brands.push(textAt(bytes, at, 4));
  return brands;
}

/** Whether these bytes are an ISO media file, such as an MP4, from its first box to its last, with or without padding. */
export function isIsoFile(bytes: Uint8Array): boolean {
  if (!startsWith(bytes, 'ftyp', 4)) return false;
  const boxes = readBoxes(bytes, 0, bytes.length);
  // Zeros read as a box of no type that reaches to the end.
  const isPadding = ({ at, end }: IsoBox) => end === bytes.length && countTrailing(bytes, at) === 0;
  const end = boxes.at(-1)?.end ?? 0;
  return countTrailing(bytes, end) === 0 && boxes.every((box) => /^[\w ]{4}$/.test(box.type) || isPadding(box));
}
