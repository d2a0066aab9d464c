import { viewOf } from '../bytes.ts';
import { bitsIn, type HuffmanDefinitions, type ScanHeader, type ScanWalk } from './scans.ts';

/**
 * Walks through the Huffman codes of the scans of one progressive JPEG, in their order. A scan that refines has a bit
 * for every coefficient that is not zero so far, so which these are is remembered, and nothing else of the picture.
 * @see ITU-T T.81, Annex G
 */
export function progressiveWalks(): (header: ScanHeader) => ScanWalk | string {
  const seen = new Map<number, NonZero>();
  return (header) => {
    const { from, to, blocks, mcus, leftOutBefore, leftOut } = header;
    const isRefinement = leftOutBefore > 0;
    const fits = from === 0 ? to === 0 : from <= to && to < 64 && blocks.length === 1;
    if (!fits || (isRefinement && leftOutBefore !== leftOut + 1))
      return `Expected a scan of one kind but it is of coefficients ${from} to ${to}, bits ${leftOutBefore} to ${leftOut}`;
    if (from === 0) return isRefinement ? refineDc(blocks.length) : walkDc(header);
    const component = blocks[0]!.component;
    const nonZero = seen.get(component) ?? newNonZero(mcus);
    seen.set(component, nonZero);
    const codes = codesOf(header.definitions, 0x10 | blocks[0]!.ac);
    if (!codes) return 'unknown-kind';
    return isRefinement ? refineAc(codes, from, to, nonZero) : walkAc(codes, from, to, nonZero);
  };
}

/**
 * By block, a bit for each coefficient that is not zero: 0 to 31, and 32 to 63. The size that a header declares costs
 * nothing: zeros take no memory until they are written over, and groups of blocks that have no bit are passed over.
 */
interface NonZero {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** By group, whether one of its blocks has a bit. */
  readonly groups: Uint8Array;
}

const GROUP = 64;
const GROUP_BITS = 6;

function newNonZero(blocks: number): NonZero {
  return {
    low: new Uint32Array(blocks),
    high: new Uint32Array(blocks),
    groups: new Uint8Array(Math.ceil(blocks / GROUP)),
  };
}

/** By the next sixteen bits: the length of the code above, its symbol below; 0 where no code fits. */
type Codes = Uint16Array;

function codesOf(definitions: HuffmanDefinitions, id: number): Codes | undefined {
  const definition = definitions.get(id);
  if (!definition) return undefined;
  const codes = new Uint16Array(65_536);
  let symbolAt = 16;
  let code = 0;
  for (let length = 1; length <= 16; length++, code <<= 1) {
    for (let left = definition[length - 1]!; left > 0; left--, code++, symbolAt++) {
      const entry = (length << 8) | definition[symbolAt]!;
      codes.fill(entry, code << (16 - length), (code + 1) << (16 - length));
    }
  }
  return codes;
}

function walkDc({ blocks, definitions }: ScanHeader): ScanWalk | string {
  const tables = blocks.map(({ dc }) => codesOf(definitions, dc));
  if (tables.some((codes) => codes === undefined)) return 'unknown-kind';
  return (bits, mcus) => {
    const view = viewOf(bits);
    const end = bitsIn(bits);
    let at = 0;
    for (let mcu = 0; mcu < mcus; mcu++) {
      for (const codes of tables as Codes[]) {
        if (at >= end) return cut(mcu, mcus);
        const entry = codes[(view.getInt32(at >> 3) << (at & 7)) >>> 16]!;
        if (entry === 0) return noCode(mcu, mcus);
        at += (entry >> 8) + (entry & 0xff);
      }
    }
    return at;
  };
}

/** One bit for each block. */
function refineDc(blocks: number): ScanWalk {
  return (bits, mcus) => (mcus * blocks > bitsIn(bits) ? cut(bitsIn(bits), mcus) : mcus * blocks);
}

function walkAc(codes: Codes, from: number, to: number, { low, high, groups }: NonZero): ScanWalk {
  return (bits, mcus, first) => {
    const view = viewOf(bits);
    const end = bitsIn(bits);
    let at = 0;
    // So many of the blocks that follow have nothing in this scan.
    let ended = 0;
    for (let mcu = 0; mcu < mcus; mcu += 1 + ended) {
      ended = 0;
      let [lowBits, highBits] = [0, 0];
      for (let coefficient = from; coefficient <= to; ) {
        if (at >= end) return cut(mcu, mcus);
        const entry = codes[(view.getInt32(at >> 3) << (at & 7)) >>> 16]!;
        if (entry === 0) return noCode(mcu, mcus);
        at += entry >> 8;
        const run = (entry >> 4) & 15;
        const size = entry & 15;
        if (size > 0) {
          coefficient += run;
          if (coefficient > to) return tooMany(mcu, mcus, to);
          if (coefficient < 32) lowBits |= 1 << coefficient;
          else highBits |= 1 << (coefficient - 32);
          at += size;
          coefficient++;
        } else if (run === 15) {
          coefficient += 16;
          if (coefficient > to + 1) return tooMany(mcu, mcus, to);
        } else {
          ended = (1 << run) + numberAt(view, at, run) - 1;
          at += run;
          break;
        }
      }
      if ((lowBits | highBits) === 0) continue;
      low[first + mcu]! |= lowBits;
      high[first + mcu]! |= highBits;
      groups[(first + mcu) >> GROUP_BITS] = 1;
    }
    return at;
  };
}

function refineAc(codes: Codes, from: number, to: number, { low, high, groups }: NonZero): ScanWalk {
  const [lowMask, highMask] = [maskOf(0, to), maskOf(32, to)];
  return (bits, mcus, first) => {
    const view = viewOf(bits);
    const end = bitsIn(bits);
    let at = 0;
    let ended = 0;
    for (let mcu = 0; mcu < mcus; mcu++) {
      if (ended > 0 && groups[(first + mcu) >> GROUP_BITS] === 0) {
        const over = Math.min(ended, GROUP - ((first + mcu) % GROUP));
        ended -= over;
        mcu += over - 1;
        continue;
      }
      let lowBits = low[first + mcu]!;
      let highBits = high[first + mcu]!;
      let coefficient = from;
      while (ended === 0 && coefficient <= to) {
        if (at >= end) return cut(mcu, mcus);
        const entry = codes[(view.getInt32(at >> 3) << (at & 7)) >>> 16]!;
        if (entry === 0) return noCode(mcu, mcus);
        at += entry >> 8;
        let run = (entry >> 4) & 15;
        const size = entry & 15;
        if (size > 1) return noCode(mcu, mcus);
        if (size === 0 && run < 15) {
          ended = (1 << run) + numberAt(view, at, run);
          at += run;
          break;
        }
        at += size;
        // Over `run` coefficients that are still zero; those that are not have a bit each on the way.
        for (; coefficient <= to; coefficient++) {
          const bit = coefficient < 32 ? lowBits >>> coefficient : highBits >>> (coefficient - 32);
          if ((bit & 1) === 1) at++;
          else if (--run < 0) break;
        }
        if (size === 1) {
          if (coefficient > to) return tooMany(mcu, mcus, to);
          if (coefficient < 32) lowBits |= 1 << coefficient;
          else highBits |= 1 << (coefficient - 32);
        }
        coefficient++;
      }
      if ((lowBits | highBits) !== 0) {
        low[first + mcu] = lowBits;
        high[first + mcu] = highBits;
        groups[(first + mcu) >> GROUP_BITS] = 1;
      }
      if (ended === 0) continue;
      ended--;
      at += ones(lowBits & lowMask & maskFrom(0, coefficient));
      at += ones(highBits & highMask & maskFrom(32, coefficient));
    }
    return at;
  };
}

/** The bits of the coefficients up to `to`, of the 32 from `base` on. */
function maskOf(base: number, to: number): number {
  const count = Math.min(32, Math.max(0, to - base + 1));
  return count === 32 ? -1 : (1 << count) - 1;
}

/** The bits of the coefficients from `from` on, of the 32 from `base` on. */
function maskFrom(base: number, from: number): number {
  if (from <= base) return -1;
  return from >= base + 32 ? 0 : -1 << (from - base);
}

function ones(word: number): number {
  let left = word - ((word >>> 1) & 0x55555555);
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333);
  return Math.imul((left + (left >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The number in the next `length` bits, 14 at the most. */
function numberAt(view: DataView, at: number, length: number): number {
  return length === 0 ? 0 : (view.getInt32(at >> 3) << (at & 7)) >>> (32 - length);
}

function cut(mcu: number, mcus: number): string {
  return `Expected ${mcus} blocks of the scan but its data ends in number ${mcu}`;
}

function noCode(mcu: number, mcus: number): string {
  return `Expected a Huffman code in block ${mcu} of ${mcus} of the scan but found none`;
}

function tooMany(mcu: number, mcus: number, to: number): string {
  return `Expected coefficients up to ${to} in block ${mcu} of ${mcus} of the scan but found more`;
}
