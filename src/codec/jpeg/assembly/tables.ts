import {
  AC_TABLE,
  CHAINS,
  DEFINITION,
  ENDS,
  ENTRIES,
  FIRST_CHAINS,
  MAX_SIZE,
  pairAt,
  SYMBOL_OFFSETS,
  SYMBOLS,
  tableAt,
  WINDOW,
} from './memory';

/**
 * Makes the table of this slot from the definition. A code for a number of more bits than samples come to fits nowhere.
 * @param maxSize of the numbers, in bits
 */
export function defineTable(slot: u32, maxSize: u32): void {
  const table = tableAt(slot);
  store<u32>(table + MAX_SIZE, maxSize);
  memory.fill(table, 0, ENTRIES * 2);
  memory.copy(table + SYMBOLS, DEFINITION + 16, 256);
  let code: u32 = 0;
  let symbol: u32 = 0;
  for (let length: u32 = 1; length <= 16; length++, code <<= 1) {
    const count: u32 = load<u8>(DEFINITION + length - 1);
    store<u32>(table + SYMBOL_OFFSETS + 4 * length, symbol - code);
    for (let last = code + count; code < last; code++, symbol++)
      if (length <= WINDOW) addCode(table, code, length, symbol);
    store<u32>(table + ENDS + 4 * length, code << (16 - length));
  }
}

function addCode(table: u32, code: u32, length: u32, symbol: u32): void {
  const entry = <u16>codeOf(table, length, symbol);
  const last = (code + 1) << (WINDOW - length);
  for (let bits = code << (WINDOW - length); bits < last; bits++) store<u16>(table + 2 * bits, entry);
}

/** The code that these sixteen bits begin with: its length above, its symbol below; 0 where none fits. */
export function codeAt(table: u32, bits: u32): u32 {
  const entry: u32 = load<u16>(table + ((bits >> (16 - WINDOW)) << 1));
  if (entry === 0) return longCodeAt(table, bits);
  return entry === TOO_LARGE ? 0 : entry;
}

function longCodeAt(table: u32, bits: u32): u32 {
  for (let length = WINDOW + 1; length <= 16; length++) {
    if (bits >= load<u32>(table + ENDS + 4 * length)) continue;
    const symbol = (bits >> (16 - length)) + load<u32>(table + SYMBOL_OFFSETS + 4 * length);
    const code = codeOf(table, length, symbol);
    return code === TOO_LARGE ? 0 : code;
  }
  return 0;
}

function codeOf(table: u32, length: u32, at: u32): u32 {
  const symbol: u32 = load<u8>(table + SYMBOLS + at);
  return (symbol & 15) > load<u32>(table + MAX_SIZE) ? TOO_LARGE : (length << 8) | symbol;
}

/** In place of a code: longer than any, so that no chain holds it. */
const TOO_LARGE: u32 = 0xffff;

/**
 * An entry of a chain, and of a step: how many bits the codes and their numbers have, and above how many coefficients
 * they stand for. A chain is as many codes as are known whole from the next bits.
 */
export const STEP: u32 = 5;
export const LENGTH_MASK: u32 = (1 << STEP) - 1;
/** Added to the step at the end of a block. */
export const BLOCK_END: u32 = 128;
/** The step of what is no chain: it leads out of any block. */
const NONE: u32 = 256;

/** The step that one code takes, a DC or an AC one. */
export function stepOf(code: u32, isDc: bool): u32 {
  const symbol = code & 0xff;
  const size = symbol & 15;
  const run = symbol >> 4;
  const isEnd = !isDc && size === 0 && run < 15;
  return ((code >> 8) + size) | ((isEnd ? BLOCK_END : isDc ? 1 : run + 1) << STEP);
}

/** The chains of an AC table, by one bit, by two, and so on. */
export function chainTable(slot: u32): void {
  const table = tableAt(slot);
  for (let bits: u32 = 1; bits <= WINDOW; bits++) addChains(chainsOf(table, bits), bits, table, table, false);
}

/** By `bits` bits: there are two of one bit before, four of two, and so on. */
export function chainsOf(acTable: u32, bits: u32): u32 {
  return acTable + CHAINS + ((1 << bits) << 1);
}

/** Both tables of a component, and the chains that begin with its DC. */
export function pairTables(pair: u32, dcSlot: u32, acSlot: u32): void {
  const at = pairAt(pair);
  store<u32>(at, tableAt(dcSlot));
  store<u32>(at + AC_TABLE, tableAt(acSlot));
  addChains(at + FIRST_CHAINS, WINDOW, tableAt(dcSlot), tableAt(acSlot), true);
}

function addChains(into: u32, bits: u32, first: u32, acTable: u32, isDc: bool): void {
  const count: u32 = 1 << bits;
  for (let window: u32 = 0; window < count; window++) {
    const code: u32 = load<u16>(first + ((window << (WINDOW - bits)) << 1));
    const isWhole = code !== 0 && code >> 8 <= bits && !isBadDc(code, isDc);
    store<u16>(into + 2 * window, <u16>(isWhole ? chainFrom(stepOf(code, isDc), window, bits, acTable) : NONE << STEP));
  }
}

/** A difference of DC has fifteen bits at the most. */
export function isBadDc(code: u32, isDc: bool): bool {
  return isDc && (code & 0xff) > 15;
}

/** The step with those that follow it. The chains of fewer bits are there already. */
function chainFrom(step: u32, window: u32, bits: u32, acTable: u32): u32 {
  const length = step & LENGTH_MASK;
  if (length >= bits || step >> STEP >= BLOCK_END) return step;
  const left = bits - length;
  const rest: u32 = load<u16>(chainsOf(acTable, left) + ((window & ((1 << left) - 1)) << 1));
  const isInBlock = (step >> STEP) + ((rest >> STEP) & (BLOCK_END - 1)) <= 64;
  return rest < NONE << STEP && isInBlock ? step + rest : step;
}
