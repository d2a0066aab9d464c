import { byteAt, textAt, uint32, uint32At } from '../bytes.ts';
import { FLAGS, type RiffChunk, readRiffChunks, readSize, type WebP, writeWebP } from './riff.ts';

/** One picture of a WebP as a file of its own: the still, or a frame of an animation in its own size. */
export interface WebPPicture {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

/** Its pictures, or what is missing where one has no pixels, or others than the header says. */
export function splitPictures(webp: WebP): WebPPicture[] | string {
  const frames = webp.chunks.filter(({ type }) => type === 'ANMF');
  if (webp.chunks[0]?.type !== 'VP8X' || !isAnimated(webp)) return asList(stillOf(webp.chunks, webp, 'the picture'));
  if (frames.length === 0) return 'Expected the frames of an animation but found none';
  const pictures: WebPPicture[] = [];
  for (const [index, { payload }] of frames.entries()) {
    const picture = frameOf(payload, webp, `frame ${index + 1} of ${frames.length}`);
    if (typeof picture === 'string') return picture;
    pictures.push(picture);
  }
  return pictures;
}

const asList = (picture: WebPPicture | string) => (typeof picture === 'string' ? picture : [picture]);

function isAnimated({ chunks: [header] }: WebP): boolean {
  return header !== undefined && (byteAt(header.payload, 0) & FLAGS.ANIM) !== 0;
}

const FRAME_HEADER = 16;

function frameOf(payload: Uint8Array, canvas: WebP, name: string): WebPPicture | string {
  const uint24At = (at: number) => uint32At(payload, at, true) & 0xffffff;
  const [left, top] = [2 * uint24At(0), 2 * uint24At(3)];
  const size = { width: uint24At(6) + 1, height: uint24At(9) + 1 };
  if (payload.length < FRAME_HEADER) return `Expected a header of ${FRAME_HEADER} bytes in ${name} but it ends before`;
  if (left + size.width > canvas.width || top + size.height > canvas.height)
    return `Expected ${name} within ${canvas.width} x ${canvas.height} pixels but it reaches beyond`;
  const chunks = readRiffChunks(payload, FRAME_HEADER, payload.length);
  // A frame holds its transparency, its picture, and nothing else that decoders accept.
  if (chunks.filter(({ type }) => type === 'VP8 ' || type === 'VP8L').length > 1)
    return `Expected one picture in ${name} but found another`;
  const fault = findBoundFault(payload, FRAME_HEADER, payload.length);
  if (fault) return `${fault} in ${name}`;
  return stillOf(chunks, size, name);
}

/** The first chunk that does not end before `end`; or what is less than a chunk after the last one. */
export function findBoundFault(bytes: Uint8Array, from: number, end: number): string | undefined {
  let at = from;
  while (at + 8 <= end) {
    const length = uint32At(bytes, at + 4, true);
    if (at + 8 + length > end)
      return `Expected the end of chunk ${textAt(bytes, at, 4).trim()} at byte ${at + 8 + length} but found that of the file or frame`;
    at += 8 + length + (length % 2);
  }
  return at < end ? `Expected a chunk at byte ${at} but found ${end - at} bytes` : undefined;
}

type Size = Readonly<{ width: number; height: number }>;

function stillOf(chunks: readonly RiffChunk[], { width, height }: Size, name: string): WebPPicture | string {
  const data = chunks.find(({ type }) => type === 'VP8 ' || type === 'VP8L');
  if (!data) return `Expected pixels in ${name} but found none`;
  const coded = readSize(data);
  if (coded?.width !== width || coded.height !== height)
    return `Expected ${width} x ${height} pixels in ${name} but found ${coded ? `${coded.width} x ${coded.height}` : 'no size'}`;
  const alpha = data.type === 'VP8 ' ? chunks.find(({ type }) => type === 'ALPH') : undefined;
  if (!alpha) return { width, height, bytes: writeWebP([data]) };
  return { width, height, bytes: writeWebP([{ type: 'VP8X', payload: headerFor({ width, height }) }, alpha, data]) };
}

function headerFor({ width, height }: Size): Uint8Array {
  const header = new Uint8Array(10);
  header[0] = FLAGS.ALPH;
  header.set(uint32(width - 1, true).subarray(0, 3), 4);
  header.set(uint32(height - 1, true).subarray(0, 3), 7);
  return header;
}
