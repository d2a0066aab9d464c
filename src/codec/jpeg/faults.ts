import { byteAt, indexOfText, uint16At } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { walkBaseline } from './huffman-baseline.ts';
import { progressiveWalks } from './huffman-progressive.ts';
import {
  bitsIn,
  LOOK_AHEAD_BYTES,
  piecesOf,
  readDefinitions,
  readScanHeader,
  type ScanHeader,
  type ScanWalk,
} from './scans.ts';
import { isFrame, isKnownMarker, isProgressive, type Jpeg, type JpegFrame, readJpeg, SOS } from './segments.ts';

/** What is wrong with the markers of a JPEG: an unknown one, no end, a component without a scan; undefined if nothing is. */
export function findMarkerFault(file: ImageFile): string | undefined {
  const jpeg = file.read(readJpeg);
  const unknown = findUnknownMarker(jpeg);
  if (unknown) return unknown;
  return jpeg.hasEnd ? findMissingScan(jpeg) : jpeg.fault;
}

function findUnknownMarker({ segments }: Jpeg): string | undefined {
  const unknown = segments.find(({ marker }) => !isKnownMarker(marker));
  return unknown && `Expected a known marker at byte ${unknown.at} but found 0x${unknown.marker.toString(16)}`;
}

/** Decoders fill a component that no scan brings with one value, and do not complain. */
function findMissingScan({ frame, segments }: Jpeg): string | undefined {
  const scanned = new Set<number>();
  for (const { marker, payload } of segments) {
    if (marker !== SOS) continue;
    const headerEnd = 1 + 2 * byteAt(payload, 0);
    // A progressive picture is there with its first coefficients; all that follows refines it.
    const isRefinement = isProgressive(frame) && payload[headerEnd] !== 0;
    for (let at = 1; at < headerEnd && !isRefinement; at += 2) scanned.add(byteAt(payload, at));
  }
  const missing = frame.components.find(({ id }) => !scanned.has(id));
  return missing && `Expected a scan of each of the components but number ${missing.id} has none`;
}

const [SOF0, SOF1, SOF2, DHT, DRI] = [0xc0, 0xc1, 0xc2, 0xc4, 0xdd];

// Encoders write some ten scans, those that search for the best split some twenty; each costs time of its own.
const MAX_SCANS = 100;

/**
 * Decodes every Huffman code of a JPEG without making pixels of it: cheaper than libjpeg's smallest decode, and it sees
 * damage in the last lines, which libvips ignores. Returns what is wrong, undefined when every block is there, or
 * 'unknown-kind' where the codes are not Huffman's (or hierarchical, or lossless).
 * @throws CorruptImageError when no frame header can be reached
 */
export function findScanFault(file: ImageFile): string | undefined | 'unknown-kind' {
  const jpeg = file.read(readJpeg);
  const fault = jpeg.fault ?? findUnknownMarker(jpeg);
  if (fault) return fault;
  const scans = jpeg.segments.filter(({ coded }) => coded).length;
  if (scans > MAX_SCANS) return `Expected at most ${MAX_SCANS} scans but found ${scans}`;
  return findCodeFault(jpeg);
}

function findCodeFault({ frame, segments }: Jpeg): string | undefined | 'unknown-kind' {
  const state: DecoderState = { definitions: new Map(), interval: 0 };
  for (const { marker, payload, coded } of segments) {
    if (marker === DHT) readDefinitions(payload, state.definitions);
    if (marker === DRI) state.interval = uint16At(payload, 0);
    const fault = isFrame(marker) ? startFrame(frame, state) : coded && findFaultInScan(payload, coded, frame, state);
    if (fault) return fault;
  }
  return undefined;
}

/** What the segments before a scan say about its codes. */
interface DecoderState {
  readonly definitions: Map<number, Uint8Array>;
  /** MCUs from one restart marker to the next; 0 without them. */
  interval: number;
  open?: OpenScan;
}

function startFrame(frame: JpegFrame, state: DecoderState): string | undefined {
  // The memory for the image was estimated from the first.
  if (state.open) return 'Expected one frame header but found a second';
  state.open = scanOpener(frame);
  return state.open ? undefined : 'unknown-kind';
}

function findFaultInScan(payload: Uint8Array, coded: Uint8Array, frame: JpegFrame, state: DecoderState) {
  const { definitions, interval, open } = state;
  const header = open && readScanHeader(payload, frame, definitions);
  if (!header) return 'unknown-kind';
  const walk = open(header);
  return typeof walk === 'string' ? walk : walkPieces(coded, header, interval, walk);
}

/** How the codes of a scan are walked through, or what is wrong with its header. */
type OpenScan = (header: ScanHeader) => ScanWalk | string;

function scanOpener({ marker, components }: JpegFrame): OpenScan | undefined {
  // Four is CMYK; decoders take ten at the most.
  if (components.length > 4) return undefined;
  if (marker === SOF2) return progressiveWalks();
  return marker === SOF0 || marker === SOF1 ? walkBaseline : undefined;
}

function walkPieces(coded: Uint8Array, { mcus }: ScanHeader, interval: number, walk: ScanWalk) {
  let first = 0;
  let isAfterEnd = false;
  for (const piece of piecesOf(coded)) {
    // Some writers put one more restart after the last block, and padding.
    if (first === mcus && !isAfterEnd && isPadding(unstuff(piece).subarray(0, -LOOK_AHEAD_BYTES))) {
      isAfterEnd = true;
      continue;
    }
    if (first === mcus) return 'Expected the end of the picture but found more coded data after it';
    const count = interval > 0 ? Math.min(interval, mcus - first) : mcus - first;
    const fault = walkPiece(unstuff(piece), count, first, walk);
    if (fault) return fault;
    first += count;
  }
  return first === mcus ? undefined : `Expected ${mcus} blocks of the picture but ${mcus - first} are missing`;
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
  const bits = scratchOf(piece.length + LOOK_AHEAD_BYTES);
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

const MAX_SCRATCH_BYTES = 4 * 1024 * 1024;
let scratch = new Uint8Array(0);

/** A new megabyte for every picture would make V8 collect every few of them. */
function scratchOf(bytes: number): Uint8Array {
  if (bytes > MAX_SCRATCH_BYTES) return new Uint8Array(bytes);
  if (bytes > scratch.length) scratch = new Uint8Array(Math.min(2 * bytes, MAX_SCRATCH_BYTES));
  return scratch;
}

// Some cameras fill up with a few bytes; what a damaged code leaves over is more, or of all kinds.
const MAX_PADDING = 16;

function isPadding(left: Uint8Array): boolean {
  return left.length <= MAX_PADDING && left.every((byte) => byte === 0 || byte === 0xff);
}
