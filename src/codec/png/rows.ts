import { byteAt } from '../bytes.ts';

/** What has to be known of a picture, a still or a frame, to read its rows. */
export interface PngPicture {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly interlaced: boolean;
  /** Of the palette; Infinity where there is none. */
  readonly colours: number;
}

interface Pass {
  readonly width: number;
  readonly rows: number;
  /** Of a row with its filter byte. */
  readonly rowLength: number;
}

/** Where the seven passes of an interlaced picture begin, and their steps. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const ONE_PASS = [[0, 0, 1, 1]] as const;

const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** A pass without a pixel has no rows at all. */
function passesOf({ width, height, bitDepth, colourType, interlaced }: PngPicture): Pass[] {
  const bits = bitDepth * (SAMPLES[colourType] ?? 1);
  return (interlaced ? ADAM7 : ONE_PASS)
    .map(([left, top, across, down]) => {
      const [columns, rows] = [Math.ceil((width - left) / across), Math.ceil((height - top) / down)];
      return { width: columns, rows, rowLength: 1 + Math.ceil((columns * bits) / 8) };
    })
    .filter((pass) => pass.width > 0 && pass.rows > 0);
}

/** Bytes of all rows with their filters. */
export function pictureLength(picture: PngPicture): number {
  return passesOf(picture).reduce((sum, { rows, rowLength }) => sum + rows * rowLength, 0);
}

export interface RowCheck {
  readonly wrongFilter?: Readonly<{ filter: number; row: number }>;
  /** Of a palette that has fewer colours than its pixels have values; −1 where that was not looked at. */
  readonly highestIndex: number;
}

/** Is given the bytes of a picture in parts of any length. */
export class RowReader {
  readonly #picture: PngPicture;
  readonly #passes: Pass[];
  readonly #indices: IndexReader | undefined;
  #wrongFilter: RowCheck['wrongFilter'];
  /** Of the present row: how much of it is still to come, and its number in the picture and in its pass. */
  #left = 0;
  #row = -1;
  #rowOfPass = 0;

  constructor(picture: PngPicture) {
    this.#picture = picture;
    this.#passes = passesOf(picture).reverse();
    // Only a palette can be too short for its pixels.
    if (picture.colours < 2 ** picture.bitDepth) this.#indices = new IndexReader(picture.bitDepth);
  }

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) this.#beginRow(byteAt(bytes, at));
      const part = bytes.subarray(at, at + this.#left);
      this.#indices?.take(part);
      this.#left -= part.length;
      at += part.length;
    }
  }

  result(): RowCheck {
    return { wrongFilter: this.#wrongFilter, highestIndex: this.#indices?.highest ?? -1 };
  }

  #beginRow(filter: number): void {
    this.#row++;
    const isNewPass = this.#row === 0 || this.#rowOfPass + 1 === this.#passes.at(-1)?.rows;
    if (isNewPass && this.#row > 0) this.#passes.pop();
    this.#rowOfPass = isNewPass ? 0 : this.#rowOfPass + 1;
    const pass = this.#passes.at(-1);
    if (!pass) throw new RangeError(`Expected ${this.#picture.height} rows but received more`);
    this.#left = pass.rowLength;
    if (filter > 4) this.#wrongFilter ??= { filter, row: this.#row };
    this.#indices?.beginRow(filter, pass, isNewPass);
  }
}

/** Undoes the filters of rows of indices, of which several may share a byte, and finds the highest one. */
class IndexReader {
  readonly #bitDepth: number;
  highest = 0;
  #filter = 0;
  #width = 0;
  #above = new Uint8Array();
  #present = new Uint8Array();
  #at = -1;

  constructor(bitDepth: number) {
    this.#bitDepth = bitDepth;
  }

  beginRow(filter: number, { width, rowLength }: Pass, isNewPass: boolean): void {
    this.#above = isNewPass ? new Uint8Array(rowLength - 1) : this.#present;
    this.#present = new Uint8Array(rowLength - 1);
    this.#filter = filter;
    this.#width = width;
    this.#at = -1;
  }

  /** @param part of a row, with the byte of its filter */
  take(part: Uint8Array): void {
    const [present, above] = [this.#present, this.#above];
    const predict = PREDICTORS[this.#filter] ?? PREDICTORS[0];
    for (const byte of part) {
      const at = this.#at++;
      if (at < 0) continue;
      present[at] = byte + predict(byteAt(present, at - 1), byteAt(above, at), byteAt(above, at - 1));
    }
    if (this.#at === present.length) this.#findHighest();
  }

  #findHighest(): void {
    const [depth, mask] = [this.#bitDepth, 2 ** this.#bitDepth - 1];
    for (let pixel = 0; pixel < this.#width; pixel++) {
      const bit = pixel * depth;
      const index = (byteAt(this.#present, bit >> 3) >> (8 - depth - (bit & 7))) & mask;
      if (index > this.highest) this.highest = index;
    }
  }
}

type Predict = (left: number, above: number, aboveLeft: number) => number;

const PREDICTORS: readonly [Predict, ...Predict[]] = [
  () => 0,
  (left) => left,
  (_left, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

function paeth(left: number, above: number, aboveLeft: number): number {
  const toLeft = Math.abs(above - aboveLeft);
  const toAbove = Math.abs(left - aboveLeft);
  const toBoth = Math.abs(left + above - 2 * aboveLeft);
  if (toLeft <= toAbove && toLeft <= toBoth) return left;
  return toAbove <= toBoth ? above : aboveLeft;
}
