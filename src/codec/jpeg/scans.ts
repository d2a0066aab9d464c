import { byteAt } from '../bytes.ts';
import type { JpegFrame } from './segments.ts';

/** What the header of a scan asks a decoder to do. */

/** DHT: by table class and number, how many codes there are of each length and what they stand for. */
export type HuffmanDefinitions = ReadonlyMap<number, Uint8Array>;

/** Tables that no decoder takes count as not defined. @param payload of DHT */
export function readDefinitions(payload: Uint8Array, into: Map<number, Uint8Array>): void {
  for (let at = 0; at + 17 <= payload.length; ) {
    const id = byteAt(payload, at);
    const end = at + 17 + payload.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
    const definition = payload.subarray(at + 1, end);
    const isTaken =
      fitsInCodes(definition) && (id > 15 || definition.subarray(16).every((bits) => bits <= MAX_DC_BITS));
    if (end <= payload.length && isTaken) into.set(id, definition);
    else into.delete(id);
    at = end;
  }
}

// libjpeg refuses a DC table with other values, also where no code of the scan stands for them.
const MAX_DC_BITS = 15;

/** A code of all ones is reserved, so of each length one has to be free: decoders refuse a table without it. */
function fitsInCodes(definition: Uint8Array): boolean {
  if (definition.length > 16 + 256) return false;
  let code = 0;
  for (let length = 1; length <= 16; length++) {
    code = 2 * code + byteAt(definition, length - 1);
    if (code >= 2 ** length) return false;
  }
  return true;
}

export interface ScanHeader {
  readonly mcus: number;
  /** The blocks of one MCU: whose they are, and the numbers of their Huffman tables. */
  readonly blocks: readonly { readonly component: number; readonly dc: number; readonly ac: number }[];
  /** The coefficients that are coded here, and how many of their lowest bits are left out: before and now. */
  readonly from: number;
  readonly to: number;
  readonly leftOutBefore: number;
  readonly leftOut: number;
  readonly definitions: HuffmanDefinitions;
  readonly sampleBits: number;
}

/** Undefined where the header names what the frame does not have. @param payload of SOS */
export function readScanHeader(
  payload: Uint8Array,
  frame: JpegFrame,
  definitions: HuffmanDefinitions,
): ScanHeader | undefined {
  const count = payload[0] ?? 0;
  const chosen: ScanHeader['blocks'][number][] = [];
  for (let at = 1; at < 1 + 2 * count; at += 2) {
    const isFree = (number: number) => chosen.every(({ component }) => component !== number);
    // Some writers give all components one name: then they come in their order.
    const component = frame.components.findIndex(({ id }, number) => id === payload[at] && isFree(number));
    if (component < 0) return undefined;
    const tables = byteAt(payload, at + 1);
    chosen.push({ component, dc: tables >> 4, ac: tables & 15 });
  }
  if (count === 0) return undefined;
  const [from, to, bits] = payload.subarray(1 + 2 * count);
  if (from === undefined || to === undefined || bits === undefined) return undefined;
  const { mcus, blocks } = layoutOf(frame, chosen);
  return { mcus, blocks, from, to, leftOutBefore: bits >> 4, leftOut: bits & 15, definitions, sampleBits: frame.bits };
}

function layoutOf({ width, height, components }: JpegFrame, chosen: ScanHeader['blocks']) {
  const across = Math.max(...components.map(({ horizontal }) => horizontal));
  const down = Math.max(...components.map(({ vertical }) => vertical));
  const samplingOf = ({ component }: ScanHeader['blocks'][number]) =>
    components[component] ?? { horizontal: 1, vertical: 1 };
  const [only] = chosen;
  if (only && chosen.length === 1) {
    // Not interleaved: its MCU is one block, and there are only those that the picture needs.
    const { horizontal, vertical } = samplingOf(only);
    const blocksOf = (size: number, part: number, all: number) => Math.ceil(Math.ceil((size * part) / all) / 8);
    return { mcus: blocksOf(width, horizontal, across) * blocksOf(height, vertical, down), blocks: chosen };
  }
  const blocks = chosen.flatMap((block) => {
    const { horizontal, vertical } = samplingOf(block);
    return Array.from({ length: horizontal * vertical }, () => block);
  });
  return { mcus: Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down)), blocks };
}
