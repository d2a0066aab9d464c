import { byteAt } from '../bytes.ts';

/** What the sequence header of AV1 data says about its frames (AV1 specification, 5.5). */
export interface Av1Sequence {
  /** Of the largest frame: a decoder allocates memory for it. */
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 10 | 12;
  readonly isGrey: boolean;
  /** Samples use all values and not only 16 to 235. */
  readonly isFullRange: boolean;
}

const SEQUENCE_HEADER = 1;

/** Undefined where the data have no sequence header or it cannot be read. */
export function readAv1Sequence(data: Uint8Array): Av1Sequence | undefined {
  for (let at = 0; at < data.length; ) {
    const unit = readUnit(data, at);
    if (unit.end > data.length) return undefined;
    if (unit.type === SEQUENCE_HEADER) return readSequenceHeader(new Bits(data.subarray(unit.from, unit.end)));
    at = unit.end;
  }
  return undefined;
}

function readUnit(data: Uint8Array, at: number): { type: number; from: number; end: number } {
  const head = byteAt(data, at);
  const [type, hasExtension, hasLength] = [(head >> 3) & 15, (head & 4) !== 0, (head & 2) !== 0];
  const lengthAt = at + (hasExtension ? 2 : 1);
  // The last unit may leave out its length.
  if (!hasLength) return { type, from: lengthAt, end: Math.max(data.length, lengthAt) };
  const { value, bytes } = readLeb128(data, lengthAt);
  return { type, from: lengthAt + bytes, end: lengthAt + bytes + value };
}

function readLeb128(data: Uint8Array, at: number): { value: number; bytes: number } {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = byteAt(data, at + index);
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { value, bytes: index + 1 };
  }
  return { value: Number.POSITIVE_INFINITY, bytes: 8 };
}

/** Reads bits one after another; beyond the end they are 0. */
class Bits {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  take(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++, this.#at++)
      value = value * 2 + ((byteAt(this.#data, this.#at >> 3) >> (7 - (this.#at & 7))) & 1);
    return value;
  }

  flag(): boolean {
    return this.take(1) === 1;
  }

  get isPastEnd(): boolean {
    return this.#at > this.#data.length * 8;
  }
}

function readSequenceHeader(bits: Bits): Av1Sequence | undefined {
  const profile = bits.take(3);
  // still_picture.
  bits.take(1);
  const isReduced = bits.flag();
  if (isReduced) bits.take(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits.take(4) + 1, bits.take(4) + 1];
  const size = { width: bits.take(widthBits) + 1, height: bits.take(heightBits) + 1 };
  skipTools(bits, isReduced);
  const sequence = { ...size, ...readColourConfig(bits, profile) };
  return bits.isPastEnd ? undefined : sequence;
}

function skipOperatingPoints(bits: Bits): void {
  const delayLength = skipTiming(bits);
  const hasDisplayDelay = bits.flag();
  const count = bits.take(5) + 1;
  for (let point = 0; point < count && !bits.isPastEnd; point++) {
    bits.take(12);
    if (bits.take(5) > 7) bits.take(1);
    if (delayLength > 0 && bits.flag()) bits.take(2 * delayLength + 1);
    if (hasDisplayDelay && bits.flag()) bits.take(4);
  }
}

/** How many bits a buffer delay has; 0 where there is no decoder model. */
function skipTiming(bits: Bits): number {
  if (!bits.flag()) return 0;
  bits.take(64);
  if (bits.flag()) skipUvlc(bits);
  if (!bits.flag()) return 0;
  const delayLength = bits.take(5) + 1;
  bits.take(32 + 5 + 5);
  return delayLength;
}

function skipUvlc(bits: Bits): void {
  let zeros = 0;
  while (!bits.flag() && !bits.isPastEnd) zeros++;
  if (zeros < 32) bits.take(zeros);
}

/** The coding tools between the size and the colours. */
function skipTools(bits: Bits, isReduced: boolean): void {
  const hasFrameIds = !isReduced && bits.flag();
  if (hasFrameIds) bits.take(4 + 3);
  bits.take(3);
  if (!isReduced) skipInterTools(bits);
  bits.take(3);
}

function skipInterTools(bits: Bits): void {
  bits.take(4);
  const hasOrderHint = bits.flag();
  if (hasOrderHint) bits.take(2);
  // Screen content tools: chosen by each frame, or by the next bit.
  const hasScreenTools = bits.flag() || bits.flag();
  if (hasScreenTools && !bits.flag()) bits.take(1);
  if (hasOrderHint) bits.take(3);
}

function readColourConfig(bits: Bits, profile: number): Pick<Av1Sequence, 'bits' | 'isGrey' | 'isFullRange'> {
  const isDeep = bits.flag();
  const depth = isDeep ? (profile === 2 && bits.flag() ? 12 : 10) : 8;
  const isGrey = profile !== 1 && bits.flag();
  const [primaries, transfer, matrix] = bits.flag() ? [bits.take(8), bits.take(8), bits.take(8)] : [2, 2, 2];
  const isRgb = !isGrey && primaries === 1 && transfer === 13 && matrix === 0;
  return { bits: depth, isGrey, isFullRange: isRgb || bits.flag() };
}
