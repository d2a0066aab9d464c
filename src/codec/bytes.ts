/**
 * How the container parsers read and join bytes. Nothing here throws on a short file: beyond the end everything reads
 * as 0, so a parser checks the length itself wherever a 0 could be mistaken for a value.
 */

export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

export function uint16At(bytes: Uint8Array, at: number, littleEndian = false): number {
  const [first, second] = [byteAt(bytes, at), byteAt(bytes, at + 1)];
  return littleEndian ? first | (second << 8) : (first << 8) | second;
}

export function uint32At(bytes: Uint8Array, at: number, littleEndian = false): number {
  const [first, second] = [uint16At(bytes, at, littleEndian), uint16At(bytes, at + 2, littleEndian)];
  return littleEndian ? first + second * 0x10000 : first * 0x10000 + second;
}

/** A big-endian number of 0 to 8 bytes. */
export function uintAt(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let index = 0; index < length; index++) value = value * 256 + byteAt(bytes, at + index);
  return value;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes from `at` as Latin-1, fewer where the file ends. */
export function textAt(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (const byte of bytes.subarray(at, at + length)) text += String.fromCharCode(byte);
  return text;
}

export function startsWith(bytes: Uint8Array, prefix: string, at = 0): boolean {
  if (at + prefix.length > bytes.length) return false;
  for (let index = 0; index < prefix.length; index++) {
    if (bytes[at + index] !== prefix.charCodeAt(index)) return false;
  }
  return true;
}

/** Where the text first occurs from `at` on, −1 where it does not. */
export function indexOfText(bytes: Uint8Array, text: string, at = 0): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(text, at, 'latin1');
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/**
 * How many bytes follow the end of an image; 0 when they are only padding: what copying programs fill up with (zeros,
 * 0xff), white space of a text editor, or the end of the image once more.
 * @param endMarker what the format ends with, such as EOI; it holds nothing, however often it is repeated
 */
export function countTrailing(bytes: Uint8Array, end: number, endMarker: Uint8Array = NO_MARKER): number {
  for (let at = end; at < bytes.length; ) {
    const isRepeated = endMarker.length > 0 && sameBytes(bytes.subarray(at, at + endMarker.length), endMarker);
    if (!isRepeated && !PADDING.has(byteAt(bytes, at))) return bytes.length - end;
    at += isRepeated ? endMarker.length : 1;
  }
  return 0;
}

const NO_MARKER = new Uint8Array();

/** NUL, white space and 0xff. */
export const PADDING: ReadonlySet<number> = new Set([0, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0xff]);

export function joinBytes(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return joinAll(parts);
}

/** For as many parts as a file can have: arguments take space on the stack. */
export function joinAll(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 255);
}

export function uint16(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(2);
  viewOf(bytes).setUint16(0, value, littleEndian);
  return bytes;
}

export function uint32(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, littleEndian);
  return bytes;
}
