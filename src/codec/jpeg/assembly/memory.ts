/** Where things are in the linear memory. */

/** By how many bits a table is looked up. More are slower: the tables of a picture no longer fit into the fast cache. */
export const WINDOW: u32 = 11;
export const ENTRIES: u32 = 1 << WINDOW;

/**
 * The parts of a table, by their offset: the codes by the next bits (u16: length, symbol), then for each length the end
 * of its codes and what leads from a code to its symbol (u32 each), the symbols, and the chains (u16, see tables.ts).
 */
export const ENDS: u32 = ENTRIES * 2;
export const SYMBOL_OFFSETS: u32 = ENDS + 17 * 4;
export const SYMBOLS: u32 = SYMBOL_OFFSETS + 17 * 4;
/** Of the numbers after the codes, in bits (u32). */
export const MAX_SIZE: u32 = SYMBOLS + 256;
export const CHAINS: u32 = MAX_SIZE + 4;
const TABLE_BYTES: u32 = CHAINS + ENTRIES * 4;

/** A pair of tables: the addresses of the DC and the AC one, and the chains that begin with a code of DC. */
export const AC_TABLE: u32 = 4;
export const FIRST_CHAINS: u32 = 8;
const PAIR_BYTES: u32 = FIRST_CHAINS + ENTRIES * 2;

/** A Huffman table as DHT has it: how many codes there are of each length, 1 to 16, and up to 256 symbols. */
export const DEFINITION: u32 = 0x400;
/** For each block of an MCU the address of its pair of tables. */
export const LAYOUT: u32 = 0x800;
const MAX_BLOCKS: u32 = 1024;

const PAIRS: u32 = LAYOUT + 4 * MAX_BLOCKS;
/** Those of four components at the most: four for DC, then four for AC. */
const TABLES: u32 = PAIRS + 4 * PAIR_BYTES;
/** The coded data of a scan, and whatever else the caller needs after it. */
export const DATA: u32 = TABLES + 8 * TABLE_BYTES;

export function tableAt(slot: u32): u32 {
  return TABLES + slot * TABLE_BYTES;
}

export function pairAt(pair: u32): u32 {
  return PAIRS + pair * PAIR_BYTES;
}
