import { indexOfText, viewOf } from './bytes.ts';
import { readJpeg } from './jpeg-markers.ts';

/** What is wrong with the markers of a JPEG: one that no decoder knows, or no end; undefined when all is well. */
export function findMarkerFault(jpeg: Uint8Array): string | undefined {
  const { segments, hasEnd } = readJpeg(jpeg);
  const foreign = segments.find(({ marker }) => !isKnown(marker));
  if (foreign)
    return `Expected a known marker at byte ${foreign.at} but found 0x${foreign.marker.toString(16)}`;
  return hasEnd ? undefined : 'Expected an end-of-image marker but the file ends before it';
}

/**
 * Walks through every Huffman code of a baseline JPEG as a decoder would, without making pixels of it: cheaper than
 * libjpeg's smallest decode, and it sees damage in the last lines, where libvips looks away. Answers what is wrong,
 * undefined when every block is there, or 'unknown-kind' when the JPEG is progressive.
 */
export function findScanFault(jpeg: Uint8Array): string | undefined | 'unknown-kind' {
  const parts = readParts(jpeg);
  if (typeof parts === 'string') return parts;
  const tables = new Map<number, CodeTable>();
  let frame: Frame | undefined;
  let interval = 0;
  for (const { marker, payload, scan } of parts) {
    if (marker === DHT) readTables(payload, tables);
    if (marker === SOF0 || marker === SOF1) frame = readFrame(payload);
    if (marker === DRI) interval = (payload[0]! << 8) | payload[1]!;
    if (!scan) continue;
    const layout = frame && layoutOf(frame, payload, tables);
    if (!layout) return 'unknown-kind';
    const fault = walkScan(scan, layout, interval);
    if (fault) return fault;
  }
  return undefined;
}

interface Part {
  readonly marker: number;
  readonly payload: Uint8Array;
  /** Behind SOS: the coded bytes, cut at the restart markers. */
  readonly scan?: readonly Uint8Array[];
}

const [SOF0, SOF1, DHT, EOI, SOS, DRI, TEM] = [0xc0, 0xc1, 0xc4, 0xd9, 0xda, 0xdd, 0x01];
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;
const isKnown = (marker: number) =>
  (marker >= 0xc0 && marker <= 0xcf) ||
  (marker >= 0xdb && marker <= 0xef) ||
  marker === 0xfe ||
  marker === SOS;

/** Everything from SOI to EOI, or what is wrong with it. */
function readParts(jpeg: Uint8Array): Part[] | string {
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
    if (marker === undefined || !isKnown(marker))
      return `Expected a known marker at byte ${at} but found ${marker}`;
    const end = at + 2 + ((jpeg[at + 2]! << 8) | jpeg[at + 3]!);
    if (!(end >= at + 4 && end <= jpeg.length))
      return `Expected a segment at byte ${at} but the file ends in it`;
    const payload = jpeg.subarray(at + 4, end);
    at = end;
    if (marker !== SOS) parts.push({ marker, payload });
    else {
      const scan = cutAtRestarts(jpeg, end);
      parts.push({ marker, payload, scan: scan.pieces });
      at = scan.end;
    }
  }
  return 'Expected an end-of-image marker but the file ends before it';
}

/** The coded bytes from `from` to the next marker that is no restart. */
function cutAtRestarts(jpeg: Uint8Array, from: number): { pieces: Uint8Array[]; end: number } {
  const pieces: Uint8Array[] = [];
  let start = from;
  let at = indexOfText(jpeg, '\xff', from);
  while (at >= 0 && at + 1 < jpeg.length) {
    const marker = jpeg[at + 1]!;
    if (marker === 0) at = indexOfText(jpeg, '\xff', at + 2);
    else if (marker === 0xff) at++;
    else {
      pieces.push(jpeg.subarray(start, at));
      if (!isRestart(marker)) return { pieces, end: at };
      start = at + 2;
      at = indexOfText(jpeg, '\xff', start);
    }
  }
  return { pieces: [...pieces, jpeg.subarray(start)], end: jpeg.length };
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly Component[];
}

interface Component {
  readonly id: number;
  readonly across: number;
  readonly down: number;
}

function readFrame(payload: Uint8Array): Frame {
  return {
    height: (payload[1]! << 8) | payload[2]!,
    width: (payload[3]! << 8) | payload[4]!,
    components: Array.from({ length: payload[5]! }, (_, index) => {
      const sampling = payload[7 + 3 * index]!;
      return { id: payload[6 + 3 * index]!, across: sampling >> 4, down: sampling & 15 };
    }),
  };
}

interface Layout {
  readonly mcus: number;
  /** The blocks of one MCU, each with the tables of its component. */
  readonly blocks: readonly { readonly dc: CodeTable; readonly ac: CodeTable }[];
}

function layoutOf(
  frame: Frame,
  scan: Uint8Array,
  tables: ReadonlyMap<number, CodeTable>,
): Layout | undefined {
  const chosen: (Layout['blocks'][number] & { component: Component })[] = [];
  for (let index = 0; index < scan[0]!; index++) {
    const component = frame.components.find(({ id }) => id === scan[1 + 2 * index]);
    const selector = scan[2 + 2 * index]!;
    const dc = tables.get(selector >> 4);
    const ac = tables.get(0x10 | (selector & 15));
    if (!component || !dc || !ac) return undefined;
    chosen.push({ dc, ac, component });
  }
  if (chosen.length === 0) return undefined;
  const most = (of: 'across' | 'down') => Math.max(...frame.components.map((component) => component[of]));
  const [across, down] = [most('across'), most('down')];
  if (chosen.length === 1) {
    // Not interleaved: its MCU is one block, and there are only those that the picture needs.
    const { component } = chosen[0]!;
    const blocksOf = (size: number, own: number, all: number) => Math.ceil(Math.ceil((size * own) / all) / 8);
    const mcus =
      blocksOf(frame.width, component.across, across) * blocksOf(frame.height, component.down, down);
    return { mcus, blocks: chosen };
  }
  const blocks = chosen.flatMap((one) =>
    Array.from({ length: one.component.across * one.component.down }, () => one),
  );
  return { mcus: Math.ceil(frame.width / (8 * across)) * Math.ceil(frame.height / (8 * down)), blocks };
}

/** How a decoder steps on by the next bits. */
interface CodeTable {
  /** By all sixteen bits of the longest code: one symbol. 0 where no code fits. */
  readonly single: Uint16Array;
  /** By twelve bits: as many symbols as lie in them whole. 0 where there is none. */
  readonly several: Uint32Array;
}

// An entry: the bits to skip in its low byte (code and value), the coefficients to step over above, the end of block.
const BLOCK_END = 1 << 15;
const stepOf = (entry: number) => (entry >> 8) & 0x7f;

// The fast preset writes the standard's own tables, so the work is done once for them.
const KNOWN_TABLES = new Map<string, CodeTable>();
const MAX_KNOWN_TABLES = 64;

function readTables(payload: Uint8Array, tables: Map<number, CodeTable>): void {
  for (let at = 0; at + 17 <= payload.length; ) {
    const id = payload[at]!;
    const end = at + 17 + payload.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
    tables.set(id, tableOf(payload.subarray(at + 1, end), id >= 0x10));
    at = end;
  }
}

function tableOf(definition: Uint8Array, isAc: boolean): CodeTable {
  const name = `${isAc} ${Buffer.from(definition).toString('latin1')}`;
  const known = KNOWN_TABLES.get(name);
  if (known) return known;
  const { single, codeLengths } = singleSteps(definition, isAc);
  const table = { single, several: severalSteps(single, codeLengths, isAc) };
  if (KNOWN_TABLES.size < MAX_KNOWN_TABLES) KNOWN_TABLES.set(name, table);
  return table;
}

function singleSteps(
  definition: Uint8Array,
  isAc: boolean,
): { single: Uint16Array; codeLengths: Uint8Array } {
  const single = new Uint16Array(65_536);
  const codeLengths = new Uint8Array(65_536);
  let valueAt = 16;
  let code = 0;
  for (let length = 1; length <= 16; length++, code <<= 1) {
    for (let left = definition[length - 1]!; left > 0; left--, code++, valueAt++) {
      const entry = entryOf(definition[valueAt]!, length, isAc);
      const [first, behind] = [code << (16 - length), (code + 1) << (16 - length)];
      single.fill(entry, first, behind);
      codeLengths.fill(length, first, behind);
    }
  }
  return { single, codeLengths };
}

function entryOf(symbol: number, length: number, isAc: boolean): number {
  if (!isAc) return (length + symbol) | (1 << 8);
  const [run, size] = [symbol >> 4, symbol & 15];
  const isEnd = size === 0 && run < 15;
  return (length + size) | (isEnd ? BLOCK_END : (run + 1) << 8);
}

const WINDOW = 12;

function severalSteps(single: Uint16Array, codeLengths: Uint8Array, isAc: boolean): Uint32Array {
  return Uint32Array.from({ length: 1 << WINDOW }, (_, bits) => {
    let [skipped, step, end] = [0, 0, 0];
    while (skipped < WINDOW && !end && step < 32) {
      const ahead = (bits << (16 - WINDOW + skipped)) & 0xffff;
      const entry = single[ahead]!;
      // The bits behind the window are unknown, so only a code that lies in it whole is known to be this one.
      if (entry === 0 || codeLengths[ahead]! > WINDOW - skipped) break;
      skipped += entry & 0xff;
      step += stepOf(entry);
      end = entry & BLOCK_END;
      if (!isAc) break;
    }
    return skipped | (step << 8) | end;
  });
}

function walkScan(pieces: readonly Uint8Array[], layout: Layout, interval: number): string | undefined {
  let left = layout.mcus;
  for (const piece of pieces) {
    if (left === 0) return 'Expected the end of the picture but found more coded data behind it';
    const mcus = interval > 0 ? Math.min(interval, left) : left;
    const fault = walk(unstuff(piece), mcus, layout.blocks);
    if (fault) return fault;
    left -= mcus;
  }
  return left === 0 ? undefined : `Expected ${layout.mcus} blocks of the picture but ${left} are missing`;
}

/** The bits without the zeros that guard 0xff bytes, and four bytes more to look ahead into. */
function unstuff(piece: Uint8Array): Uint8Array {
  const bits = new Uint8Array(piece.length + 4);
  let to = 0;
  let from = 0;
  for (let at = indexOfText(piece, '\xff\x00'); at >= 0; at = indexOfText(piece, '\xff\x00', from)) {
    bits.set(piece.subarray(from, at + 1), to);
    to += at + 1 - from;
    from = at + 2;
  }
  bits.set(piece.subarray(from), to);
  to += piece.length - from;
  return bits.fill(0xff, to, to + 4).subarray(0, to + 4);
}

function walk(bits: Uint8Array, mcus: number, blocks: Layout['blocks']): string | undefined {
  const view = viewOf(bits);
  const end = (bits.length - 4) * 8;
  let at = 0;
  // The bits from `at` on, topmost first, and how many of them are valid.
  let next = 0;
  let valid = 0;
  for (let mcu = 0; mcu < mcus; mcu++) {
    for (let block = 0; block < blocks.length; block++) {
      let { single, several } = blocks[block]!.dc;
      const { ac } = blocks[block]!;
      let coefficient = 0;
      while (coefficient < 64) {
        if (at >= end) return `Expected ${mcus} blocks of the picture but its data ends in number ${mcu}`;
        if (valid < 16) {
          next = view.getInt32(at >> 3) << (at & 7);
          valid = 32 - (at & 7);
        }
        let entry = several[next >>> 20]!;
        // Several symbols at once must not run over the end of the block, where other tables hold.
        if (entry === 0 || coefficient + stepOf(entry) > 63) {
          entry = single[next >>> 16]!;
          if (entry === 0) return `Expected a Huffman code in block ${mcu} of ${mcus} but found none`;
        }
        const length = entry & 0xff;
        next <<= length;
        valid -= length;
        at += length;
        coefficient += stepOf(entry);
        if (entry & BLOCK_END) break;
        single = ac.single;
        several = ac.several;
      }
      if (coefficient > 64) return `Expected 64 coefficients in block ${mcu} of ${mcus}`;
    }
  }
  if (at > end) return `Expected ${mcus} blocks of the picture but the last is cut`;
  return isPadding(bits.subarray(Math.ceil(at / 8), -4))
    ? undefined
    : 'Expected the picture to end with its data';
}

// Some cameras fill up with a few bytes of one kind; what a damaged code leaves over is more, or of all kinds.
const MAX_PADDING = 16;

function isPadding(left: Uint8Array): boolean {
  return (
    left.length <= MAX_PADDING && (left.every((byte) => byte === 0) || left.every((byte) => byte === 0xff))
  );
}
