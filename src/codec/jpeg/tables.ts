import { byteAt } from '../bytes.ts';
import { isFrame, type Jpeg, type JpegSegment, SOS } from './segments.ts';

const [DHT, DQT, DRI] = [0xc4, 0xdb, 0xdd];

/** What is wrong with the segments that hold tables and parameters of the decoder. @see libjpeg's jdmarker.c */
export function findTableFault({ segments, frame }: Jpeg): string | undefined {
  const quantisation = new Set<number>();
  for (const segment of segments) {
    const { marker, at } = segment;
    if (!hasItsLength(segment, quantisation))
      return `Expected a segment of its own length at byte ${at} but 0x${marker.toString(16)} holds something else`;
  }
  const without = frame.components.find(({ table }) => !quantisation.has(table));
  if (without) return `Expected quantisation table ${without.table} of component ${without.id} but there is none`;
  const scaled = frame.components.find(({ horizontal, vertical }) => !isSampling(horizontal) || !isSampling(vertical));
  return scaled && `Expected sampling factors of 1 to 4 but component ${scaled.id} has others`;
}

function isSampling(factor: number): boolean {
  return factor >= 1 && factor <= 4;
}

/** Whether a segment is as long as its contents are. @param quantisation gets the numbers of its tables */
function hasItsLength({ marker, payload }: JpegSegment, quantisation: Set<number>): boolean {
  if (isFrame(marker)) return payload.length === 6 + 3 * byteAt(payload, 5);
  if (marker === SOS) return payload.length === 4 + 2 * byteAt(payload, 0);
  if (marker === DRI) return payload.length === 2;
  if (marker === DHT) return holdsTables(payload, huffmanLength);
  if (marker === DQT) return holdsTables(payload, (at) => quantisationLength(payload, at, quantisation));
  return true;
}

/** @param lengthAt of the table at this offset; 0 where it is none */
function holdsTables(payload: Uint8Array, lengthAt: (at: number, payload: Uint8Array) => number): boolean {
  let at = 0;
  while (at < payload.length) {
    const length = lengthAt(at, payload);
    if (length === 0) return false;
    at += length;
  }
  return at === payload.length;
}

/** Of class 0 or 1 and number 0 to 3, with at most 256 codes. */
function huffmanLength(at: number, payload: Uint8Array): number {
  const codes = payload.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
  return (byteAt(payload, at) & ~0x13) === 0 && codes <= 256 ? 17 + codes : 0;
}

/** Of number 0 to 3, with 64 values of one byte or of two. */
function quantisationLength(payload: Uint8Array, at: number, numbers: Set<number>): number {
  const [precision, number] = [byteAt(payload, at) >> 4, byteAt(payload, at) & 15];
  if (number > 3) return 0;
  numbers.add(number);
  return precision === 0 ? 65 : 129;
}
