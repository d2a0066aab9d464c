import { byteAt } from '../bytes.ts';
import type { RgbPixels } from './perceptual-score.ts';

const TILE = 128;
const TILES_ACROSS = 4;

/**
 * Sixteen tiles of a picture side by side, from its smoothest part to its busiest, so that their score stands for the
 * whole picture at the same cost for any size; the picture itself where it is not larger.
 */
export function mosaicOf(picture: RgbPixels): RgbPixels {
  const side = TILE * TILES_ACROSS;
  if (picture.width * picture.height <= side * side) return picture;
  if (picture.width < TILE || picture.height < TILE) return middleOf(picture, side * side);
  const pixels = new Uint8Array(side * side * 3);
  for (const [index, place] of spread(byActivity(picture), TILES_ACROSS ** 2).entries()) {
    const target = { x: (index % TILES_ACROSS) * TILE, y: Math.floor(index / TILES_ACROSS) * TILE };
    copyTile(picture, place, pixels, target, side);
  }
  return { pixels, width: side, height: side };
}

/** So many of them at even distances, the first and the last included; some twice where there are fewer. */
function spread<T>(all: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, index) => Math.round((index * (all.length - 1)) / (count - 1))).flatMap(
    (place) => all.slice(place, place + 1),
  );
}

/** Of a picture that is too narrow for tiles: as much from its middle as the tiles would hold. */
function middleOf(picture: RgbPixels, area: number): RgbPixels {
  const isWide = picture.width > picture.height;
  const width = isWide ? Math.floor(area / picture.height) : picture.width;
  const height = isWide ? picture.height : Math.floor(area / picture.width);
  const [left, top] = [(picture.width - width) >> 1, (picture.height - height) >> 1];
  return cut(picture, { left, top, width, height });
}

export type Tile = Readonly<Record<'left' | 'top' | 'width' | 'height', number>>;

/** A copy of this part of a picture. */
export function cut({ pixels, width: stride }: RgbPixels, { left, top, width, height }: Tile): RgbPixels {
  const part = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * stride + left) * 3;
    part.set(pixels.subarray(from, from + width * 3), row * width * 3);
  }
  return { pixels: part, width, height };
}

type Place = Readonly<{ x: number; y: number }>;

/** Tiles on JPEG's grid of 16 pixels, those with the least change first. */
function byActivity({ pixels, width, height }: RgbPixels): Place[] {
  const places: (Place & { readonly activity: number })[] = [];
  for (let y = 0; y + TILE <= height; y += TILE) {
    for (let x = 0; x + TILE <= width; x += TILE) places.push({ x, y, activity: activityAt(pixels, width, x, y) });
  }
  return places.sort((one, other) => one.activity - other.activity);
}

/** The sum of steps between green neighbours, on every fourth row and column. */
function activityAt(pixels: Uint8Array, width: number, left: number, top: number): number {
  let activity = 0;
  for (let y = top; y < top + TILE; y += 4) {
    for (let x = left; x < left + TILE - 1; x += 4) {
      const at = (y * width + x) * 3 + 1;
      activity += Math.abs(byteAt(pixels, at) - byteAt(pixels, at + 3));
    }
  }
  return activity;
}

function copyTile(from: RgbPixels, place: Place, to: Uint8Array, target: Place, toWidth: number): void {
  for (let row = 0; row < TILE; row++) {
    const start = ((place.y + row) * from.width + place.x) * 3;
    to.set(from.pixels.subarray(start, start + TILE * 3), ((target.y + row) * toWidth + target.x) * 3);
  }
}
