import { bitsInPiece, closePiece } from './pieces';

/** How a walk through a piece ended. */
export const WHOLE: u32 = 0;
/** The data ends within a block. */
export const CUT: u32 = 1;
export const NO_CODE: u32 = 2;
/** More coefficients than the block has left. */
export const TOO_MANY: u32 = 3;

/** The MCUs of the last piece that were decoded whole. */
export let mcusWhole: u32 = 0;

/** @param bits that the codes of the piece have */
export function walked(mcus: u32, bits: u64): u32 {
  if (bits > bitsInPiece()) return faultAt(mcus - 1, bits);
  mcusWhole = mcus;
  closePiece(bits);
  return WHOLE;
}

/** @param at the bit where the next code was looked for */
export function faultAt(mcu: u32, at: u64, fault: u32 = NO_CODE): u32 {
  mcusWhole = mcu;
  // What stands behind the data is no code of it.
  return at + (fault === NO_CODE ? 16 : 0) > bitsInPiece() ? CUT : fault;
}
