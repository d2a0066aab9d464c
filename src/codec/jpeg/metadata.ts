import { createHash } from 'node:crypto';
import { byteAt, joinAll, joinBytes, latin1, startsWith, textAt, uint32, uint32At } from '../bytes.ts';
import type { WritableFormat } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { readOrientation, withOrientation, withoutExifPrefix, withoutThumbnail } from '../metadata/exif.ts';
import { usableProfile } from '../metadata/icc.ts';
import { creditsOnly, PHOTOSHOP_PREFIX } from '../metadata/iptc.ts';
import type { ImageMetadata, MetadataPolicy, MetadataTransfer } from '../metadata/model.ts';
import { underPolicy, withPlainExif } from '../metadata/policy.ts';
import { mergeExtendedXmp, withXmpOrientation } from '../metadata/xmp.ts';
import { repaired } from './repair.ts';
import {
  APP1,
  APP2,
  APP13,
  codingStart,
  EXIF_PREFIX,
  EXTENDED_XMP_PREFIX,
  ICC_PREFIX,
  type Jpeg,
  type JpegSegment,
  MAX_PAYLOAD,
  type NewSegment,
  readJpeg,
  readJpegOrientation,
  type SegmentKind,
  writeJpeg,
  XMP_PREFIX,
} from './segments.ts';

/** Metadata that one segment is too small for is joined when it is read, and split when it is written. */

export function readJpegMetadata(file: ImageFile): ImageMetadata {
  const jpeg = file.read(readJpeg);
  const payload = (wanted: string) => jpeg.segments.find(({ kind }) => kind === wanted)?.payload;
  const main = payload('xmp')?.subarray(XMP_PREFIX.length);
  const extended = joinExtendedXmp(jpeg);
  return withPlainExif({
    exif: payload('exif'),
    xmp: main && extended ? mergeExtendedXmp(main, extended) : main,
    icc: usableProfile(joinIccSegments(jpeg)),
    photoshop: joinPhotoshopSegments(jpeg),
  });
}

/** The whole profile out of its APP2 segments; undefined when there is none or a part is missing. */
export function joinIccSegments(jpeg: Jpeg): Uint8Array | undefined {
  const parts = new Map<number, Uint8Array>();
  let count = 0;
  for (const { kind, payload } of jpeg.segments) {
    if (kind !== 'icc' || payload.length < 14) continue;
    const number = byteAt(payload, 12);
    if (!parts.has(number)) parts.set(number, payload.subarray(14));
    count = byteAt(payload, 13);
  }
  const ordered = Array.from({ length: count }, (_, index) => parts.get(index + 1));
  return count > 0 && ordered.every((part) => part !== undefined) ? joinBytes(...ordered) : undefined;
}

/** Whether it has a profile, also one of which parts are missing; an empty segment is none. */
export function hasProfile(jpeg: Jpeg): boolean {
  const profile = joinIccSegments(jpeg);
  if (profile) return usableProfile(profile) !== undefined;
  return jpeg.segments.some(({ kind, payload }) => kind === 'icc' && payload.length > 14);
}

/** The extended XMP that belongs to the main packet; undefined when there is none or a part is missing. */
export function joinExtendedXmp(jpeg: Jpeg): Uint8Array | undefined {
  const parts = jpeg.segments.filter(({ kind, payload }) => kind === 'extended-xmp' && payload.length > 75);
  const guid = parts[0] && textAt(parts[0].payload, 35, 32);
  const own = parts.filter(({ payload }) => textAt(payload, 35, 32) === guid);
  const inOrder = own
    .map(({ payload }) => ({ offset: uint32At(payload, 71), part: payload.subarray(75) }))
    .sort((one, other) => one.offset - other.offset);
  let length = 0;
  for (const { offset, part } of inOrder) {
    if (offset !== length) return undefined;
    length += part.length;
  }
  return length > 0 ? joinAll(inOrder.map(({ part }) => part)) : undefined;
}

/** Photoshop's resources out of all of their APP13 segments, as if one were large enough; undefined when there are none. */
function joinPhotoshopSegments(jpeg: Jpeg): Uint8Array | undefined {
  const parts = jpeg.segments.filter(({ kind }) => kind === 'photoshop').map(({ payload }) => payload);
  if (parts.length < 2) return parts[0];
  return joinAll([latin1(PHOTOSHOP_PREFIX), ...parts.map((part) => part.subarray(PHOTOSHOP_PREFIX.length))]);
}

/** An encoder's JPEG with this metadata; under `keep` a source that is a JPEG, too, hands on its own segments. */
export const writeJpegMetadata: WritableFormat['writeMetadata'] = (output, metadata, transfer) => {
  const { source, ownsIcc } = transfer;
  const jpeg = output.read(readJpeg);
  const allowed = { ...metadata, icc: ownsIcc ? undefined : metadata.icc };
  const carried = source.format === 'jpeg' ? segmentsFromJpeg(allowed, transfer) : metadataSegments(allowed);
  const isJfif = ({ marker, payload }: NewSegment) => marker === 0xe0 && startsWith(payload, 'JFIF\0');
  const ownHeader = jpeg.segments.filter((segment) => isJfif(segment) && !carried.some(isJfif));
  const own = jpeg.segments.filter(({ kind }) => kind === 'adobe' || kind === 'icc');
  return writeJpeg([...ownHeader, ...carried, ...own], [output.bytes.subarray(codingStart(jpeg), jpeg.end)]);
};

function segmentsFromJpeg(
  metadata: ImageMetadata,
  { source, policy, orientation, isReshaped }: MetadataTransfer,
): NewSegment[] {
  const jpeg = source.file.read(readJpeg);
  if (policy === 'keep') {
    const own = segmentsOfSource(jpeg, orientation, metadata.icc !== undefined);
    return isReshaped ? own.flatMap(withoutThumbnails) : own;
  }
  return [...jfifHeader(jpeg.segments.map((segment) => repaired(segment, jpeg.frame))), ...metadataSegments(metadata)];
}

/** The application segments and comments of a JPEG as they go with a copy of the same coefficients. */
export function segmentsOfCopy(file: ImageFile, policy: MetadataPolicy): NewSegment[] {
  const source = file.read(readJpeg);
  const own = source.segments.filter(({ kind }) => kind !== 'coding').map((segment) => repaired(segment, source.frame));
  if (policy === 'keep') return own;
  return [
    ...jfifHeader(own),
    ...metadataSegments(underPolicy(readJpegMetadata(file), policy, readJpegOrientation(source))),
    ...own.filter(({ kind }) => kind === 'adobe'),
  ];
}

// How the pixels are coded is described by the encoder, and an index of pictures would be wrong in a new file.
const NOT_CARRIED: ReadonlySet<SegmentKind> = new Set(['coding', 'adobe', 'multi-picture', 'gain-map']);

/** The segments of a JPEG that go into a new encoding of it, in order, with this orientation. */
function segmentsOfSource(source: Jpeg, orientation: number, withIcc: boolean): NewSegment[] {
  const kept = source.segments
    .filter(({ kind }) => !NOT_CARRIED.has(kind) && (withIcc || kind !== 'icc'))
    .map((segment) => repaired(segment, source.frame));
  if (orientation === readJpegOrientation(source)) return kept;
  const carried = kept.map((segment) => withSegmentOrientation(segment, orientation));
  if (orientation === 1 || kept.some(({ kind }) => kind === 'exif')) return carried;
  const { exif } = underPolicy({}, 'keep', orientation);
  return carried.toSpliced(kept[0]?.kind === 'jfif' ? 1 : 0, 0, ...metadataSegments({ exif }));
}

function withSegmentOrientation(segment: JpegSegment, orientation: number): NewSegment {
  const { kind, marker, payload } = segment;
  if (kind === 'exif') {
    const exif = withOrientation(withoutExifPrefix(payload), orientation);
    const changed = joinBytes(payload.subarray(0, EXIF_PREFIX.length), exif);
    // Only a second EXIF grows, one without an orientation of its own: no viewer reads it from there.
    return changed.length <= MAX_PAYLOAD ? { marker, payload: changed } : segment;
  }
  if (kind !== 'xmp') return segment;
  const packet = withXmpOrientation(payload.subarray(XMP_PREFIX.length), orientation);
  return { marker, payload: joinBytes(latin1(XMP_PREFIX), packet) };
}

/** A thumbnail of the picture before it was reshaped may show more than the picture does now. */
function withoutThumbnails(segment: NewSegment): NewSegment[] {
  const { marker, payload } = segment;
  if (marker === 0xe0 && startsWith(payload, 'JFXX\0')) return [];
  if (marker === 0xe0 && startsWith(payload, 'JFIF\0'))
    return [{ marker, payload: joinBytes(payload.subarray(0, 12), [0, 0]) }];
  if (marker !== APP1 || !startsWith(payload, 'Exif\0')) return [segment];
  const head = payload.subarray(0, EXIF_PREFIX.length);
  return [{ marker, payload: joinBytes(head, withoutThumbnail(withoutExifPrefix(payload))) }];
}

/** JFIF without its thumbnail: it holds the density of pixels. */
function jfifHeader(segments: readonly JpegSegment[]): NewSegment[] {
  const jfif = segments.find(({ kind, payload }) => kind === 'jfif' && payload.length >= 14);
  return jfif ? [{ marker: jfif.marker, payload: joinBytes(jfif.payload.subarray(0, 12), [0, 0]) }] : [];
}

/** The segments that hold this metadata, split where one is too small. */
function metadataSegments({ exif, xmp, icc, photoshop }: ImageMetadata): NewSegment[] {
  return [
    ...(exif ? exifSegments(exif) : []),
    ...(xmp ? xmpSegments(xmp) : []),
    ...(icc ? iccSegments(icc) : []),
    ...(photoshop ? photoshopSegments(photoshop) : []),
  ];
}

/** EXIF has no way to be split: of what is too large for a JPEG the credits and the orientation go on, or that alone. */
function exifSegments(exif: Uint8Array): NewSegment[] {
  const orientation = readOrientation(exif);
  const shorter = (policy: MetadataPolicy) => underPolicy({ exif }, policy, orientation).exif;
  const payload = [exif, shorter('copyright'), shorter('strip')]
    .map((form) => joinBytes(latin1(EXIF_PREFIX), form ?? []))
    .find(({ length }) => length <= MAX_PAYLOAD);
  return payload && payload.length > EXIF_PREFIX.length ? [{ marker: APP1, payload }] : [];
}

/** Of what is too large for one segment the credits go on. */
function photoshopSegments(photoshop: Uint8Array): NewSegment[] {
  const payload = photoshop.length <= MAX_PAYLOAD ? photoshop : creditsOnly(photoshop);
  return payload && payload.length <= MAX_PAYLOAD ? [{ marker: APP13, payload }] : [];
}

function xmpSegments(packet: Uint8Array): NewSegment[] {
  const payload = joinBytes(latin1(XMP_PREFIX), packet);
  if (payload.length <= MAX_PAYLOAD) return [{ marker: APP1, payload }];
  const guid = createHash('md5').update(packet).digest('hex').toUpperCase();
  const head = joinBytes(latin1(EXTENDED_XMP_PREFIX), latin1(guid), uint32(packet.length));
  const main = { marker: APP1, payload: joinBytes(latin1(XMP_PREFIX), latin1(pointerTo(guid))) };
  const parts = split(packet, MAX_PAYLOAD - head.length - 4).map(({ part, offset }) => ({
    marker: APP1,
    payload: joinBytes(head, uint32(offset), part),
  }));
  return [main, ...parts];
}

function pointerTo(guid: string): string {
  return (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">' +
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" ' +
    `xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="${guid}"/></rdf:RDF></x:xmpmeta>` +
    '<?xpacket end="w"?>'
  );
}

function iccSegments(profile: Uint8Array): NewSegment[] {
  const parts = split(profile, MAX_PAYLOAD - ICC_PREFIX.length - 2);
  // The number of a part is one byte: a JPEG has no place for a larger profile.
  if (parts.length > 255) return [];
  return parts.map(({ part }, index) => ({
    marker: APP2,
    payload: joinBytes(latin1(ICC_PREFIX), [index + 1, parts.length], part),
  }));
}

function split(bytes: Uint8Array, length: number): { part: Uint8Array; offset: number }[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) => ({
    part: bytes.subarray(index * length, (index + 1) * length),
    offset: index * length,
  }));
}
