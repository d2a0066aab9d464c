import { joinBytes, latin1, startsWith } from '../bytes.ts';
import { withOrientation, withoutExifPrefix } from '../metadata/exif.ts';
import type { ImageMetadata, MetadataPolicy, MetadataTransfer } from '../metadata/model.ts';
import { underPolicy, withPlainExif } from '../metadata/policy.ts';
import { mergeExtendedXmp, withXmpOrientation } from '../metadata/xmp.ts';
import {
  joinExtendedXmp,
  joinIccSegments,
  joinPhotoshopSegments,
  metadataSegments,
} from './metadata-segments.ts';
import {
  codingStart,
  EXIF_PREFIX,
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

export function readJpegMetadata(bytes: Uint8Array): ImageMetadata {
  const jpeg = readJpeg(bytes);
  const payload = (wanted: string) => jpeg.segments.find(({ kind }) => kind === wanted)?.payload;
  const main = payload('xmp')?.subarray(XMP_PREFIX.length);
  const extended = joinExtendedXmp(jpeg);
  return withPlainExif({
    exif: payload('exif'),
    xmp: main && extended ? mergeExtendedXmp(main, extended) : main,
    icc: joinIccSegments(jpeg),
    photoshop: joinPhotoshopSegments(jpeg),
  });
}

/** An encoder's JPEG with this metadata; under `keep` a source that is a JPEG, too, hands on its own segments. */
export function writeJpegMetadata(
  output: Uint8Array,
  metadata: ImageMetadata,
  transfer: MetadataTransfer,
): Uint8Array {
  const { source, ownsIcc } = transfer;
  const jpeg = readJpeg(output);
  const allowed = { ...metadata, icc: ownsIcc ? undefined : metadata.icc };
  const carried = source.format === 'jpeg' ? segmentsFromJpeg(allowed, transfer) : metadataSegments(allowed);
  const isJfif = ({ marker, payload }: NewSegment) => marker === 0xe0 && startsWith(payload, 'JFIF\0');
  const ownHeader = jpeg.segments.filter((segment) => isJfif(segment) && !carried.some(isJfif));
  const own = jpeg.segments.filter(({ kind }) => kind === 'adobe' || kind === 'icc');
  return writeJpeg([...ownHeader, ...carried, ...own], [output.subarray(codingStart(jpeg), jpeg.end)]);
}

function segmentsFromJpeg(
  metadata: ImageMetadata,
  { source, policy, orientation }: MetadataTransfer,
): readonly NewSegment[] {
  const jpeg = readJpeg(source.bytes);
  if (policy === 'keep') return segmentsOfSource(jpeg, orientation, metadata.icc !== undefined);
  return [...jfifHeader(jpeg.segments), ...metadataSegments(metadata)];
}

/** The application segments and comments of a JPEG as they go with a copy of the same coefficients. */
export function segmentsOfCopy(source: Jpeg, policy: MetadataPolicy): NewSegment[] {
  const own = source.segments.filter(({ kind }) => kind !== 'coding');
  if (policy === 'keep') return own;
  return [
    ...jfifHeader(own),
    ...metadataSegments(underPolicy(readJpegMetadata(source.bytes), policy, readJpegOrientation(source))),
    ...own.filter(({ kind }) => kind === 'adobe'),
  ];
}

// How the pixels are coded is described by the encoder, and an index of pictures would be wrong in a new file.
const NOT_CARRIED: ReadonlySet<SegmentKind> = new Set(['coding', 'adobe', 'multi-picture', 'gain-map']);

/** The segments of a JPEG that go into a new encoding of it, in order, with this orientation. */
function segmentsOfSource(source: Jpeg, orientation: number, withIcc: boolean): NewSegment[] {
  const kept = source.segments.filter(({ kind }) => !NOT_CARRIED.has(kind) && (withIcc || kind !== 'icc'));
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

/** JFIF without its thumbnail: it holds the density of pixels. */
function jfifHeader(segments: readonly JpegSegment[]): NewSegment[] {
  const jfif = segments.find(({ kind, payload }) => kind === 'jfif' && payload.length >= 14);
  return jfif ? [{ marker: jfif.marker, payload: joinBytes(jfif.payload.subarray(0, 12), [0, 0]) }] : [];
}
