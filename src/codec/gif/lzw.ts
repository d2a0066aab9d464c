import { byteAt } from '../bytes.ts';
import { readSubBlocks } from './blocks.ts';

/** What the LZW codes of a frame stand for; which pixels are where does not matter here. */
export interface CodedPixels {
  readonly count: number;
  /** Codes end at one that is not defined, and not with their end code or with their last byte. */
  readonly undefinedCode: boolean;
}

/** Counts the pixels of frames, up to the number that each has. */
export class PixelCounter {
  /** For each code, how many pixels it stands for. */
  readonly #lengths = new Uint16Array(MAX_CODES);
  #rootBits = 0;
  /** The code that forgets all others; the next one ends the frame. */
  #clear = 0;
  /** The next code to be defined. */
  #next = 0;
  /** Bits of a code. */
  #width = 0;
  /** Pixels of the code before, 0 where there is none. */
  #previous = 0;
  #pixels = 0;
  #isUndefined = false;

  /**
   * @param from where the sub-blocks of the frame begin
   * @param used where each index into its colour table that occurs is set to 1
   */
  count(bytes: Uint8Array, from: number, wanted: number, used: Uint8Array): CodedPixels {
    this.#begin(byteAt(bytes, from - 1));
    if (this.#rootBits === 0 || this.#rootBits > MAX_ROOT_BITS) return { count: 0, undefinedCode: true };
    let [bits, valid] = [0, 0];
    for (const part of readSubBlocks(bytes, from)) {
      for (const byte of part) {
        bits |= byte << valid;
        valid += 8;
        while (valid >= this.#width) {
          const code = bits & ((1 << this.#width) - 1);
          bits >>>= this.#width;
          valid -= this.#width;
          // Strings consist of pixels that occurred alone.
          if (code < this.#clear) used[code] = 1;
          if (!this.#take(code) || this.#pixels >= wanted) return this.#result();
        }
      }
    }
    return this.#result();
  }

  #begin(rootBits: number): void {
    this.#rootBits = rootBits;
    this.#clear = 1 << rootBits;
    this.#lengths.fill(1, 0, Math.min(this.#clear, MAX_CODES));
    this.#forget();
    [this.#pixels, this.#isUndefined] = [0, false];
  }

  #forget(): void {
    this.#next = this.#clear + 2;
    this.#width = this.#rootBits + 1;
    this.#previous = 0;
  }

  #result(): CodedPixels {
    return { count: this.#pixels, undefinedCode: this.#isUndefined };
  }

  /** False at the end of the frame, or at a code that is not defined yet. */
  #take(code: number): boolean {
    if (code === this.#clear) {
      this.#forget();
      return true;
    }
    if (code === this.#clear + 1) return false;
    const [lengths, next, previous] = [this.#lengths, this.#next, this.#previous];
    this.#isUndefined = code > next || (code === next && previous === 0);
    if (this.#isUndefined) return false;
    const length = code === next ? previous + 1 : (lengths[code] ?? 0);
    if (previous > 0 && next < MAX_CODES) {
      lengths[next] = previous + 1;
      this.#next = next + 1;
      if (this.#next === 1 << this.#width && this.#width < 12) this.#width++;
    }
    this.#pixels += length;
    this.#previous = length;
    return true;
  }
}

// Codes have twelve bits at the most.
const MAX_CODES = 4096;
// Indexes into a table of at most 256 colours.
const MAX_ROOT_BITS = 8;
