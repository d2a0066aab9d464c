import { countOf } from '../../core/readable.ts';
import { uint16At } from '../bytes.ts';
import { type Piece, type PieceWalk, type ScanOpener, scanKind, withHuffmanWalk } from './huffman-walk.ts';
import { readDefinitions, readScanHeader, type ScanHeader } from './scans.ts';
import { isFrame, type Jpeg, type JpegFrame } from './segments.ts';

/** What walking through all codes of a JPEG showed. */
export interface ScanFinding {
  /** What is wrong; undefined when every block is there. */
  readonly fault?: string;
  /** The fault is in the file; otherwise these codes cannot be read here, or they may be whole. */
  readonly isProven: boolean;
  /** Blocks of 8 x 8 samples in all scans. */
  readonly blocks: number;
  readonly oddities: readonly string[];
}

/**
 * Decodes every Huffman code of a JPEG without making pixels of it: cheaper than libjpeg's smallest decode, and it sees
 * damage in the last lines, which libvips ignores.
 */
export function walkScans({ frame, segments }: Jpeg): ScanFinding {
  const scans = segments.flatMap(({ coded }) => coded ?? []);
  const longest = Math.max(0, ...scans.map(({ length }) => length));
  return withHuffmanWalk(longest, (openScan) => {
    const state: WalkState = {
      definitions: new Map(),
      oddities: new Set(),
      openScan,
      interval: 0,
      hasFrame: false,
      blocks: 0,
      scansLeft: scans.length,
    };
    const tooMany = scans.length > MAX_SCANS && proven(`Expected at most ${MAX_SCANS} scans but found ${scans.length}`);
    const stop = tooMany || walkSegments(frame, segments, state);
    return { isProven: false, ...stop, blocks: state.blocks, oddities: [...state.oddities] };
  });
}

const [SOF0, SOF1, SOF2, DHT, RST0, DRI] = [0xc0, 0xc1, 0xc2, 0xc4, 0xd0, 0xdd];

// Encoders write some ten scans, those that search for the best split some twenty; each costs time of its own.
const MAX_SCANS = 100;

/** Why the walk ended before the end of the picture. */
type Stop = Readonly<{ fault: string; isProven: boolean }>;

function proven(fault: string): Stop {
  return { fault, isProven: true };
}

const UNREADABLE: Stop = { fault: 'its codes are not of a kind that can be checked here', isProven: false };

/** What the segments before a scan say about its codes, and what was seen. */
interface WalkState {
  readonly definitions: Map<number, Uint8Array>;
  readonly oddities: Set<string>;
  readonly openScan: ScanOpener;
  /** MCUs from one restart marker to the next; 0 without them. */
  interval: number;
  hasFrame: boolean;
  blocks: number;
  /** Scans that are still to come. */
  scansLeft: number;
}

function walkSegments(frame: JpegFrame, segments: Jpeg['segments'], state: WalkState): Stop | undefined {
  for (const { marker, payload, coded } of segments) {
    if (marker === DHT) readDefinitions(payload, state.definitions);
    if (marker === DRI) state.interval = uint16At(payload, 0);
    const stop = isFrame(marker) ? startFrame(frame, state) : coded && walkScan(payload, coded, frame, state);
    if (stop) return stop;
  }
  return undefined;
}

function startFrame({ marker, components }: JpegFrame, state: WalkState): Stop | undefined {
  // The memory for the image was estimated from the first.
  if (state.hasFrame) return proven('Expected one frame header but found a second');
  state.hasFrame = true;
  const isHuffman = marker === SOF0 || marker === SOF1 || marker === SOF2;
  // Four is CMYK; decoders take ten at the most.
  return isHuffman && components.length <= 4 ? undefined : UNREADABLE;
}

function walkScan(payload: Uint8Array, coded: Uint8Array, frame: JpegFrame, state: WalkState): Stop | undefined {
  const header = state.hasFrame && readScanHeader(payload, frame, state.definitions);
  if (!header) return proven('Expected a scan of components of the frame but found one of others');
  const isSequential = frame.marker !== SOF2;
  const kind = scanKind(frame, header);
  if (!kind) return proven(headerFault(header));
  if (isSequential && !isPlain(header)) state.oddities.add('scan fields of a progressive JPEG');
  const walk = state.openScan(coded, header, kind);
  // Frames of motion JPEG have no tables; where there are some, one that is missing was lost.
  if (!walk)
    return state.definitions.size === 0
      ? UNREADABLE
      : proven('Expected the Huffman tables of each scan but some are missing');
  state.blocks += header.mcus * header.blocks.length;
  state.scansLeft--;
  return walkPieces(walk, header, state, isSequential);
}

/** Decoders of sequential JPEGs ignore these fields, and some phones fill them with other values. */
function isPlain({ from, to, leftOutBefore, leftOut }: ScanHeader): boolean {
  return from === 0 && to === 63 && leftOutBefore === 0 && leftOut === 0;
}

function headerFault({ from, to, leftOutBefore, leftOut }: ScanHeader): string {
  return `Expected a scan of one kind but it is of coefficients ${from} to ${to}, bits ${leftOutBefore} to ${leftOut}`;
}

/** The pieces of a scan between its restart markers. */
function walkPieces(
  walk: PieceWalk,
  { mcus }: ScanHeader,
  { interval, oddities, scansLeft }: WalkState,
  isSequential: boolean,
): Stop | undefined {
  let first = 0;
  let isAfterEnd = false;
  for (let number = 0; ; number++) {
    const wanted = Math.min(interval || mcus, mcus - first);
    const piece = walk(wanted);
    const stop = wanted > 0 ? findFault(piece, first, mcus) : judgeAfterEnd(piece, isAfterEnd);
    if (stop) return stop;
    first += piece.mcus;
    const isLast = scansLeft === 0 && first === mcus;
    const left = wanted > 0 ? judgeRest(piece, isLast && isSequential, oddities) : undefined;
    if (left) return left;
    isAfterEnd = wanted === 0;
    if (piece.marker === 0) return first === mcus ? undefined : proven(missing(first, mcus));
    if (first < mcus && piece.marker !== RST0 + (number % 8))
      return proven(
        `Expected restart marker ${number % 8} after block ${first} of ${mcus} but found ${piece.marker - RST0}`,
      );
  }
}

function findFault({ fault, mcus }: Piece, first: number, total: number): Stop | undefined {
  const where = `in block ${first + mcus} of ${total}`;
  if (fault === 'cut') return proven(`Expected ${total} blocks of the picture but its data ends ${where}`);
  if (fault === 'no-code') return proven(`Expected a Huffman code ${where} but found none`);
  return fault && proven(`Expected no more coefficients than there are ${where}`);
}

// A decoder has loaded this much in advance when it reaches the last block, and does not look at it.
const MAX_STRAY_BYTES = 7;

/**
 * What follows the last code of a piece. A damaged code shifts all that come after it, so that some bytes are left over,
 * and the last code ends within a byte of data. Only where the rest of that byte is filled with ones, as encoders do,
 * may it be the true end.
 */
function judgeRest(piece: Piece, mayHoldStray: boolean, oddities: Set<string>): Stop | undefined {
  const { bytesLeft, isFilled } = piece;
  if (bytesLeft === 0 || (isFilled && isPadding(piece))) return undefined;
  const fault = `Expected the picture to end with its data but ${countOf(bytesLeft, 'byte')} of it are left`;
  if (!mayHoldStray || !isFilled || bytesLeft > MAX_STRAY_BYTES) return proven(fault);
  oddities.add(`${countOf(bytesLeft, 'stray byte')} after the picture`);
  return undefined;
}

/** Some writers put one more restart after the last block, and padding. */
function judgeAfterEnd(piece: Piece, isSecond: boolean): Stop | undefined {
  if (!isSecond && isPadding(piece)) return undefined;
  return proven('Expected the end of the picture but found more coded data after it');
}

function missing(first: number, mcus: number): string {
  return `Expected ${mcus} blocks of the picture but ${mcus - first} are missing`;
}

// Some cameras fill up with a few bytes; what a damaged code leaves over is more, or of all kinds.
const MAX_PADDING = 16;

function isPadding({ bytesLeft, isPadding }: Piece): boolean {
  return bytesLeft <= MAX_PADDING && isPadding;
}
