import { AC_TABLE, FIRST_CHAINS, LAYOUT, WINDOW } from './memory';
import { bitsAt, bitsInPiece, end, openPiece, start } from './pieces';
import { faultAt, TOO_MANY, walked } from './progress';
import { BLOCK_END, chainsOf, codeAt, isBadDc, LENGTH_MASK, STEP, stepOf } from './tables';

/**
 * Decodes the next piece of a baseline scan: every code of `mcus` MCUs, `blocks` blocks each.
 * @returns WHOLE, CUT, NO_CODE or TOO_MANY
 */
export function walkBaseline(mcus: u32, blocks: u32): u32 {
  openPiece();
  const layoutEnd = LAYOUT + 4 * blocks;
  const lastByte = end;
  // The next bits, topmost first, how many of them are valid, and the byte after those.
  let bits: u64 = 0;
  let valid: u32 = 0;
  let at = start;
  for (let mcu: u32 = 0; mcu < mcus; mcu++) {
    for (let block = LAYOUT; block < layoutEnd; block += 4) {
      const pair = load<u32>(block);
      const acChains = chainsOf(load<u32>(pair + AC_TABLE), WINDOW);
      let chains = pair + FIRST_CHAINS;
      let coefficient: u32 = 0;
      while (true) {
        let step: u32;
        // No other branch and no call in here: this is where the time goes.
        do {
          if (valid < 32) {
            bits |= (<u64>bswap<u32>(load<u32>(at))) << (32 - valid);
            valid += 32;
            at += 4;
          }
          step = load<u16>(chains + ((<u32>(bits >> (64 - WINDOW))) << 1));
          bits <<= step & LENGTH_MASK;
          valid -= step & LENGTH_MASK;
          coefficient += step >> STEP;
          chains = acChains;
        } while (coefficient < 64);
        if (isBlockEnd(coefficient)) break;
        // A code that is longer than the window, or a chain that goes on in the next block: the first code alone.
        coefficient -= step >> STEP;
        const from = 8 * <u64>(at - start) - valid - (step & LENGTH_MASK);
        step = stepAt(pair, from, coefficient === 0);
        if (step === 0) return faultAt(mcu, from);
        coefficient += step >> STEP;
        const to = from + (step & LENGTH_MASK);
        at = start + <u32>(to >> 3) + 4;
        bits = bitsAt(to) & ~(<u64>0xffffffff >> (to & 7));
        valid = 32 - <u32>(to & 7);
        if (coefficient < 64) continue;
        if (!isBlockEnd(coefficient)) return faultAt(mcu, to, TOO_MANY);
        break;
      }
      if (at - (valid >> 3) > lastByte) return faultAt(mcu, bitsInPiece());
    }
  }
  return walked(mcus, 8 * <u64>(at - start) - valid);
}

/** 64 coefficients, or fewer and the end. */
function isBlockEnd(coefficient: u32): bool {
  return coefficient === 64 || coefficient - BLOCK_END < 64;
}

/** The step of the one code here; 0 where there is none. */
function stepAt(pair: u32, at: u64, isDc: bool): u32 {
  const code = codeAt(load<u32>(isDc ? pair : pair + AC_TABLE), <u32>(bitsAt(at) >> 48));
  return code === 0 || isBadDc(code, isDc) ? 0 : stepOf(code, isDc);
}
