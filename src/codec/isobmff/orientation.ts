import { byteAt } from '../bytes.ts';
import type { IsoImage } from './image.ts';

/** 1 to 8, as `irot` and `imir` of the primary item say; a decoder applies them by itself. */
export function readIsoOrientation({ bytes, primary }: IsoImage): number {
  let orientation = 1;
  for (const { type, from } of primary.properties) {
    const value = byteAt(bytes, from);
    const turns = type === 'irot' ? value & 3 : 0;
    for (let turn = 0; turn < turns; turn++) orientation = byteAt(QUARTER_TURN, orientation);
    if (type === 'imir') orientation = byteAt(value & 1 ? LEFT_RIGHT : TOP_BOTTOM, orientation);
  }
  return orientation;
}

// Which EXIF orientation results when a picture of each is also turned counter-clockwise or mirrored.
const QUARTER_TURN = Uint8Array.of(0, 8, 5, 6, 7, 4, 1, 2, 3);
const LEFT_RIGHT = Uint8Array.of(0, 2, 1, 4, 3, 6, 5, 8, 7);
const TOP_BOTTOM = Uint8Array.of(0, 4, 3, 2, 1, 8, 7, 6, 5);

/** The properties that mean the same as an EXIF orientation: first quarter turns, then a mirror. */
export const TRANSFORMS: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  2: { imir: 1 },
  3: { irot: 2 },
  4: { imir: 0 },
  5: { irot: 1, imir: 0 },
  6: { irot: 3 },
  7: { irot: 3, imir: 0 },
  8: { irot: 1 },
};
