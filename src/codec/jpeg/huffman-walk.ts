import type { ScanHeader } from './scans.ts';
import { isProgressive, type JpegFrame } from './segments.ts';
import { WALK_MODULE } from './walk-module.ts';

/**
 * Decodes the Huffman codes of scans without making pixels of them: the module that is written in assembly/. It says what
 * it found; whether that is damage is decided by its caller.
 */

/** What the codes of a scan are: those of a sequential picture, or one of the four kinds of a progressive one. */
export type ScanKind = 'sequential' | 'dc' | 'dc-refinement' | 'ac' | 'ac-refinement';

/** Undefined where a scan of a progressive picture is of none of its kinds. */
export function scanKind(frame: JpegFrame, header: ScanHeader): ScanKind | undefined {
  return isProgressive(frame) ? progressiveKind(header) : 'sequential';
}

/** Only DC, or AC of one component; only new coefficients, or one more bit of those before. */
function progressiveKind({ from, to, blocks, leftOutBefore, leftOut }: ScanHeader): ScanKind | undefined {
  const isRefinement = leftOutBefore > 0;
  if (isRefinement && leftOutBefore !== leftOut + 1) return undefined;
  if (from === 0) return to === 0 ? (isRefinement ? 'dc-refinement' : 'dc') : undefined;
  if (from > to || to > 63 || blocks.length !== 1) return undefined;
  return isRefinement ? 'ac-refinement' : 'ac';
}

/** What is between two restart markers. */
export interface Piece {
  /** How many MCUs of it were decoded whole. */
  readonly mcus: number;
  /** Why not all: the data ends, no code fits, or there are more coefficients than the block has. */
  readonly fault?: 'cut' | 'no-code' | 'too-many';
  /** Of a piece without a fault: the bytes that were not needed, and whether each of them is 0x00 or 0xff. */
  readonly bytesLeft: number;
  readonly isPadding: boolean;
  /** Whether the bits of the byte where the last code ends that are no part of it are all 1, as encoders fill it. */
  readonly isFilled: boolean;
  /** The second byte of the marker that ended it; 0 at the end of the scan. */
  readonly marker: number;
}

/** Decodes the next piece of a scan, so many MCUs of it. */
export type PieceWalk = (mcus: number) => Piece;

/** Starts a scan; undefined where one of its Huffman tables is missing. */
export type ScanOpener = (coded: Uint8Array, header: ScanHeader, kind: ScanKind) => PieceWalk | undefined;

/**
 * Calls `use` with what opens the scans of one picture, in their order. Nothing of it may be used afterwards.
 * @param longest of the scans, in bytes
 */
export function withHuffmanWalk<T>(longest: number, use: (openScan: ScanOpener) => T): T {
  instance ??= newInstance();
  try {
    return use(scanOpener(instance, longest));
  } finally {
    if (instance.memory.buffer.byteLength > MAX_KEPT_BYTES) instance = undefined;
  }
}

// The memory of an instance never shrinks: one that a large picture needed goes with it. A new one for every picture
// would make V8 collect every few of them.
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
let instance: WalkInstance | undefined;
let compiled: WebAssembly.Module | undefined;

/** What assembly/walk.ts exports. */
interface WalkInstance {
  readonly memory: WebAssembly.Memory;
  readonly DEFINITION: WebAssembly.Global;
  readonly LAYOUT: WebAssembly.Global;
  readonly DATA: WebAssembly.Global;
  tableAt(slot: number): number;
  pairAt(pair: number): number;
  defineTable(slot: number, maxSize: number): void;
  chainTable(slot: number): void;
  pairTables(pair: number, dc: number, ac: number): void;
  openData(from: number, to: number): void;
  openComponent(at: number, blocks: number): void;
  walkBaseline(mcus: number, blocks: number): number;
  walkDc(mcus: number, blocks: number): number;
  refineDc(mcus: number, blocks: number): number;
  walkAc(mcus: number, slot: number, from: number, to: number): number;
  refineAc(mcus: number, slot: number, from: number, to: number): number;
  readonly mcusWhole: WebAssembly.Global;
  readonly bytesLeft: WebAssembly.Global;
  readonly isPadding: WebAssembly.Global;
  readonly isFilled: WebAssembly.Global;
  readonly marker: WebAssembly.Global;
}

function newInstance(): WalkInstance {
  compiled ??= new WebAssembly.Module(Buffer.from(WALK_MODULE, 'base64'));
  return new WebAssembly.Instance(compiled).exports as WalkInstance;
}

/** The module and its memory while the scans of one picture go through it. */
interface Picture {
  readonly walk: WalkInstance;
  /** Where there is nothing yet. */
  freeAt: number;
  /** Up to here the memory may hold what other pictures left. */
  readonly usedBefore: number;
  /** By component, where the module remembers which coefficients are not zero. */
  readonly components: Map<number, number>;
}

function scanOpener(walk: WalkInstance, longest: number): ScanOpener {
  const usedBefore = walk.memory.buffer.byteLength;
  const picture: Picture = { walk, freeAt: walk.DATA.value, usedBefore, components: new Map() };
  reserve(picture, longest + LOOK_AHEAD_BYTES);
  return (coded, header, kind) => {
    const step = STEPS[kind](picture, header);
    if (!step) return undefined;
    bytesOf(picture).set(coded, walk.DATA.value);
    walk.openData(walk.DATA.value, walk.DATA.value + coded.length);
    return (mcus) => {
      const fault = FAULTS[step(mcus)];
      return {
        mcus: walk.mcusWhole.value,
        fault,
        bytesLeft: walk.bytesLeft.value,
        isPadding: walk.isPadding.value !== 0,
        isFilled: walk.isFilled.value !== 0,
        marker: walk.marker.value,
      };
    };
  };
}

// Only between two blocks does the module ask whether the data has ended, and a block has 64 codes of 31 bits at the most.
const LOOK_AHEAD_BYTES = 1024;

const PAGE_BYTES = 65_536;

/** The address of so many bytes more. */
function reserve(picture: Picture, bytes: number): number {
  const at = picture.freeAt;
  picture.freeAt += 8 * Math.ceil(bytes / 8);
  const { memory } = picture.walk;
  const missing = picture.freeAt - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  return at;
}

/** Until the memory grows. */
function bytesOf({ walk }: Picture): Uint8Array {
  return new Uint8Array(walk.memory.buffer);
}

const FAULTS = [undefined, 'cut', 'no-code', 'too-many'] as const;

type Step = (mcus: number) => number;

/** Prepares the tables and whatever else a kind of scan needs. */
const STEPS: Readonly<Record<ScanKind, (picture: Picture, header: ScanHeader) => Step | undefined>> = {
  sequential: (picture, header) => {
    const { walk } = picture;
    const { blocks } = header;
    const dcs = unique(blocks.map(({ dc }) => dc));
    const acs = unique(blocks.map(({ ac }) => ac));
    const pairs = unique(blocks.map(pairOf));
    if (!defineTables(picture, header, 0, dcs) || !defineTables(picture, header, FIRST_AC, acs)) return undefined;
    for (const slot of acs.keys()) walk.chainTable(FIRST_AC + slot);
    for (const [index, pair] of pairs.entries())
      walk.pairTables(index, dcs.indexOf(pair >> 4), FIRST_AC + acs.indexOf(pair & 15));
    layOut(
      picture,
      blocks.map((block) => walk.pairAt(pairs.indexOf(pairOf(block)))),
    );
    return (mcus) => walk.walkBaseline(mcus, blocks.length);
  },
  dc: (picture, header) => {
    const { walk } = picture;
    const { blocks } = header;
    const dcs = unique(blocks.map(({ dc }) => dc));
    if (!defineTables(picture, header, 0, dcs)) return undefined;
    layOut(
      picture,
      blocks.map(({ dc }) => walk.tableAt(dcs.indexOf(dc))),
    );
    return (mcus) => walk.walkDc(mcus, blocks.length);
  },
  'dc-refinement':
    ({ walk }, { blocks }) =>
    (mcus) =>
      walk.refineDc(mcus, blocks.length),
  ac: (picture, header) =>
    openBand(picture, header) && ((mcus) => picture.walk.walkAc(mcus, FIRST_AC, header.from, header.to)),
  'ac-refinement': (picture, header) =>
    openBand(picture, header) && ((mcus) => picture.walk.refineAc(mcus, FIRST_AC, header.from, header.to)),
};

/** The slots of tables: four for DC, and then four for AC. */
const FIRST_AC = 4;

const pairOf = ({ dc, ac }: ScanHeader['blocks'][number]) => (dc << 4) | ac;

function unique(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

/** Whether there are all of these; each goes into a slot of its own. @see ITU-T T.81, tables F.1 and F.2 */
function defineTables(
  picture: Picture,
  { definitions, sampleBits }: ScanHeader,
  slot: number,
  numbers: readonly number[],
): boolean {
  const { walk } = picture;
  return numbers.every((number, index) => {
    const definition = definitions.get(slot === FIRST_AC ? 0x10 | number : number);
    if (!definition) return false;
    bytesOf(picture).set(definition, walk.DEFINITION.value);
    walk.defineTable(slot + index, sampleBits > 8 ? 15 : slot === FIRST_AC ? 10 : 11);
    return true;
  });
}

/** @param addresses of the tables, by the blocks of an MCU */
function layOut({ walk }: Picture, addresses: readonly number[]): void {
  new Uint32Array(walk.memory.buffer, walk.LAYOUT.value, addresses.length).set(addresses);
}

/** A scan of AC has one component, and each of its MCUs is a block. */
function openBand(picture: Picture, header: ScanHeader): true | undefined {
  const [block] = header.blocks;
  if (!block || !defineTables(picture, header, FIRST_AC, [block.ac])) return undefined;
  const at = picture.components.get(block.component) ?? reserveComponent(picture, header.mcus);
  picture.components.set(block.component, at);
  picture.walk.openComponent(at, header.mcus);
  return true;
}

/** The size that a header declares costs nothing: what was never used is zero, and takes no memory until it is written. */
function reserveComponent(picture: Picture, blocks: number): number {
  const at = reserve(picture, 8 * blocks + Math.ceil(blocks / 64));
  const end = Math.min(picture.freeAt, picture.usedBefore);
  if (at < end) bytesOf(picture).fill(0, at, end);
  return at;
}
