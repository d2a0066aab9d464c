import { joinAll, joinBytes, latin1, startsWith, textAt, uint16, viewOf } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import { readOrientation } from '../metadata/exif.ts';

/** What a JPEG file is made of, marker by marker; no coefficient is decoded. */

export interface JpegSegment {
  /** Second byte of the marker: 0xe1 is APP1. */
  readonly marker: number;
  readonly kind: SegmentKind;
  /** Where its 0xff lies. */
  readonly at: number;
  /** What follows the length, without copying it. */
  readonly payload: Uint8Array;
}

export type SegmentKind =
  | 'jfif'
  | 'jfxx'
  | 'exif'
  | 'xmp'
  | 'extended-xmp'
  | 'icc'
  | 'multi-picture'
  | 'gain-map'
  | 'photoshop'
  | 'adobe'
  | 'jumbf'
  | 'application'
  | 'comment'
  | 'coding';

export interface Jpeg {
  readonly bytes: Uint8Array;
  readonly segments: readonly JpegSegment[];
  readonly frame: JpegFrame;
  /** Where EOI ends, or the file when there is none. */
  readonly end: number;
  readonly hasEnd: boolean;
}

export interface JpegFrame {
  /** 0xc0 baseline, 0xc2 progressive and so on. */
  readonly marker: number;
  readonly bits: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
}

export interface JpegComponent {
  readonly id: number;
  readonly horizontal: number;
  readonly vertical: number;
  readonly table: number;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
export const APP0 = 0xe0;
export const APP1 = 0xe1;
export const APP2 = 0xe2;
export const APP13 = 0xed;
export const COM = 0xfe;

export const XMP_PREFIX = 'http://ns.adobe.com/xap/1.0/\0';
export const EXTENDED_XMP_PREFIX = 'http://ns.adobe.com/xmp/extension/\0';
export const EXIF_PREFIX = 'Exif\0\0';
export const ICC_PREFIX = 'ICC_PROFILE\0';
export const PHOTOSHOP_PREFIX = 'Photoshop 3.0\0';

const KINDS: readonly (readonly [marker: number, prefix: string, kind: SegmentKind])[] = [
  [APP0, 'JFIF\0', 'jfif'],
  [APP0, 'JFXX\0', 'jfxx'],
  // Some writers put another byte than NUL behind the first NUL.
  [APP1, 'Exif\0', 'exif'],
  [APP1, XMP_PREFIX, 'xmp'],
  [APP1, EXTENDED_XMP_PREFIX, 'extended-xmp'],
  [APP2, ICC_PREFIX, 'icc'],
  [APP2, 'MPF\0', 'multi-picture'],
  [APP2, 'urn:iso:std:iso:ts:21496:-1', 'gain-map'],
  [0xeb, 'JP', 'jumbf'],
  [APP13, PHOTOSHOP_PREFIX, 'photoshop'],
  [0xee, 'Adobe', 'adobe'],
];

// Far above what any camera writes; a file with more is made to exhaust memory.
const MAX_SEGMENTS = 50_000;

/** Reads a JPEG; throws CorruptImageError when no frame header can be reached. */
export function readJpeg(bytes: Uint8Array): Jpeg {
  const jpeg = ALREADY_READ.get(bytes) ?? readMarkers(bytes);
  ALREADY_READ.set(bytes, jpeg);
  return jpeg;
}

// One image is asked for its parts by several questions, and finding the end of its scans costs a fiftieth of encoding
// it by the fast preset.
const ALREADY_READ = new WeakMap<Uint8Array, Jpeg>();

function readMarkers(bytes: Uint8Array): Jpeg {
  const segments: JpegSegment[] = [];
  let at = 2;
  let end: number | undefined;
  while (at < bytes.length) {
    const marker = nextMarker(bytes, at);
    if (!marker) break;
    at = marker.at + 2;
    if (marker.code === EOI) {
      end = at;
      break;
    }
    if (isStandalone(marker.code)) continue;
    const segment = readSegment(bytes, marker.code, marker.at);
    if (!segment) break;
    if (segments.push(segment) > MAX_SEGMENTS) throw corrupt(`more than ${MAX_SEGMENTS} segments`, at);
    at += 2 + segment.payload.length;
    if (marker.code === SOS) at = endOfScan(bytes, at);
  }
  return {
    bytes,
    segments,
    frame: readFrame(segments, at),
    end: end ?? bytes.length,
    hasEnd: end !== undefined,
  };
}

function nextMarker(bytes: Uint8Array, from: number): { code: number; at: number } | undefined {
  let at = from;
  while (true) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) return undefined;
    const code = bytes[at + 1]!;
    if (code !== 0 && code !== 0xff) return { code, at };
    at++;
  }
}

function isStandalone(marker: number): boolean {
  return marker === SOI || marker === 0x01 || isRestart(marker);
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}

function readSegment(bytes: Uint8Array, marker: number, at: number): JpegSegment | undefined {
  if (at + 4 > bytes.length) return undefined;
  const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (length < 2 || at + 2 + length > bytes.length) return undefined;
  const payload = bytes.subarray(at + 4, at + 2 + length);
  return { marker, at, payload, kind: kindOf(marker, payload) };
}

function kindOf(marker: number, payload: Uint8Array): SegmentKind {
  if (marker === COM) return 'comment';
  if (marker < 0xe0 || marker > 0xef) return 'coding';
  const known = KINDS.find(([app, prefix]) => app === marker && startsWith(payload, prefix));
  return known?.[2] ?? 'application';
}

/** Entropy-coded bytes go on until a marker that is neither a restart nor a stuffed 0xff. */
function endOfScan(bytes: Uint8Array, from: number): number {
  let at = from;
  while (true) {
    const marker = nextMarker(bytes, at);
    if (!marker) return bytes.length;
    if (!isRestart(marker.code)) return marker.at;
    at = marker.at + 2;
  }
}

function readFrame(segments: readonly JpegSegment[], at: number): JpegFrame {
  const segment = segments.find(({ marker }) => isFrame(marker));
  if (!segment) throw corrupt('no frame header (SOF)', at);
  const { payload, marker } = segment;
  const count = payload[5] ?? 0;
  if (payload.length < 6 + count * 3 || count === 0)
    throw corrupt('a frame header that is too short', segment.at);
  const view = viewOf(payload);
  const frame = {
    marker,
    bits: payload[0]!,
    height: view.getUint16(1),
    width: view.getUint16(3),
    components: Array.from({ length: count }, (_, index) => readComponent(payload, 6 + index * 3)),
  };
  if (frame.width === 0 || frame.height === 0) throw corrupt('a width or height of 0', segment.at);
  return frame;
}

function readComponent(payload: Uint8Array, at: number): JpegComponent {
  const sampling = payload[at + 1]!;
  return { id: payload[at]!, horizontal: sampling >> 4, vertical: sampling & 15, table: payload[at + 2]! };
}

export function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function corrupt(what: string, at: number): CorruptImageError {
  return new CorruptImageError(`Expected a readable JPEG header but found ${what} at byte ${at}`);
}

export function isProgressive({ marker }: JpegFrame): boolean {
  return marker === 0xc2 || marker === 0xc6 || marker === 0xca || marker === 0xce;
}

/** The quantisation tables, 64 numbers each in zigzag order, that luma and then chroma use. */
export function quantisationTables(jpeg: Jpeg): number[][] {
  const tables = new Map<number, number[]>();
  for (const { marker, payload } of jpeg.segments) {
    if (marker === 0xdb) for (const [id, table] of readTables(payload)) tables.set(id, table);
  }
  const used = new Set(jpeg.frame.components.map(({ table }) => table));
  return [...used].flatMap((id) => (tables.has(id) ? [tables.get(id)!] : []));
}

function readTables(payload: Uint8Array): [id: number, table: number[]][] {
  const tables: [number, number[]][] = [];
  for (let at = 0; at < payload.length; ) {
    const wide = payload[at]! >> 4 ? 2 : 1;
    const values = payload.subarray(at + 1, at + 1 + 64 * wide);
    if (values.length < 64 * wide) break;
    const table = Array.from({ length: 64 }, (_, index) =>
      wide === 2 ? (values[index * 2]! << 8) | values[index * 2 + 1]! : values[index]!,
    );
    tables.push([payload[at]! & 15, table]);
    at += 1 + 64 * wide;
  }
  return tables;
}

/** `4:2:0` and so on; undefined for grey. */
export function chromaSubsampling({ components }: JpegFrame): string | undefined {
  if (components.length < 3) return undefined;
  const [luma, chroma] = components as [JpegComponent, JpegComponent];
  const ratio = `${luma.horizontal / chroma.horizontal}x${luma.vertical / chroma.vertical}`;
  const names: Record<string, string> = {
    '1x1': '4:4:4',
    '2x1': '4:2:2',
    '2x2': '4:2:0',
    '1x2': '4:4:0',
    '4x1': '4:1:1',
    '4x2': '4:1:0',
  };
  return names[ratio] ?? ratio;
}

/** A segment as it lies in a file; throws when its payload is over 65,533 bytes. */
export function segmentBytes(marker: number, payload: Uint8Array): Uint8Array {
  if (payload.length > 65_533)
    throw new RangeError(`A JPEG segment holds 65,533 bytes, not ${payload.length}`);
  return joinBytes([0xff, marker], uint16(payload.length + 2), payload);
}

/** A JPEG of these segments, and behind them what codes its pixels, from the first table to EOI. */
export function writeJpeg(
  segments: readonly Pick<JpegSegment, 'marker' | 'payload'>[],
  coded: readonly Uint8Array[],
): Uint8Array {
  return joinAll([
    [0xff, SOI],
    ...segments.map(({ marker, payload }) => segmentBytes(marker, payload)),
    ...coded,
  ]);
}

/** Orientation that the JPEG's own EXIF tells. */
export function readJpegOrientation({ segments }: Jpeg): number {
  return readOrientation(segments.find(({ kind }) => kind === 'exif')?.payload);
}

/** The whole profile out of its APP2 segments; undefined when there is none or a part is missing. */
export function joinIccSegments(jpeg: Jpeg): Uint8Array | undefined {
  const parts = new Map<number, Uint8Array>();
  let count = 0;
  for (const { kind, payload } of jpeg.segments) {
    if (kind !== 'icc' || payload.length < 14) continue;
    if (!parts.has(payload[12]!)) parts.set(payload[12]!, payload.subarray(14));
    count = payload[13]!;
  }
  const ordered = Array.from({ length: count }, (_, index) => parts.get(index + 1));
  return count > 0 && ordered.every((part) => part !== undefined) ? joinBytes(...ordered) : undefined;
}

/** The extended XMP that belongs to the main packet; undefined when there is none or a part is missing. */
export function joinExtendedXmp(jpeg: Jpeg): Uint8Array | undefined {
  const parts = jpeg.segments.filter(({ kind, payload }) => kind === 'extended-xmp' && payload.length > 75);
  const guid = parts[0] && textAt(parts[0].payload, 35, 32);
  const own = parts.filter(({ payload }) => textAt(payload, 35, 32) === guid);
  const inOrder = own
    .map(({ payload }) => ({ offset: viewOf(payload).getUint32(71), part: payload.subarray(75) }))
    .sort((one, other) => one.offset - other.offset);
  let length = 0;
  for (const { offset, part } of inOrder) {
    if (offset !== length) return undefined;
    length += part.length;
  }
  return length > 0 ? joinAll(inOrder.map(({ part }) => part)) : undefined;
}

/** Photoshop's resources out of all of their APP13 segments, as if one were large enough; undefined when there are none. */
export function joinPhotoshopSegments(jpeg: Jpeg): Uint8Array | undefined {
  const parts = jpeg.segments.filter(({ kind }) => kind === 'photoshop').map(({ payload }) => payload);
  if (parts.length < 2) return parts[0];
  return joinAll([latin1(PHOTOSHOP_PREFIX), ...parts.map((part) => part.subarray(PHOTOSHOP_PREFIX.length))]);
}
