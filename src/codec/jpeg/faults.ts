import { indexOfText } from '../bytes.ts';
import { walkBaseline } from './huffman-baseline.ts';
import { progressiveWalks } from './huffman-progressive.ts';
import {
  bitsIn,
  isKnownMarker,
  LOOK_AHEAD_BYTES,
  piecesOf,
  readDefinitions,
  readParts,
  readScanFrame,
  readScanHeader,
  type ScanFrame,
  type ScanHeader,
  type ScanWalk,
} from './scans.ts';
import { isFrame, isProgressive, type Jpeg, readJpeg } from './segments.ts';

/** What is wrong with the markers of a JPEG: one no decoder knows, no end, a colour without a scan; undefined when all is well. */
export function findMarkerFault(bytes: Uint8Array): string | undefined {
  const jpeg = readJpeg(bytes);
  const foreign = jpeg.segments.find(({ marker }) => !isKnownMarker(marker));
  if (foreign)
    return `Expected a known marker at byte ${foreign.at} but found 0x${foreign.marker.toString(16)}`;
  if (!jpeg.hasEnd) return 'Expected an end-of-image marker but the file ends before it';
  return findMissingScan(jpeg);
}

/** Decoders fill a component that no scan brings with one value, and do not complain. */
function findMissingScan({ frame, segments }: Jpeg): string | undefined {
  const scanned = new Set<number>();
  for (const { marker, payload } of segments) {
    if (marker !== SOS) continue;
    const headerEnd = 1 + 2 * payload[0]!;
    // A progressive picture is there with its first coefficients; all that follows refines it.
    const isRefinement = isProgressive(frame) && payload[headerEnd] !== 0;
    for (let at = 1; at < headerEnd && !isRefinement; at += 2) scanned.add(payload[at]!);
  }
  const missing = frame.components.find(({ id }) => !scanned.has(id));
  return missing && `Expected a scan of each of the components but number ${missing.id} has none`;
}

const [SOF0, SOF1, SOF2, DHT, SOS, DRI] = [0xc0, 0xc1, 0xc2, 0xc4, 0xda, 0xdd];

// Encoders write some ten scans, those that search for the best split some twenty; each costs time of its own.
const MAX_SCANS = 100;

/**
 * Walks through every Huffman code of a JPEG as a decoder would, without making pixels of it: cheaper than libjpeg's
 * smallest decode, and it sees damage in the last lines, where libvips looks away. Answers what is wrong, undefined
 * when every block is there, or 'unknown-kind' where the codes are not Huffman's (or hierarchical, or lossless).
 */
export function findScanFault(jpeg: Uint8Array): string | undefined | 'unknown-kind' {
  const parts = readParts(jpeg);
  if (typeof parts === 'string') return parts;
  const scans = parts.filter(({ coded }) => coded).length;
  if (scans > MAX_SCANS) return `Expected at most ${MAX_SCANS} scans but found ${scans}`;
  const definitions = new Map<number, Uint8Array>();
  let walker: FrameWalker | undefined;
  let interval = 0;
  for (const { marker, payload, coded } of parts) {
    if (marker === DHT) readDefinitions(payload, definitions);
    if (isFrame(marker)) {
      // The memory for the image is reckoned by the first.
      if (walker) return 'Expected one frame header but found a second';
      walker = walkerOf(marker, payload);
      if (!walker) return 'unknown-kind';
    }
    if (marker === DRI) interval = (payload[0]! << 8) | payload[1]!;
    if (!coded) continue;
    const header = walker && readScanHeader(payload, walker.frame, definitions);
    if (!walker || !header) return 'unknown-kind';
    const walk = walker.open(header);
    const fault = typeof walk === 'string' ? walk : walkPieces(coded, header, interval, walk);
    if (fault) return fault;
  }
  return undefined;
}

interface FrameWalker {
  readonly frame: ScanFrame;
  /** How a scan of this frame is walked through, or what is wrong with its header. */
  open(header: ScanHeader): ScanWalk | string;
}

// Four is CMYK; decoders take ten at the most.
const MAX_COMPONENTS = 4;

function walkerOf(marker: number, payload: Uint8Array): FrameWalker | undefined {
  if (marker !== SOF0 && marker !== SOF1 && marker !== SOF2) return undefined;
  const frame = readScanFrame(payload);
  if (frame.components.length > MAX_COMPONENTS) return undefined;
  return { frame, open: marker === SOF2 ? progressiveWalks() : walkBaseline };
}

function walkPieces(
  coded: Uint8Array,
  { mcus }: ScanHeader,
  interval: number,
  walk: ScanWalk,
): string | undefined {
  let first = 0;
  let isBehind = false;
  for (const piece of piecesOf(coded)) {
    // Some writers put one restart more behind the last block, and padding.
    if (first === mcus && !isBehind && isPadding(unstuff(piece).subarray(0, -LOOK_AHEAD_BYTES))) {
      isBehind = true;
      continue;
    }
    if (first === mcus) return 'Expected the end of the picture but found more coded data behind it';
    const count = interval > 0 ? Math.min(interval, mcus - first) : mcus - first;
    const fault = walkPiece(unstuff(piece), count, first, walk);
    if (fault) return fault;
    first += count;
  }
  return first === mcus
    ? undefined
    : `Expected ${mcus} blocks of the picture but ${mcus - first} are missing`;
}

function walkPiece(bits: Uint8Array, mcus: number, first: number, walk: ScanWalk): string | undefined {
  const end = walk(bits, mcus, first);
  if (typeof end === 'string') return end;
  if (end > bitsIn(bits)) return `Expected ${mcus} blocks of the picture but the last is cut`;
  return isPadding(bits.subarray(Math.ceil(end / 8), -LOOK_AHEAD_BYTES))
    ? undefined
    : 'Expected the picture to end with its data';
}

/** The bits without the zeros that guard 0xff bytes, and some bytes more to look ahead into; until the next call. */
function unstuff(piece: Uint8Array): Uint8Array {
  const bits = roomFor(piece.length + LOOK_AHEAD_BYTES);
  let to = 0;
  let from = 0;
  for (let at = indexOfText(piece, '\xff\x00'); at >= 0; at = indexOfText(piece, '\xff\x00', from)) {
    bits.set(piece.subarray(from, at + 1), to);
    to += at + 1 - from;
    from = at + 2;
  }
  bits.set(piece.subarray(from), to);
  to += piece.length - from;
  return bits.fill(0xff, to, to + LOOK_AHEAD_BYTES).subarray(0, to + LOOK_AHEAD_BYTES);
}

const KEPT_ROOM_BYTES = 4 * 1024 * 1024;
let room = new Uint8Array(0);

/** A megabyte for every picture would make V8 collect every few of them. */
function roomFor(bytes: number): Uint8Array {
  if (bytes > KEPT_ROOM_BYTES) return new Uint8Array(bytes);
  if (bytes > room.length) room = new Uint8Array(Math.min(2 * bytes, KEPT_ROOM_BYTES));
  return room;
}

// Some cameras fill up with a few bytes; what a damaged code leaves over is more, or of all kinds.
const MAX_PADDING = 16;

function isPadding(left: Uint8Array): boolean {
  return left.length <= MAX_PADDING && left.every((byte) => byte === 0 || byte === 0xff);
}
