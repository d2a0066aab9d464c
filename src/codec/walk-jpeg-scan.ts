import { indexOfText, viewOf } from './bytes.ts';

/**
 * Walks through every Huffman code of a baseline JPEG in one scan, as a decoder would, without making pixels of it:
 * a quarter of what libjpeg's smallest decode costs, and stricter. Answers what is wrong, undefined when every block
 * is there and nothing is left over, and 'unknown-kind' when it is no such JPEG.
 */
export function findScanFault(jpeg: Uint8Array): string | undefined | 'unknown-kind' {
  const layout = readLayout(jpeg);
  if (!layout) return 'unknown-kind';
  if (jpeg.at(-2) !== 0xff || jpeg.at(-1) !== 0xd9) return 'Expected an end-of-image marker at the end';
  const bits = unstuff(jpeg.subarray(layout.scanAt, jpeg.length - 2));
  if (!bits) return 'Expected one scan without markers inside';
  return walk(bits, layout);
}

interface Layout {
  readonly mcus: number;
  /** The blocks of one MCU, each with the tables of its component. */
  readonly blocks: readonly { readonly dc: Uint16Array; readonly ac: Uint16Array }[];
  readonly scanAt: number;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly { readonly id: number; readonly across: number; readonly down: number }[];
}

const DHT = 0xc4;
const SOF0 = 0xc0;
const SOS = 0xda;
const DRI = 0xdd;

function readLayout(jpeg: Uint8Array): Layout | undefined {
  const tables = new Map<number, Uint16Array>();
  let frame: Frame | undefined;
  for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff; ) {
    const marker = jpeg[at + 1]!;
    const end = at + 2 + ((jpeg[at + 2]! << 8) | jpeg[at + 3]!);
    const payload = jpeg.subarray(at + 4, end);
    if (marker === DRI) return undefined;
    if (marker === DHT) readTables(payload, tables);
    if (marker === SOF0) frame = readFrame(payload);
    if (marker === SOS) return frame && layoutOf(frame, payload, tables, end);
    at = end;
  }
  return undefined;
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

function layoutOf(
  frame: Frame,
  scan: Uint8Array,
  tables: ReadonlyMap<number, Uint16Array>,
  scanAt: number,
): Layout | undefined {
  const count = scan[0]!;
  if (count !== frame.components.length) return undefined;
  const blocks: { dc: Uint16Array; ac: Uint16Array }[] = [];
  for (let index = 0; index < count; index++) {
    const component = frame.components.find(({ id }) => id === scan[1 + 2 * index]);
    const selector = scan[2 + 2 * index]!;
    const dc = tables.get(selector >> 4);
    const ac = tables.get(0x10 | (selector & 15));
    if (!component || !dc || !ac) return undefined;
    // A scan of one component is not interleaved: its MCU is one block, whatever its sampling says.
    const repeats = count === 1 ? 1 : component.across * component.down;
    for (let block = 0; block < repeats; block++) blocks.push({ dc, ac });
  }
  const across = count === 1 ? 1 : Math.max(...frame.components.map((component) => component.across));
  const down = count === 1 ? 1 : Math.max(...frame.components.map((component) => component.down));
  return {
    mcus: Math.ceil(frame.width / (8 * across)) * Math.ceil(frame.height / (8 * down)),
    blocks,
    scanAt,
  };
}

/**
 * A lookup by the next bits: the first 1,024 entries by ten bits, which nearly all codes fit in and the nearest cache
 * holds, the others by all sixteen. An entry holds the bits to skip (code and value together) in its low byte and the
 * coefficients to step over above it; 0 where no code fits, BLOCK_END at the end of a block.
 */
function readTables(payload: Uint8Array, tables: Map<number, Uint16Array>): void {
  for (let at = 0; at + 17 <= payload.length; ) {
    const id = payload[at]!;
    const lookup = new Uint16Array(SHORT_CODES + 65_536);
    let valueAt = at + 17;
    let code = 0;
    for (let length = 1; length <= 16; length++, code <<= 1) {
      for (let left = payload[at + length]!; left > 0; left--, code++, valueAt++) {
        const entry = entryOf(payload[valueAt]!, length, id >= 0x10);
        lookup.fill(
          entry,
          SHORT_CODES + (code << (16 - length)),
          SHORT_CODES + ((code + 1) << (16 - length)),
        );
        if (length <= 10) lookup.fill(entry, code << (10 - length), (code + 1) << (10 - length));
      }
    }
    tables.set(id, lookup);
    at = valueAt;
  }
}

const SHORT_CODES = 1024;
const BLOCK_END = 128;

function entryOf(symbol: number, length: number, isAc: boolean): number {
  if (!isAc) return (length + symbol) | (1 << 8);
  const [run, size] = [symbol >> 4, symbol & 15];
  const step = size === 0 && run < 15 ? BLOCK_END : run + 1;
  return (length + size) | (step << 8);
}

/** The scan's bits without the zeros that guard its 0xff bytes; undefined when a marker stands inside. */
function unstuff(scan: Uint8Array): Uint8Array | undefined {
  // Two bytes behind the end can be looked at, ones as the padding is.
  const bits = new Uint8Array(scan.length + 4).fill(0xff, scan.length);
  let to = 0;
  let from = 0;
  for (let at = indexOfText(scan, '\xff'); at >= 0; at = indexOfText(scan, '\xff', from)) {
    if (scan[at + 1] !== 0) return undefined;
    bits.set(scan.subarray(from, at + 1), to);
    to += at + 1 - from;
    from = at + 2;
  }
  bits.set(scan.subarray(from), to);
  to += scan.length - from;
  bits.fill(0xff, to, to + 4);
  return bits.subarray(0, to + 4);
}

function walk(bits: Uint8Array, { mcus, blocks }: Layout): string | undefined {
  const view = viewOf(bits);
  const end = (bits.length - 4) * 8;
  const dcTables = blocks.map(({ dc }) => dc);
  const acTables = blocks.map(({ ac }) => ac);
  const count = blocks.length;
  let at = 0;
  // The bits from `at` on, topmost first, and how many of them are valid.
  let next = 0;
  let valid = 0;
  for (let mcu = 0; mcu < mcus; mcu++) {
    if (at > end) return `Expected ${mcus} blocks of the picture but its scan ends in ${mcu}`;
    for (let block = 0; block < count; block++) {
      let table = dcTables[block]!;
      let coefficient = 0;
      while (coefficient < 64) {
        if (valid < 16) {
          next = view.getInt32(at >> 3) << (at & 7);
          valid = 32 - (at & 7);
        }
        const entry = table[next >>> 22]! || table[SHORT_CODES + (next >>> 16)]!;
        if (entry === 0) return faultAt(mcu, mcus);
        const length = entry & 0xff;
        next <<= length;
        valid -= length;
        at += length;
        coefficient += entry >> 8;
        table = acTables[block]!;
      }
      if (coefficient > 64 && coefficient < BLOCK_END) return faultAt(mcu, mcus);
    }
  }
  const length = Math.ceil(at / 8);
  return length * 8 === end ? undefined : `Expected a scan of ${length} bytes but it has ${end / 8}`;
}

function faultAt(mcu: number, mcus: number): string {
  return `Expected a Huffman code in block ${mcu} of ${mcus} but found none`;
}
