import type { ScanHeader } from '../../src/codec/jpeg/scans.ts';

/** By component and block, the coefficients of a progressive picture that are not zero so far. */
export type Coefficients = Map<string, Set<number>>;

/**
 * The Huffman codes of a scan decoded bit by bit, as the figures of ITU-T T.81 describe it: the module in WebAssembly is
 * compared with it.
 * @param interval of restart markers, in MCUs; 0 without them
 * @param coefficients of the scans before, if the picture is progressive
 */
export function decodePlainly(coded: Uint8Array, header: ScanHeader, interval: number, coefficients?: Coefficients) {
  let first = 0;
  return piecesOf(coded).map((bits) => {
    const wanted = Math.min(interval || header.mcus, header.mcus - first);
    const piece = decodePiece(bits, wanted, new PlainScan(header, first, coefficients));
    first += piece.mcus;
    return piece;
  });
}

export interface PlainPiece {
  readonly mcus: number;
  readonly isWhole: boolean;
  /** Of a piece without a fault. */
  readonly bytesLeft?: number;
}

/** The bits between two markers, each piece to where a marker begins. */
function piecesOf(coded: Uint8Array): number[][] {
  const pieces: number[][] = [[]];
  for (let at = 0; at < coded.length; at++) {
    let byte = coded[at]!;
    if (byte === 0xff) {
      while (coded[at] === 0xff) at++;
      byte = coded[at] === 0 ? 0xff : -1;
    }
    if (byte < 0) pieces.push([]);
    else for (let bit = 7; bit >= 0; bit--) pieces.at(-1)!.push((byte >> bit) & 1);
  }
  // A run of 0xff at the end of the file is followed by no marker.
  if (coded.at(-1) === 0xff) pieces.pop();
  return pieces;
}

function decodePiece(bits: readonly number[], wanted: number, scan: PlainScan): PlainPiece {
  scan.bits = bits;
  for (let mcu = 0; mcu < wanted; mcu++) {
    try {
      scan.decodeMcu();
    } catch (error) {
      if (error instanceof Stop) return { mcus: mcu, isWhole: false };
      throw error;
    }
  }
  return { mcus: wanted, isWhole: true, bytesLeft: Math.floor((bits.length - scan.at) / 8) };
}

/** The data ends, no code fits, or there are more coefficients than the block has. */
class Stop extends Error {}

class PlainScan {
  bits: readonly number[] = [];
  at = 0;
  #ended = 0;
  #block: number;
  readonly #header: ScanHeader;
  readonly #coefficients?: Coefficients;

  constructor(header: ScanHeader, first: number, coefficients?: Coefficients) {
    this.#header = header;
    this.#block = first;
    this.#coefficients = coefficients;
  }

  decodeMcu(): void {
    const { blocks, from, leftOutBefore } = this.#header;
    for (const { component, dc, ac } of blocks) {
      if (!this.#coefficients) this.#decodeBlock(dc, ac);
      else if (from > 0) this.#decodeBand(this.#coefficientsOf(component), ac);
      else if (leftOutBefore > 0) this.#take(1);
      else this.#takeDifference(dc);
    }
    this.#block++;
  }

  #coefficientsOf(component: number): Set<number> {
    const name = `${component} ${this.#block}`;
    const coefficients = this.#coefficients?.get(name) ?? new Set();
    this.#coefficients?.set(name, coefficients);
    return coefficients;
  }

  #take(count: number): number {
    let number = 0;
    for (let left = count; left > 0; left--) {
      if (this.at >= this.bits.length) throw new Stop('the data ends');
      number = 2 * number + this.bits[this.at++]!;
    }
    return number;
  }

  /** Figure F.16. */
  #decode(id: number): number {
    const definition = this.#header.definitions.get(id)!;
    let [code, first, symbolAt] = [0, 0, 16];
    for (let length = 1; length <= 16; length++) {
      code = 2 * code + this.#take(1);
      const count = definition[length - 1]!;
      if (code - first < count) return definition[symbolAt + code - first]!;
      symbolAt += count;
      first = 2 * (first + count);
    }
    throw new Stop('no code');
  }

  #takeDifference(table: number): void {
    const size = this.#decode(table);
    if (size > 15) throw new Stop('no code');
    this.#take(size);
  }

  #decodeBlock(dc: number, ac: number): void {
    this.#takeDifference(dc);
    for (let coefficient = 1; coefficient < 64; ) {
      const symbol = this.#decode(0x10 | ac);
      if (symbol % 16 === 0 && symbol < 0xf0) return;
      coefficient += (symbol >> 4) + 1;
      this.#take(symbol & 15);
      if (coefficient > 64) throw new Stop('too many coefficients');
    }
  }

  /** Figures G.3 and G.7. */
  #decodeBand(nonZero: Set<number>, ac: number): void {
    const { from, to, leftOutBefore } = this.#header;
    const isRefinement = leftOutBefore > 0;
    const before = new Set(nonZero);
    let coefficient = from;
    while (this.#ended === 0 && coefficient <= to) {
      const symbol = this.#decode(0x10 | ac);
      const [run, size] = [symbol >> 4, symbol & 15];
      if (isRefinement && size > 1) throw new Stop('no code');
      if (size === 0 && run < 15) {
        this.#ended = 2 ** run + this.#take(run);
        break;
      }
      this.#take(size);
      let zeros = run;
      for (; coefficient <= to; coefficient++) {
        if (isRefinement && before.has(coefficient)) this.#take(1);
        else if (zeros-- === 0) break;
      }
      // A first scan may not even pass over the end; one that refines may, to take the bits on the way.
      if (coefficient > to && (size > 0 || !isRefinement)) throw new Stop('too many coefficients');
      if (size > 0) nonZero.add(coefficient);
      coefficient++;
    }
    if (this.#ended === 0) return;
    this.#ended--;
    for (; isRefinement && coefficient <= to; coefficient++) if (before.has(coefficient)) this.#take(1);
  }
}
