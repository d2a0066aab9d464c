import { viewOf } from '../bytes.ts';
import { bitsIn, codesIn, type HuffmanDefinitions, type ScanHeader, type ScanWalk } from './scans.ts';

/**
 * Walks through the Huffman codes of the scans of one progressive JPEG, in their order. A scan that refines has a bit
 * for every coefficient that is not zero so far, so those are remembered, and nothing else of the picture.
 * @see ITU-T T.81, Annex G
 */
export function progressiveWalks(): (header: ScanHeader) => ScanWalk | string {
  const seen = new Map<number, NonZero>();
  return (header) => {
    const { from, to, blocks, mcus, leftOutBefore, leftOut } = header;
    if (!isOneKind(header))
      return `Expected a scan of one kind but it is of coefficients ${from} to ${to}, bits ${leftOutBefore} to ${leftOut}`;
    const isRefinement = leftOutBefore > 0;
    if (from === 0) return isRefinement ? refineDc(blocks.length) : walkDc(header);
    const [block] = blocks;
    const codes = block && codesOf(header.definitions, 0x10 | block.ac);
    if (!codes) return 'unknown-kind';
    const nonZero = seen.get(block.component) ?? newNonZero(mcus);
    seen.set(block.component, nonZero);
    return isRefinement ? refineAc(codes, from, to, nonZero) : walkAc(codes, from, to, nonZero);
  };
}

/** Only DC, or AC of one component; only new coefficients, or one more bit of those before. */
function isOneKind({ from, to, blocks, leftOutBefore, leftOut }: ScanHeader): boolean {
  if (leftOutBefore > 0 && leftOutBefore !== leftOut + 1) return false;
  return from === 0 ? to === 0 : from <= to && to < 64 && blocks.length === 1;
}

/**
 * By block, a bit for each coefficient that is not zero: 0 to 31, and 32 to 63. The size that a header declares costs
 * nothing: zeros take no memory until they are written over, and groups of blocks without a bit are skipped.
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
  for (const { code, length, symbol } of codesIn(definition))
    codes.fill((length << 8) | symbol, code << (16 - length), (code + 1) << (16 - length));
  return codes;
}

function walkDc({ blocks, definitions }: ScanHeader): ScanWalk | string {
  const tables = blocks.flatMap(({ dc }) => codesOf(definitions, dc) ?? []);
  if (tables.length < blocks.length) return 'unknown-kind';
  return (bits, mcus) => {
    const reader = newReader(bits);
    for (let mcu = 0; mcu < mcus; mcu++) {
      for (const codes of tables) {
        const entry = nextCode(reader, codes);
        if (entry <= 0) return faultIn(mcu, mcus, entry, 0);
        reader.at += entry & 0xff;
      }
    }
    return reader.at;
  };
}

/** One bit for each block. */
function refineDc(blocks: number): ScanWalk {
  return (bits, mcus) => (mcus * blocks > bitsIn(bits) ? faultIn(bitsIn(bits), mcus, CUT, 0) : mcus * blocks);
}

/** Where a walk is in the bits of a piece, and what it knows of the block that it is in. */
interface Reader {
  readonly view: DataView;
  readonly end: number;
  at: number;
  /** Of the blocks from this one on, how many have nothing more in this scan. */
  ended: number;
  /** The coefficients of the block that are not zero. */
  low: number;
  high: number;
}

function newReader(bits: Uint8Array): Reader {
  return { view: viewOf(bits), end: bitsIn(bits), at: 0, ended: 0, low: 0, high: 0 };
}

// What a step returns instead of a code or of the coefficient that it reached.
const [CUT, NO_CODE, TOO_MANY] = [-1, 0, -2] as const;

/** The entry of the next code, which is passed over; CUT or NO_CODE. */
function nextCode(reader: Reader, codes: Codes): number {
  const { view, at } = reader;
  if (at >= reader.end) return CUT;
  const entry = codes[(view.getInt32(at >> 3) << (at & 7)) >>> 16]!;
  reader.at += entry >> 8;
  return entry;
}

/** The number of blocks that end here, this one included. @param run of the code: how many bits the number has */
function endBand(reader: Reader, run: number): void {
  reader.ended = (1 << run) + numberAt(reader.view, reader.at, run);
  reader.at += run;
}

function setNonZero(reader: Reader, coefficient: number): void {
  if (coefficient < 32) reader.low |= 1 << coefficient;
  else reader.high |= 1 << (coefficient - 32);
}

function remember({ low, high, groups }: NonZero, block: number, reader: Reader): void {
  if ((reader.low | reader.high) === 0) return;
  low[block] = reader.low;
  high[block] = reader.high;
  groups[block >> GROUP_BITS] = 1;
}

function recall({ low, high }: NonZero, block: number, reader: Reader): void {
  reader.low = low[block] ?? 0;
  reader.high = high[block] ?? 0;
}

function walkAc(codes: Codes, from: number, to: number, nonZero: NonZero): ScanWalk {
  return (bits, mcus, first) => {
    const reader = newReader(bits);
    for (let mcu = 0; mcu < mcus; mcu += Math.max(1, reader.ended)) {
      recall(nonZero, first + mcu, reader);
      const end = readBlock(reader, codes, from, to);
      if (end <= 0) return faultIn(mcu, mcus, end, to);
      remember(nonZero, first + mcu, reader);
    }
    return reader.at;
  };
}

/** The coefficient after the last one; CUT, NO_CODE or TOO_MANY. */
function readBlock(reader: Reader, codes: Codes, from: number, to: number): number {
  reader.ended = 0;
  let coefficient = from;
  for (; coefficient <= to; coefficient++) {
    const entry = nextCode(reader, codes);
    if (entry <= 0) return entry;
    const run = (entry >> 4) & 15;
    const size = entry & 15;
    if (size === 0 && run < 15) {
      endBand(reader, run);
      return coefficient;
    }
    // A run of 15 without a value passes over one zero more.
    coefficient += run;
    if (coefficient > to) return TOO_MANY;
    if (size > 0) setNonZero(reader, coefficient);
    reader.at += size;
  }
  return coefficient;
}

function refineAc(codes: Codes, from: number, to: number, nonZero: NonZero): ScanWalk {
  const [lowMask, highMask] = [maskOf(0, to), maskOf(32, to)];
  return (bits, mcus, first) => {
    const reader = newReader(bits);
    for (let mcu = 0; mcu < mcus; mcu++) {
      const over = emptyBlocks(reader, nonZero, first + mcu);
      if (over > 0) {
        reader.ended -= over;
        mcu += over - 1;
        continue;
      }
      recall(nonZero, first + mcu, reader);
      const next = reader.ended > 0 ? from : refineBlock(reader, codes, from, to);
      if (next <= 0) return faultIn(mcu, mcus, next, to);
      remember(nonZero, first + mcu, reader);
      if (reader.ended === 0) continue;
      reader.ended--;
      reader.at += ones(reader.low & lowMask & maskFrom(0, next));
      reader.at += ones(reader.high & highMask & maskFrom(32, next));
    }
    return reader.at;
  };
}

/** How many of the next blocks have ended and are all zero so far: there is nothing to refine. */
function emptyBlocks({ ended }: Reader, { groups }: NonZero, block: number): number {
  return ended > 0 && groups[block >> GROUP_BITS] === 0 ? Math.min(ended, GROUP - (block % GROUP)) : 0;
}

/** The coefficient from which on only those are refined that are not zero; CUT, NO_CODE or TOO_MANY. */
function refineBlock(reader: Reader, codes: Codes, from: number, to: number): number {
  let coefficient = from;
  for (; coefficient <= to; coefficient++) {
    const entry = nextCode(reader, codes);
    if (entry <= 0) return entry;
    const run = (entry >> 4) & 15;
    const size = entry & 15;
    if (size > 1) return NO_CODE;
    if (size === 0 && run < 15) {
      endBand(reader, run);
      return coefficient;
    }
    reader.at += size;
    coefficient = passZeros(reader, coefficient, to, run);
    if (size === 0) continue;
    if (coefficient > to) return TOO_MANY;
    setNonZero(reader, coefficient);
  }
  return coefficient;
}

/** Over `run` coefficients that are still zero, to the next of them; those that are not have a bit each on the way. */
function passZeros(reader: Reader, from: number, to: number, run: number): number {
  const { low, high } = reader;
  let [coefficient, left] = [from, run];
  for (; coefficient <= to; coefficient++) {
    const bit = coefficient < 32 ? low >>> coefficient : high >>> (coefficient - 32);
    if ((bit & 1) === 1) reader.at++;
    else if (--left < 0) break;
  }
  return coefficient;
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

function faultIn(mcu: number, mcus: number, fault: number, to: number): string {
  if (fault === CUT) return `Expected ${mcus} blocks of the scan but its data ends in number ${mcu}`;
  const where = `in block ${mcu} of ${mcus} of the scan`;
  if (fault === NO_CODE) return `Expected a Huffman code ${where} but found none`;
  return `Expected coefficients up to ${to} ${where} but found more`;
}
