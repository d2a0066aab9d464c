/** The coded data of a scan, cut into pieces at its restart markers. */

/** The marker that ended the last piece, its second byte; 0 at the end of the data. */
export let marker: u32 = 0;
/** The bytes of the last piece that were not needed, and whether each of them is 0x00 or 0xff. */
export let bytesLeft: u32 = 0;
export let isPadding: bool = true;

/** Whether the bits of the byte where the last code ends that are no part of it are all 1, as encoders fill it. */
export let isFilled: bool = false;

let next: u32 = 0;
let dataEnd: u32 = 0;
/** The piece: where its first byte is, and where its last one ends. */
export let start: u32 = 0;
export let end: u32 = 0;

export function openData(from: u32, to: u32): void {
  next = from;
  dataEnd = to;
}

/** Moves the bytes of the next piece together: of 0xff and 0x00 only 0xff is data. */
export function openPiece(): void {
  start = next;
  end = next;
  marker = 0;
  while (next < dataEnd && marker === 0) {
    const word = load<u64>(next);
    if (next + 8 <= dataEnd && !hasFf(word)) {
      store<u64>(end, word);
      next += 8;
      end += 8;
    } else takeByte();
  }
}

// The lowest bit of each byte, and the highest.
const LOWEST: u64 = u64.MAX_VALUE / 0xff;
const HIGHEST: u64 = LOWEST << 7;

/** Whether one of the eight bytes is 0xff: the lowest of those is the first that this subtraction carries from. */
function hasFf(word: u64): bool {
  return ((~word - LOWEST) & word & HIGHEST) !== 0;
}

function takeByte(): void {
  const byte = load<u8>(next++);
  if (byte !== 0xff) {
    store<u8>(end++, byte);
    return;
  }
  // Any number of 0xff may stand before a marker.
  while (next < dataEnd && load<u8>(next) === 0xff) next++;
  if (next === dataEnd) return;
  marker = load<u8>(next++);
  if (marker === 0) store<u8>(end++, 0xff);
}

/** @param bits of the piece that were needed */
export function closePiece(bits: u64): void {
  const from = start + <u32>((bits + 7) >> 3);
  bytesLeft = end - from;
  const unused = <u32>(8 - (bits & 7)) & 7;
  const filling = (1 << unused) - 1;
  isFilled = (load<u8>(from - 1) & filling) === filling;
  isPadding = true;
  for (let at = from; at < end && isPadding; at++) isPadding = load<u8>(at) === 0 || load<u8>(at) === 0xff;
}

export function bitsInPiece(): u64 {
  return 8 * <u64>(end - start);
}

/** The 57 bits and more from this one of the piece on, the topmost first. */
export function bitsAt(at: u64): u64 {
  return bswap<u64>(load<u64>(start + <u32>(at >> 3))) << (at & 7);
}
