import { byteAt } from '../bytes.ts';
import type { JpegFrame, JpegSegment } from './segments.ts';

/**
 * A header segment with what decoders assume in place of a value that they do not know, and warn of: revision 1.02 of
 * JFIF, and YCbCr or YCCK as the transform of Adobe. The same segment where there is nothing to repair.
 * @see libjpeg's jdmarker.c and jdapimin.c
 */
export function repaired(segment: JpegSegment, { components }: JpegFrame): JpegSegment {
  const { kind, payload } = segment;
  if (kind === 'jfif' && payload[5] !== 1 && payload.length >= 7) return withBytes(segment, 5, [1, 2]);
  if (kind !== 'adobe' || payload.length < 12) return segment;
  const assumed = components.length === 4 ? 2 : 1;
  const transform = byteAt(payload, 11);
  return transform === 0 || transform === assumed ? segment : withBytes(segment, 11, [assumed]);
}

function withBytes(segment: JpegSegment, at: number, bytes: readonly number[]): JpegSegment {
  const payload = segment.payload.slice();
  payload.set(bytes, at);
  return { ...segment, payload };
}
