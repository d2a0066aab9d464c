import { LAYOUT, tableAt } from './memory';
import { bitsAt, bitsInPiece, openPiece } from './pieces';
import { faultAt, NO_CODE, TOO_MANY, WHOLE, walked } from './progress';
import { codeAt, isBadDc } from './tables';

/**
 * The scans of a progressive picture. One that refines has a bit for every coefficient that is not zero so far, so those
 * are remembered, and nothing else of the picture (ITU-T T.81, Annex G).
 */

/** The first scan of DC: `blocks` codes for each MCU. */
export function walkDc(mcus: u32, blocks: u32): u32 {
  openPiece();
  const total = bitsInPiece();
  const layoutEnd = LAYOUT + 4 * blocks;
  let at: u64 = 0;
  for (let mcu: u32 = 0; mcu < mcus; mcu++) {
    for (let block = LAYOUT; block < layoutEnd; block += 4) {
      const code = codeAt(load<u32>(block), <u32>(bitsAt(at) >> 48));
      if (code === 0 || isBadDc(code, true)) return faultAt(mcu, at);
      at += (code >> 8) + (code & 15);
      if (at > total) return faultAt(mcu, at);
    }
  }
  return walked(mcus, at);
}

/** One bit for each block. */
export function refineDc(mcus: u32, blocks: u32): u32 {
  openPiece();
  const bits = <u64>mcus * blocks;
  const total = bitsInPiece();
  return bits > total ? faultAt(<u32>(total / blocks), bits) : walked(mcus, bits);
}

// The blocks of a component: of each a bit for every coefficient that is not zero (u64), and of each group of 64 of them
// whether there are any (u8). The size that a header declares costs nothing: groups without are skipped.
let coefficients: u32 = 0;
let groups: u32 = 0;
/** The first block of the next piece. */
let first: u32 = 0;

const GROUP_BITS: u32 = 6;
const GROUP: u32 = 1 << GROUP_BITS;

/** @param at what is known of the component: 8 bytes for each block, and one for every 64 of them; zero at first */
export function openComponent(at: u32, blocks: u32): void {
  coefficients = at;
  groups = at + 8 * blocks;
  first = 0;
}

// What a block leaves to the next ones: how many of them have nothing more, this one included, and what was wrong.
let ended: u32 = 0;
let fault: u32 = WHOLE;

/** The first scan of these coefficients. */
export function walkAc(mcus: u32, slot: u32, from: u32, to: u32): u32 {
  openPiece();
  const total = bitsInPiece();
  const table = tableAt(slot);
  let at: u64 = 0;
  for (let mcu: u32 = 0; mcu < mcus; mcu += max(1, ended)) {
    at = readBlock(first + mcu, table, at, from, to);
    if (fault !== WHOLE || at > total) return faultAt(mcu, at, fault);
  }
  first += mcus;
  return walked(mcus, at);
}

/** @returns the bit after it, or after the code that is wrong */
function readBlock(block: u32, table: u32, start: u64, from: u32, to: u32): u64 {
  let at = start;
  let found: u64 = 0;
  ended = 0;
  fault = WHOLE;
  let bits = bitsAt(at);
  let valid: i32 = VALID;
  for (let coefficient = from; coefficient <= to; coefficient++) {
    if (valid < 32) {
      bits = bitsAt(at);
      valid = VALID;
    }
    const code = codeAt(table, <u32>(bits >> 48));
    if (code === 0) return failed(NO_CODE, at);
    const size = code & 15;
    const taken = (code >> 8) + size;
    at += taken;
    if (isBandEnd(code)) {
      at += endBand(code, bits);
      break;
    }
    // A run of 15 without a value passes over one zero more.
    coefficient += (code >> 4) & 15;
    if (coefficient > to) return failed(TOO_MANY, at);
    if (size > 0) found |= (<u64>1) << coefficient;
    bits <<= taken;
    valid -= taken;
  }
  if (found !== 0) remember(block, found);
  return at;
}

/** How many bits are known at once; a code and what belongs to it has up to 31 of them. */
const VALID: i32 = 57;

function failed(kind: u32, at: u64): u64 {
  fault = kind;
  return at;
}

function isBandEnd(code: u32): bool {
  return (code & 15) === 0 && (code & 0xf0) !== 0xf0;
}

/** Reads for how many blocks the band ends; the run of the code is how many bits that number has. */
function endBand(code: u32, bits: u64): u32 {
  const run = (code >> 4) & 15;
  ended = (1 << run) + <u32>(((bits << (code >> 8)) >> 1) >> (63 - run));
  return run;
}

function remember(block: u32, found: u64): void {
  const word = coefficients + 8 * block;
  store<u64>(word, load<u64>(word) | found);
  store<u8>(groups + (block >> GROUP_BITS), 1);
}

/** One more bit of these coefficients. */
export function refineAc(mcus: u32, slot: u32, from: u32, to: u32): u32 {
  openPiece();
  const total = bitsInPiece();
  const table = tableAt(slot);
  // A bit for each of them, and the one of the last.
  const last: u64 = (<u64>1) << to;
  const band: u64 = (last << 1) - ((<u64>1) << from);
  let at: u64 = 0;
  ended = 0;
  for (let mcu: u32 = 0; mcu < mcus; ) {
    const skipped = emptyBlocks(first + mcu);
    if (skipped > 0) {
      ended -= skipped;
      mcu += skipped;
      continue;
    }
    at = refineBlock(first + mcu, table, at, band, last);
    if (fault !== WHOLE || at > total) return faultAt(mcu, at, fault);
    mcu++;
  }
  first += mcus;
  return walked(mcus, at);
}

/** How many of the next blocks have ended and are all zero so far: there is nothing to refine. */
function emptyBlocks(block: u32): u32 {
  const isEmpty = ended > 0 && load<u8>(groups + (block >> GROUP_BITS)) === 0;
  return isEmpty ? min(ended, GROUP - (block & (GROUP - 1))) : 0;
}

/** Of the coefficients, those that were not zero before have a bit each; between these bits are the codes of new ones. */
function refineBlock(block: u32, table: u32, start: u64, band: u64, last: u64): u64 {
  // Those whose bit, or whose place, is still ahead.
  let nonZero = load<u64>(coefficients + 8 * block) & band;
  let zeros = band & ~nonZero;
  let found: u64 = 0;
  let at = start;
  let bits: u64 = 0;
  let valid: i32 = 0;
  fault = WHOLE;
  while (ended === 0) {
    if (valid < 32) {
      bits = bitsAt(at);
      valid = VALID;
    }
    const code = codeAt(table, <u32>(bits >> 48));
    const size = code & 15;
    if (code === 0 || size > 1) return failed(NO_CODE, at);
    at += (code >> 8) + size;
    if (isBandEnd(code)) {
      at += endBand(code, bits);
      break;
    }
    for (let run = (code >> 4) & 15; run > 0; run--) zeros &= zeros - 1;
    // The first zero after the run, and what is passed on the way there: all where there is none.
    const next = zeros & (0 - zeros);
    const refined = <u32>popcnt(nonZero & (next - 1));
    nonZero &= 0 - next;
    zeros ^= next;
    found |= next * size;
    at += refined;
    bits <<= (code >> 8) + size + refined;
    valid -= (code >> 8) + size + refined;
    if (next === 0 && size > 0) return failed(TOO_MANY, at);
    if (next === 0 || next === last) break;
  }
  if (found !== 0) remember(block, found);
  if (ended === 0) return at;
  ended--;
  return at + <u32>popcnt(nonZero);
}
