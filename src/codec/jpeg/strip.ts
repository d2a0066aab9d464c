import { ImageFile } from '../image-file.ts';
import type { MetadataPart, MetadataStripper } from '../metadata/model.ts';
import { codedParts, dropJpegParts } from './drop-parts.ts';
import { segmentsOfCopy } from './metadata.ts';
import { readMultiPicture } from './multi-picture.ts';
import { APP0, COM, countAfterEnd, type Jpeg, type NewSegment, readJpeg, writeJpeg } from './segments.ts';

export const jpegStripper: MetadataStripper = {
  parts: ({ file }) => partsOf(file.read(readJpeg).bytes, file),
  partsLeft: ({ file }, policy) => {
    const clean = dropJpegParts(file, { policy, credentials: true, trailing: true });
    return clean ? partsOf(clean.bytes) : segmentsOfCopy(file, policy).map(asPart);
  },
  strip: ({ file }, policy) => {
    const jpeg = file.read(readJpeg);
    return jpeg.hasEnd ? writeJpeg(segmentsOfCopy(file, policy), codedParts(jpeg)) : undefined;
  },
};

/** The segments of every picture in the file, and what is in none of them. A profile is never taken out. */
function partsOf(bytes: Uint8Array, file = new ImageFile(bytes)): MetadataPart[] {
  const jpeg = file.read(readJpeg);
  const { others, unknownTrailingBytes, trailer } = readMultiPicture(jpeg);
  const isElsewhere = unknownTrailingBytes > 0 || trailer !== undefined;
  const pictures = others.map(({ start, length }) => readJpeg(bytes.subarray(start, start + length)));
  return [
    ...segmentsOf(jpeg),
    ...pictures.flatMap(segmentsOf),
    ...[...(isElsewhere ? [jpeg] : []), ...pictures].flatMap(afterEnd),
  ];
}

function segmentsOf({ segments }: Jpeg): MetadataPart[] {
  return segments.filter(({ kind }) => kind !== 'coding' && kind !== 'icc').map(asPart);
}

function afterEnd({ bytes, end }: Jpeg): MetadataPart[] {
  return countAfterEnd(bytes, end) > 0 ? [{ type: 'data after its end', payload: bytes.subarray(end) }] : [];
}

function asPart({ marker, payload }: NewSegment): MetadataPart {
  return { type: marker === COM ? 'a comment' : `APP${marker - APP0}`, payload };
}
