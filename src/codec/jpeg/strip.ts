import type { MetadataPart, MetadataStripper } from '../metadata/model.ts';
import { segmentsOfCopy } from './metadata.ts';
import { APP0, COM, codingStart, countAfterEnd, type Jpeg, type NewSegment, readJpeg, writeJpeg } from './segments.ts';

export const jpegStripper: MetadataStripper = {
  // A profile may be cut in other places, and is never taken out.
  parts: ({ file }) => {
    const { bytes, segments, end } = file.read(readJpeg);
    const parts = segments.filter(({ kind }) => kind !== 'coding' && kind !== 'icc').map(asPart);
    if (countAfterEnd(bytes, end) > 0) parts.push({ type: 'data after its end', payload: bytes.subarray(end) });
    return parts;
  },
  partsLeft: ({ file }, policy) => segmentsOfCopy(file, policy).map(asPart),
  strip: ({ file }, policy) => {
    const jpeg = file.read(readJpeg);
    return jpeg.hasEnd ? writeJpeg(segmentsOfCopy(file, policy), codedParts(jpeg)) : undefined;
  },
};

function asPart({ marker, payload }: NewSegment): MetadataPart {
  return { type: marker === COM ? 'a comment' : `APP${marker - APP0}`, payload };
}

/** From the first table to the end, without the segments in between that do not belong to the coding. */
function codedParts(jpeg: Jpeg): Uint8Array[] {
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
