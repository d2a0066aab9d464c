import { byteAt, uint16At } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { type Piece, type PieceWalk, type ScanOpener, scanKind, withHuffmanWalk } from './huffman-walk.ts';
import { readDefinitions, readScanHeader, type ScanHeader } from './scans.ts';
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

const [SOF0, SOF1, SOF2, DHT, RST0, DRI] = [0xc0, 0xc1, 0xc2, 0xc4, 0xd0, 0xdd];

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
  const longest = Math.max(0, ...segments.map(({ coded }) => coded?.length ?? 0));
  return withHuffmanWalk(longest, (openScan) => {
    const state: DecoderState = { definitions: new Map(), interval: 0, hasFrame: false, openScan };
    for (const { marker, payload, coded } of segments) {
      if (marker === DHT) readDefinitions(payload, state.definitions);
      if (marker === DRI) state.interval = uint16At(payload, 0);
      const fault = isFrame(marker) ? startFrame(frame, state) : coded && findFaultInScan(payload, coded, frame, state);
      if (fault) return fault;
    }
    return undefined;
  });
}

/** What the segments before a scan say about its codes. */
interface DecoderState {
  readonly definitions: Map<number, Uint8Array>;
  readonly openScan: ScanOpener;
  /** MCUs from one restart marker to the next; 0 without them. */
  interval: number;
  hasFrame: boolean;
}

function startFrame({ marker, components }: JpegFrame, state: DecoderState): string | undefined {
  // The memory for the image was estimated from the first.
  if (state.hasFrame) return 'Expected one frame header but found a second';
  state.hasFrame = true;
  const isHuffman = marker === SOF0 || marker === SOF1 || marker === SOF2;
  // Four is CMYK; decoders take ten at the most.
  return isHuffman && components.length <= 4 ? undefined : 'unknown-kind';
}

function findFaultInScan(payload: Uint8Array, coded: Uint8Array, frame: JpegFrame, state: DecoderState) {
  const { definitions, interval, hasFrame, openScan } = state;
  const header = hasFrame && readScanHeader(payload, frame, definitions);
  if (!header) return 'unknown-kind';
  const kind = scanKind(frame, header);
  if (!kind) return headerFault(header);
  const walk = openScan(coded, header, kind);
  return walk ? findFaultInPieces(walk, header, interval) : 'unknown-kind';
}

function headerFault({ from, to, leftOutBefore, leftOut }: ScanHeader): string {
  return `Expected a scan of one kind but it is of coefficients ${from} to ${to}, bits ${leftOutBefore} to ${leftOut}`;
}

/** The pieces of a scan between its restart markers. @param interval of MCUs; 0 without restart markers */
function findFaultInPieces(walk: PieceWalk, { mcus }: ScanHeader, interval: number): string | undefined {
  let first = 0;
  let isAfterEnd = false;
  for (let number = 0; ; number++) {
    const wanted = Math.min(interval || mcus, mcus - first);
    const piece = walk(wanted);
    const fault = wanted > 0 ? findFaultInPiece(piece, first, mcus) : findFaultAfterEnd(piece, isAfterEnd);
    if (fault) return fault;
    first += piece.mcus;
    isAfterEnd = wanted === 0;
    if (piece.marker === 0) return first === mcus ? undefined : missing(first, mcus);
    if (first < mcus && piece.marker !== RST0 + (number % 8))
      return `Expected restart marker ${number % 8} after block ${first} of ${mcus} but found ${piece.marker - RST0}`;
  }
}

function findFaultInPiece({ fault, mcus, ...piece }: Piece, first: number, total: number): string | undefined {
  const where = `in block ${first + mcus} of ${total}`;
  if (fault === 'cut') return `Expected ${total} blocks of the picture but its data ends ${where}`;
  if (fault === 'no-code') return `Expected a Huffman code ${where} but found none`;
  if (fault === 'too-many') return `Expected no more coefficients than there are ${where}`;
  return isPadding(piece) ? undefined : 'Expected the picture to end with its data';
}

/** Some writers put one more restart after the last block, and padding. */
function findFaultAfterEnd(piece: Piece, isSecond: boolean): string | undefined {
  if (!isSecond && isPadding(piece)) return undefined;
  return 'Expected the end of the picture but found more coded data after it';
}

function missing(first: number, mcus: number): string {
  return `Expected ${mcus} blocks of the picture but ${mcus - first} are missing`;
}

// Some cameras fill up with a few bytes; what a damaged code leaves over is more, or of all kinds.
const MAX_PADDING = 16;

function isPadding({ bytesLeft, isPadding }: Pick<Piece, 'bytesLeft' | 'isPadding'>): boolean {
  return bytesLeft <= MAX_PADDING && isPadding;
}
