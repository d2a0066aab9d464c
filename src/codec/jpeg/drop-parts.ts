import {
  indexOfText,
  joinAll,
  joinBytes,
  latin1,
  sameBytes,
  startsWith,
  uint16At,
  uint32,
  uint32At,
} from '../bytes.ts';
import type { DroppedParts, WantedParts } from '../format.ts';
import { ImageFile } from '../image-file.ts';
import { directoryBytes, tiffHeader } from '../metadata/exif.ts';
import { packetWith, renderDescription } from '../metadata/render-xmp.ts';
import { segmentsOfCopy } from './metadata.ts';
import { isGainMap, isPointedAt, type MultiPicture, type PictureEntry, readMultiPicture } from './multi-picture.ts';
import {
  APP1,
  APP2,
  codingStart,
  EXTENDED_XMP_PREFIX,
  type Jpeg,
  type JpegSegment,
  type NewSegment,
  readJpeg,
  segmentBytes,
  writeJpeg,
  XMP_PREFIX,
} from './segments.ts';

/**
 * A JPEG without the parts that the settings drop: content credentials, unknown data after its end, and under
 * `copyright` and `strip` the metadata of every picture in the file. The coded pixels are the same bytes. Undefined
 * where nothing of it is there, or where that is not possible safely.
 */
export function dropJpegParts(file: ImageFile, wanted: WantedParts): DroppedParts | undefined {
  const jpeg = file.read(readJpeg);
  const found = readMultiPicture(jpeg);
  if (!jpeg.hasEnd || !namesOf(jpeg, found, wanted).length) return undefined;
  const isClean = wanted.policy !== 'keep';
  const bytes = isClean ? dropUnderPolicy(file, found, wanted) : dropUnderKeep(jpeg, found, wanted);
  const dropped = namesOf(jpeg, found, wanted);
  return bytes && samePixels(jpeg, readJpeg(bytes)) ? { bytes, dropped, isClean } : undefined;
}

function namesOf(jpeg: Jpeg, found: MultiPicture, { policy, credentials, trailing }: WantedParts): string[] {
  const holdsPictures = policy !== 'keep' && found.others.length > 0;
  const dropsTrailer = policy !== 'keep' && trailing && found.trailer !== undefined;
  return [
    ...(credentials && credentialsOf(jpeg).size > 0 ? ['content credentials'] : []),
    ...((trailing && found.unknownTrailingBytes > 0) || dropsTrailer ? ['data after its end'] : []),
    ...(holdsPictures ? ['metadata of its pictures'] : []),
  ];
}

/** The segments of C2PA manifests: of those that one box is split into only the first has its name. */
function credentialsOf({ segments }: Jpeg): ReadonlySet<JpegSegment> {
  const boxes = segments.filter(({ kind }) => kind === 'jumbf');
  const numberOf = ({ payload }: JpegSegment) => uint16At(payload, 2);
  const numbers = boxes.filter(({ payload }) => indexOfText(payload, 'c2pa') >= 0).map(numberOf);
  return new Set(boxes.filter((segment) => numbers.includes(numberOf(segment))));
}

function dropUnderKeep(
  jpeg: Jpeg,
  found: MultiPicture,
  { credentials, trailing }: WantedParts,
): Uint8Array | undefined {
  const { bytes, segments, end } = jpeg;
  const manifest = credentialsOf(jpeg);
  const isLost = trailing && found.unknownTrailingBytes > 0;
  const pictures = found.others.map((entry) => ({ entry, bytes: bytesOf(jpeg, entry) }));
  const rest = isLost ? [found.trailer ?? new Uint8Array()] : [];
  const starts = found.others.map(({ start }) => start);
  // Offsets in maker notes cannot be corrected.
  if (starts.length > 0 && isPointedAt(jpeg, starts)) return undefined;
  const own = segments.filter((segment) => segment.kind !== 'coding' && !(credentials && manifest.has(segment)));
  if (pictures.length === 0) {
    const tail = isLost ? rest : [bytes.subarray(end)];
    return joinBytes(writeJpeg(own, codedParts(jpeg)), ...tail);
  }
  if (!isLost && found.unknownTrailingBytes > 0) return undefined;
  return joinBytes(withPictures(jpeg, own, pictures), found.trailer ?? new Uint8Array());
}

function dropUnderPolicy(file: ImageFile, found: MultiPicture, wanted: WantedParts): Uint8Array | undefined {
  const jpeg = file.read(readJpeg);
  const { policy, trailing } = wanted;
  const isMetadata = found.trailingParts?.isMetadata === true;
  if (!trailing && (found.unknownTrailingBytes > 0 || (found.trailer && !isMetadata))) return undefined;
  if (needsMakerNotes(jpeg, found)) return undefined;
  const views = found.others.filter(({ preview, start }) => !preview && startsWith(jpeg.bytes, '\xff\xd8', start));
  if (views.some((entry) => !readJpeg(bytesOf(jpeg, entry)).hasEnd)) return undefined;
  const pictures = views.map((entry) => ({ entry, bytes: cleanPicture(bytesOf(jpeg, entry), policy) }));
  const map = pictures.find(({ entry }) => isGainMap(jpeg.bytes, entry)) ?? pictures[0];
  const own = cleanSegments(file, policy, found.gainMap ? map?.bytes.length : undefined);
  return pictures.length > 0 ? withPictures(jpeg, own, pictures) : writeJpeg(own, codedParts(jpeg));
}

/** Apple's viewers read how bright a gain map makes a picture from its maker notes, unless the map says it. */
function needsMakerNotes({ bytes, segments }: Jpeg, { gainMap, others }: MultiPicture): boolean {
  const hasNotes = segments.some(({ kind, payload }) => kind === 'exif' && indexOfText(payload, 'Apple iOS\0') >= 0);
  if (!gainMap || !hasNotes) return false;
  const after = bytes.subarray(others[0]?.start ?? bytes.length);
  return indexOfText(after, 'HDRGainMapHeadroom') < 0 && indexOfText(after, 'hdrgm:') < 0;
}

function bytesOf({ bytes }: Jpeg, { start, length }: PictureEntry): Uint8Array {
  return bytes.subarray(start, start + length);
}

/** A picture after the first one without its metadata. @throws CorruptImageError */
function cleanPicture(bytes: Uint8Array, policy: WantedParts['policy']): Uint8Array {
  const file = new ImageFile(bytes);
  return writeJpeg(cleanSegments(file, policy), codedParts(file.read(readJpeg)));
}

/** The segments that the policy allows, and what shows a gain map. */
function cleanSegments(file: ImageFile, policy: WantedParts['policy'], mapLength?: number): NewSegment[] {
  const { segments } = file.read(readJpeg);
  const allowed = segmentsOfCopy(file, policy);
  const gainMaps = segments.filter(({ kind }) => kind === 'gain-map');
  const packet = segments.find(({ kind }) => kind === 'xmp')?.payload.subarray(XMP_PREFIX.length);
  const description = packet && renderDescription(packet, mapLength);
  if (description === undefined) return [...allowed, ...gainMaps];
  const isXmp = ({ payload }: NewSegment) => startsWith(payload, XMP_PREFIX);
  const isExtended = ({ payload }: NewSegment) => startsWith(payload, EXTENDED_XMP_PREFIX);
  const own = allowed.find(isXmp)?.payload.subarray(XMP_PREFIX.length);
  const payload = joinBytes(latin1(XMP_PREFIX), packetWith(description, own));
  const others = allowed.filter((segment) => !isXmp(segment) && !isExtended(segment));
  return [...others, { marker: APP1, payload }, ...gainMaps];
}

/** From the first table to the end, without the segments in between that do not belong to the coding. */
export function codedParts(jpeg: Jpeg): Uint8Array[] {
  const { bytes, segments, end } = jpeg;
  const parts: Uint8Array[] = [];
  let from = codingStart(jpeg);
  for (const { kind, at, payload } of segments) {
    if (kind === 'coding' || at < from) continue;
    parts.push(bytes.subarray(from, at));
    from = at + 4 + payload.length;
  }
  return [...parts, bytes.subarray(from, end)];
}

type Picture = Readonly<{ entry: PictureEntry; bytes: Uint8Array }>;

const ENTRY_LENGTH = 16;

/** The first picture with these segments and a new index, and the others right after it. */
function withPictures(jpeg: Jpeg, own: readonly NewSegment[], pictures: readonly Picture[]): Uint8Array {
  const others = own.filter(({ marker, payload }) => !(marker === APP2 && startsWith(payload, 'MPF\0')));
  const before = joinAll([[0xff, 0xd8], ...others.map(({ marker, payload }) => segmentBytes(marker, payload))]);
  const coded = joinAll(codedParts(jpeg));
  const indexOf = (length: number) =>
    segmentBytes(APP2, joinBytes(latin1('MPF\0'), index(jpeg, pictures, before.length + 8, length)));
  const length = before.length + indexOf(0).length + coded.length;
  return joinAll([before, indexOf(length), coded, ...pictures.map(({ bytes }) => bytes)]);
}

/** An index of multi-picture format (CIPA DC-007) with its three tags. */
function index({ bytes }: Jpeg, pictures: readonly Picture[], base: number, firstLength: number): Uint8Array {
  let start = firstLength;
  const rows = pictures.map(({ entry, bytes: picture }) => {
    const row = joinBytes(uint32(typeAt(bytes, entry)), uint32(picture.length), uint32(start - base), uint32(0));
    start += picture.length;
    return row;
  });
  // "Baseline MP primary image".
  const first = joinBytes(uint32(0x030000), uint32(firstLength), uint32(0), uint32(0));
  const count = pictures.length + 1;
  const entries = [
    { tag: 0xb000, type: 7, count: 4, value: latin1('0100') },
    { tag: 0xb001, type: 4, count: 1, value: uint32(count) },
    { tag: 0xb002, type: 7, count: count * ENTRY_LENGTH, value: joinBytes(first, ...rows) },
  ];
  return joinBytes(tiffHeader(), directoryBytes(entries, 8));
}

/** Kind of the picture, without the links to others. */
function typeAt(bytes: Uint8Array, { at, littleEndian }: PictureEntry): number {
  return uint32At(bytes, at, littleEndian) & 0x07ffffff;
}

/** The same coding segments, byte for byte, and the same Adobe marker: decoders make the same pixels of both. */
function samePixels(before: Jpeg, after: Jpeg): boolean {
  const codingOf = ({ segments }: Jpeg) => segments.filter(({ kind }) => kind === 'coding' || kind === 'adobe');
  const [one, other] = [codingOf(before), codingOf(after)];
  const none = new Uint8Array();
  return (
    one.length === other.length &&
    one.every((segment, number) => {
      const twin = other[number];
      return (
        twin?.marker === segment.marker &&
        sameBytes(twin.payload, segment.payload) &&
        sameBytes(twin.coded ?? none, segment.coded ?? none)
      );
    })
  );
}
