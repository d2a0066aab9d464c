import { byteAt, viewOf } from '../bytes.ts';
import { bitsIn, codesIn, type ScanHeader, type ScanWalk } from './scans.ts';

/**
 * Walks through every Huffman code of a baseline scan as a decoder would, without making pixels of it: cheaper than
 * libjpeg's smallest decode.
 */
export function walkBaseline({ blocks, definitions }: ScanHeader): ScanWalk | 'unknown-kind' {
  const chosen: { dc: CodeTable; ac: CodeTable }[] = [];
  for (const { dc, ac } of blocks) {
    const [first, others] = [definitions.get(dc), definitions.get(0x10 | ac)];
    if (!first || !others) return 'unknown-kind';
    chosen.push({ dc: tableOf(first, false), ac: tableOf(others, true) });
  }
  return (bits, mcus) => walk(bits, mcus, chosen);
}

// One loop without calls: each step of it that became a function cost a tenth of the time.
function walk(bits: Uint8Array, mcus: number, blocks: readonly { dc: CodeTable; ac: CodeTable }[]) {
  const view = viewOf(bits);
  const end = bitsIn(bits);
  let at = 0;
  // The bits from `at` on, topmost first, and how many of them are valid.
  let next = 0;
  let valid = 0;
  for (let mcu = 0; mcu < mcus; mcu++) {
    for (const { dc, ac } of blocks) {
      let { single, several } = dc;
      let coefficient = 0;
      while (coefficient < 64) {
        if (at >= end) return `Expected ${mcus} blocks of the picture but its data ends in number ${mcu}`;
        if (valid < 16) {
          next = view.getInt32(at >> 3) << (at & 7);
          valid = 32 - (at & 7);
        }
        let entry = several[next >>> 20]!;
        // Several symbols at once must not go beyond the end of the block, where other tables apply.
        if (entry === 0 || coefficient + stepOf(entry) > 63) {
          entry = single[next >>> 16]!;
          if (entry === 0) return `Expected a Huffman code in block ${mcu} of ${mcus} but found none`;
        }
        const length = entry & 0xff;
        next <<= length;
        valid -= length;
        at += length;
        coefficient += stepOf(entry);
        if (entry & BLOCK_END) break;
        single = ac.single;
        several = ac.several;
      }
      if (coefficient > 64) return `Expected 64 coefficients in block ${mcu} of ${mcus}`;
    }
  }
  return at;
}

/** How far the next bits take a decoder. */
interface CodeTable {
  /** By all sixteen bits of the longest code: one symbol. 0 where no code fits. */
  readonly single: Uint16Array;
  /** By twelve bits: as many symbols as they hold whole. 0 where there is none. */
  readonly several: Uint32Array;
}

// An entry: the bits to skip in its low byte (code and value), the coefficients to step over above, the end of block.
const BLOCK_END = 1 << 15;
const stepOf = (entry: number) => (entry >> 8) & 0x7f;

// The fast preset writes the standard's own tables, so the work is done once for them. The least recently used goes
// first: one file with many tables of its own must not keep those of all others out.
const KNOWN_TABLES = new Map<string, CodeTable>();
const MAX_KNOWN_TABLES = 64;

/** @param definition of DHT: how many codes there are of each length, and their symbols */
function tableOf(definition: Uint8Array, isAc: boolean): CodeTable {
  const name = `${isAc} ${Buffer.from(definition).toString('latin1')}`;
  const table = KNOWN_TABLES.get(name) ?? newTable(definition, isAc);
  KNOWN_TABLES.delete(name);
  KNOWN_TABLES.set(name, table);
  const [oldest = name] = KNOWN_TABLES.keys();
  if (KNOWN_TABLES.size > MAX_KNOWN_TABLES) KNOWN_TABLES.delete(oldest);
  return table;
}

function newTable(definition: Uint8Array, isAc: boolean): CodeTable {
  const single = new Uint16Array(65_536);
  /** Of the code that the next twelve bits begin with; longer ones do not fit into them. */
  const codeLengths = new Uint8Array(1 << WINDOW).fill(WINDOW + 1);
  for (const { code, length, symbol } of codesIn(definition)) {
    single.fill(entryOf(symbol, length, isAc), code << (16 - length), (code + 1) << (16 - length));
    if (length <= WINDOW) codeLengths.fill(length, code << (WINDOW - length), (code + 1) << (WINDOW - length));
  }
  return { single, several: severalSteps(single, codeLengths, isAc) };
}

function entryOf(symbol: number, length: number, isAc: boolean): number {
  if (!isAc) return (length + symbol) | (1 << 8);
  const [run, size] = [symbol >> 4, symbol & 15];
  const isEnd = size === 0 && run < 15;
  return (length + size) | (isEnd ? BLOCK_END : (run + 1) << 8);
}

const WINDOW = 12;

function severalSteps(single: Uint16Array, codeLengths: Uint8Array, isAc: boolean): Uint32Array {
  const several = new Uint32Array(1 << WINDOW);
  for (let bits = 0; bits < several.length; bits++) {
    let skipped = 0;
    let step = 0;
    let end = 0;
    while (skipped < WINDOW && end === 0 && step < 32) {
      const ahead = (bits << skipped) & ((1 << WINDOW) - 1);
      const entry = single[ahead << (16 - WINDOW)] ?? 0;
      // The bits after the window are unknown, so only a code that is whole in it is known to be this one.
      if (entry === 0 || byteAt(codeLengths, ahead) > WINDOW - skipped) break;
      skipped += entry & 0xff;
      step += stepOf(entry);
      end = entry & BLOCK_END;
      if (!isAc) break;
    }
    several[bits] = skipped | (step << 8) | end;
  }
  return several;
}
