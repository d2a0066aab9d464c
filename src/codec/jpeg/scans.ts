/** The parts of a JPEG in the order in which a decoder meets them, and what the header of a scan asks it to do. */

export interface Part {
  readonly marker: number;
  readonly payload: Uint8Array;
  /** Behind SOS: the coded bytes, restart markers and all. */
  readonly coded?: Uint8Array;
}

const [EOI, SOS, TEM] = [0xd9, 0xda, 0x01];
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;

export function isKnownMarker(marker: number): boolean {
  const isTableOrFrame = marker >= 0xc0 && marker <= 0xcf;
  return isTableOrFrame || (marker >= 0xdb && marker <= 0xef) || marker === 0xfe || marker === SOS;
}

/** Everything from SOI to EOI, or what is wrong with it. */
export function readParts(jpeg: Uint8Array): Part[] | string {
  const parts: Part[] = [];
  let at = 2;
  while (at < jpeg.length) {
    if (jpeg[at] !== 0xff) return `Expected a marker at byte ${at} but found ${jpeg[at]}`;
    // Any number of 0xff may stand before a marker.
    while (jpeg[at + 1] === 0xff) at++;
    const marker = jpeg[at + 1];
    if (marker === EOI) return parts;
    if (marker === TEM) {
      at += 2;
      continue;
    }
    if (marker === undefined || !isKnownMarker(marker))
      return `Expected a known marker at byte ${at} but found ${marker}`;
    const end = at + 2 + ((jpeg[at + 2]! << 8) | jpeg[at + 3]!);
    if (!(end >= at + 4 && end <= jpeg.length))
      return `Expected a segment at byte ${at} but the file ends in it`;
    const payload = jpeg.subarray(at + 4, end);
    at = end;
    if (marker !== SOS) parts.push({ marker, payload });
    else {
      at = endOfCoded(jpeg, end);
      parts.push({ marker, payload, coded: jpeg.subarray(end, at) });
    }
  }
  return 'Expected an end-of-image marker but the file ends before it';
}

/** Where the next marker that is no restart lies; the end of the file where there is none. */
function endOfCoded(jpeg: Uint8Array, from: number): number {
  for (let at = markerIn(jpeg, from); at >= 0; at = markerIn(jpeg, at + 2)) {
    if (!isRestart(jpeg[at + 1]!)) return at;
  }
  return jpeg.length;
}

/** Coded bytes cut at their restart markers, one piece after the other: a small file can hold millions of markers. */
export function* piecesOf(coded: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let at = markerIn(coded, 0); at >= 0; at = markerIn(coded, start)) {
    yield coded.subarray(start, beforeFill(coded, start, at));
    start = at + 2;
  }
  yield coded.subarray(start, beforeFill(coded, start, coded.length));
}

/** Where a 0xff lies that guards no data and is not followed by another; -1 where there is none. */
function markerIn(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at)) {
    const next = bytes[at + 1];
    if (next === undefined) return -1;
    if (next !== 0 && next !== 0xff) return at;
    at += next === 0 ? 2 : 1;
  }
  return -1;
}

/** Any number of 0xff may stand before a marker; of coded data it would be followed by a zero. */
function beforeFill(coded: Uint8Array, start: number, at: number): number {
  let end = at;
  while (end > start && coded[end - 1] === 0xff) end--;
  return end;
}

export interface ScanFrame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly ScanComponent[];
}

interface ScanComponent {
  readonly id: number;
  readonly across: number;
  readonly down: number;
}

/** @param payload of SOF */
export function readScanFrame(payload: Uint8Array): ScanFrame {
  return {
    height: (payload[1]! << 8) | payload[2]!,
    width: (payload[3]! << 8) | payload[4]!,
    components: Array.from({ length: payload[5]! }, (_, index) => {
      const sampling = payload[7 + 3 * index]!;
      return { id: payload[6 + 3 * index]!, across: sampling >> 4, down: sampling & 15 };
    }),
  };
}

/** DHT: by table class and number, how many codes there are of each length and what they stand for. */
export type HuffmanDefinitions = ReadonlyMap<number, Uint8Array>;

/** Tables that no decoder takes count as not defined. @param payload of DHT */
export function readDefinitions(payload: Uint8Array, into: Map<number, Uint8Array>): void {
  for (let at = 0; at + 17 <= payload.length; ) {
    const id = payload[at]!;
    const end = at + 17 + payload.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
    const definition = payload.subarray(at + 1, end);
    if (end <= payload.length && fitsInCodes(definition)) into.set(id, definition);
    else into.delete(id);
    at = end;
  }
}

/** A code of all ones is not for use, so of each length one has to be left: what lacks it, decoders refuse. */
function fitsInCodes(definition: Uint8Array): boolean {
  let code = 0;
  for (let length = 1; length <= 16; length++) {
    code = 2 * code + definition[length - 1]!;
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
}

/** Undefined where the header names what the frame does not have. @param payload of SOS */
export function readScanHeader(
  payload: Uint8Array,
  frame: ScanFrame,
  definitions: HuffmanDefinitions,
): ScanHeader | undefined {
  const count = payload[0] ?? 0;
  const chosen: ScanHeader['blocks'][number][] = [];
  for (let at = 1; at < 1 + 2 * count; at += 2) {
    const isFree = (number: number) => chosen.every(({ component }) => component !== number);
    // Some writers give all components one name: then they come in their order.
    const component = frame.components.findIndex(({ id }, number) => id === payload[at] && isFree(number));
    if (component < 0) return undefined;
    const tables = payload[at + 1]!;
    chosen.push({ component, dc: tables >> 4, ac: tables & 15 });
  }
  if (count === 0) return undefined;
  const [from, to, bits] = payload.subarray(1 + 2 * count);
  if (from === undefined || to === undefined || bits === undefined) return undefined;
  const { mcus, blocks } = layoutOf(frame, chosen);
  return { mcus, blocks, from, to, leftOutBefore: bits >> 4, leftOut: bits & 15, definitions };
}

function layoutOf({ width, height, components }: ScanFrame, chosen: ScanHeader['blocks']) {
  const across = Math.max(...components.map((component) => component.across));
  const down = Math.max(...components.map((component) => component.down));
  const [only] = chosen;
  if (chosen.length === 1) {
    // Not interleaved: its MCU is one block, and there are only those that the picture needs.
    const own = components[only!.component]!;
    const blocksOf = (size: number, part: number, all: number) =>
      Math.ceil(Math.ceil((size * part) / all) / 8);
    return { mcus: blocksOf(width, own.across, across) * blocksOf(height, own.down, down), blocks: chosen };
  }
  const blocks = chosen.flatMap((one) => {
    const own = components[one.component]!;
    return Array.from({ length: own.across * own.down }, () => one);
  });
  return { mcus: Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down)), blocks };
}

/** Behind the bits of a piece, so that a walk can look ahead without asking. */
export const LOOK_AHEAD_BYTES = 8;

/** How many bits there are in what a walk is handed. */
export function bitsIn(piece: Uint8Array): number {
  return (piece.length - LOOK_AHEAD_BYTES) * 8;
}

/**
 * Walks through one piece of a scan: `mcus` of them from number `first` on. Answers the bit behind the last code, or
 * what is wrong.
 */
export type ScanWalk = (bits: Uint8Array, mcus: number, first: number) => number | string;
