import { byteAt, countTrailing, joinAll, joinBytes, startsWith, uint16, uint16At } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';
import { readOrientation } from '../metadata/exif.ts';
import { PHOTOSHOP_PREFIX } from '../metadata/iptc.ts';

/** What a JPEG file is made of, marker by marker; no coefficient is decoded. */

export interface JpegSegment {
  /** Second byte of the marker: 0xe1 is APP1. */
  readonly marker: number;
  readonly kind: SegmentKind;
  /** The offset of its 0xff. */
  readonly at: number;
  /** What follows the length, without copying it. */
  readonly payload: Uint8Array;
  /** After the payload of SOS: the entropy-coded bytes, with restart markers. */
  readonly coded?: Uint8Array;
}

export interface Jpeg {
  readonly bytes: Uint8Array;
  readonly segments: readonly JpegSegment[];
  readonly frame: JpegFrame;
  /** Where EOI ends, or the file when there is none. */
  readonly end: number;
  readonly hasEnd: boolean;
  /** The first place where a strict decoder finds no marker that it expects, if there is one. */
  readonly fault?: string;
}

export interface JpegFrame {
  /** 0xc0 baseline, 0xc2 progressive and so on. */
  readonly marker: number;
  readonly bits: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
}

type JpegComponent = Readonly<Record<'id' | 'horizontal' | 'vertical' | 'table', number>>;

const [SOI, EOI, TEM] = [0xd8, 0xd9, 0x01] as const;
export const [APP0, COM] = [0xe0, 0xfe] as const;
export const [SOS, DNL, APP1, APP2, APP13] = [0xda, 0xdc, 0xe1, 0xe2, 0xed] as const;

export const XMP_PREFIX = 'http://ns.adobe.com/xap/1.0/\0';
export const EXTENDED_XMP_PREFIX = 'http://ns.adobe.com/xmp/extension/\0';
export const EXIF_PREFIX = 'Exif\0\0';
export const ICC_PREFIX = 'ICC_PROFILE\0';

const KINDS = [
  [APP0, 'JFIF\0', 'jfif'],
  [APP0, 'JFXX\0', 'jfxx'],
  // Some writers put another byte than NUL after the first NUL.
  [APP1, 'Exif\0', 'exif'],
  [APP1, XMP_PREFIX, 'xmp'],
  [APP1, EXTENDED_XMP_PREFIX, 'extended-xmp'],
  [APP2, ICC_PREFIX, 'icc'],
  [APP2, 'MPF\0', 'multi-picture'],
  [APP2, 'urn:iso:std:iso:ts:21496:-1', 'gain-map'],
  [0xeb, 'JP', 'jumbf'],
  [APP13, PHOTOSHOP_PREFIX, 'photoshop'],
  [0xee, 'Adobe', 'adobe'],
] as const;

export type SegmentKind = (typeof KINDS)[number][2] | 'application' | 'comment' | 'coding';

// Far above what any camera writes; a file with more is made to exhaust memory.
const MAX_SEGMENTS = 50_000;

/** Reads a JPEG. @throws CorruptImageError when no frame header can be reached */
export function readJpeg(bytes: Uint8Array): Jpeg {
  const segments: JpegSegment[] = [];
  let fault: string | undefined;
  let at = 2;
  for (let marker = nextMarker(bytes, at); marker; marker = nextMarker(bytes, at)) {
    fault ??= findStray(bytes, at, marker);
    at = marker.at + 2;
    if (marker.code === EOI) return { bytes, segments, frame: readFrame(segments, at), end: at, hasEnd: true, fault };
    // Without a length: TEM, and restarts, which some writers also put between two segments.
    if (marker.code === SOI || marker.code === TEM || isRestart(marker.code)) continue;
    const segment = readSegment(bytes, marker);
    if (!segment) break;
    if (segments.push(segment) > MAX_SEGMENTS) throw corruptHeader('JPEG', `more than ${MAX_SEGMENTS} segments`, at);
    at += 2 + segment.payload.length + (segment.coded?.length ?? 0);
  }
  return { bytes, segments, frame: readFrame(segments, at), end: bytes.length, hasEnd: false, fault };
}

type Marker = Readonly<{ code: number; at: number }>;

function nextMarker(bytes: Uint8Array, from: number): Marker | undefined {
  const at = markerIn(bytes, from);
  return at < 0 ? undefined : { code: byteAt(bytes, at + 1), at };
}

/** The offset of the next 0xff that is followed by the code of a marker; -1 where there is none. */
export function markerIn(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at)) {
    const next = bytes[at + 1];
    if (next === undefined) return -1;
    // 0 guards a 0xff of coded data, and any number of 0xff may stand before a marker.
    if (next !== 0 && next !== 0xff) return at;
    at += next === 0 ? 2 : 1;
  }
  return -1;
}

/** Bytes where a marker was expected, or a second start of an image. */
function findStray(bytes: Uint8Array, from: number, { code, at }: Marker): string | undefined {
  const stray = bytes.subarray(from, at).findIndex((byte) => byte !== 0xff);
  if (stray >= 0) return `Expected a marker at byte ${from + stray} but found ${byteAt(bytes, from + stray)}`;
  return code === SOI ? `Expected one start of an image but found a second at byte ${at}` : undefined;
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}

const EOI_BYTES = Uint8Array.of(0xff, EOI);

/** How many bytes from `at` on are neither padding nor the end of an image once more. */
export function countAfterEnd(bytes: Uint8Array, at: number): number {
  return countTrailing(bytes, at, EOI_BYTES);
}

/** Where the segments begin that code the pixels. */
export function codingStart({ segments, end }: Jpeg): number {
  return segments.find(({ kind }) => kind === 'coding')?.at ?? end;
}

/** Whether decoders know what to do with a segment of this marker. */
export function isKnownMarker(marker: number): boolean {
  const isTableOrFrame = marker >= 0xc0 && marker <= 0xcf;
  return isTableOrFrame || (marker >= 0xda && marker <= 0xef) || marker === COM;
}

function readSegment(bytes: Uint8Array, { code, at }: Marker): JpegSegment | undefined {
  const length = uint16At(bytes, at + 2);
  const end = at + 2 + length;
  if (length < 2 || end > bytes.length) return undefined;
  const payload = bytes.subarray(at + 4, end);
  const segment = { marker: code, at, payload, kind: kindOf(code, payload) };
  return code === SOS ? { ...segment, coded: bytes.subarray(end, endOfScan(bytes, end)) } : segment;
}

function kindOf(marker: number, payload: Uint8Array): SegmentKind {
  if (marker === COM) return 'comment';
  if (marker < 0xe0 || marker > 0xef) return 'coding';
  const known = KINDS.find(([app, prefix]) => app === marker && startsWith(payload, prefix));
  return known?.[2] ?? 'application';
}

/** Entropy-coded bytes go on until a marker that is neither a restart nor a stuffed 0xff. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = markerIn(bytes, from); at >= 0; at = markerIn(bytes, at + 2)) {
    if (!isRestart(byteAt(bytes, at + 1))) return at;
  }
  return bytes.length;
}

function readFrame(segments: readonly JpegSegment[], at: number): JpegFrame {
  const segment = segments.find(({ marker }) => isFrame(marker));
  if (!segment) throw corruptHeader('JPEG', 'no frame header (SOF)', at);
  const { payload, marker } = segment;
  const count = payload[5] ?? 0;
  if (payload.length < 6 + count * 3 || count === 0)
    throw corruptHeader('JPEG', 'a frame header that is too short', segment.at);
  const frame = {
    marker,
    bits: byteAt(payload, 0),
    height: heightOf(payload, segments),
    width: uint16At(payload, 3),
    components: Array.from({ length: count }, (_, index) => readComponent(payload, 6 + index * 3)),
  };
  if (frame.width === 0 || frame.height === 0) throw corruptHeader('JPEG', 'a width or height of 0', segment.at);
  return frame;
}

/** The frame may leave its height to a segment after the first scan. @see ITU-T T.81, B.2.5 */
function heightOf(frame: Uint8Array, segments: readonly JpegSegment[]): number {
  return uint16At(frame, 1) || uint16At(segments.find(({ marker }) => marker === DNL)?.payload ?? NO_LINES, 0);
}

const NO_LINES = new Uint8Array(2);

function readComponent(payload: Uint8Array, at: number): JpegComponent {
  const sampling = byteAt(payload, at + 1);
  return {
    id: byteAt(payload, at),
    horizontal: sampling >> 4,
    vertical: sampling & 15,
    table: byteAt(payload, at + 2),
  };
}

export function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Some writers give all components one number: then they come in their order. */
export function hasDistinctIds({ components }: JpegFrame): boolean {
  return new Set(components.map(({ id }) => id)).size === components.length;
}

export function isProgressive({ marker }: JpegFrame): boolean {
  return marker === 0xc2 || marker === 0xc6 || marker === 0xca || marker === 0xce;
}

/** A segment to be written: its marker's second byte and what follows the length. */
export type NewSegment = Pick<JpegSegment, 'marker' | 'payload'>;

export const MAX_PAYLOAD = 65_533;

/** A segment as it is stored in a file; throws when its payload is over 65,533 bytes. */
export function segmentBytes(marker: number, payload: Uint8Array): Uint8Array {
  if (payload.length > MAX_PAYLOAD) throw new RangeError(`A JPEG segment holds 65,533 bytes, not ${payload.length}`);
  return joinBytes([0xff, marker], uint16(payload.length + 2), payload);
}

/** A JPEG of these segments, and after them what codes its pixels, from the first table to EOI. */
export function writeJpeg(segments: readonly NewSegment[], coded: readonly Uint8Array[]): Uint8Array {
  const parts = segments.map(({ marker, payload }) => segmentBytes(marker, payload));
  return joinAll([[0xff, SOI], ...parts, ...coded]);
}

/** The orientation in the JPEG's own EXIF. */
export function readJpegOrientation({ segments }: Jpeg): number {
  return readOrientation(segments.find(({ kind }) => kind === 'exif')?.payload);
}
