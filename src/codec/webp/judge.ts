import type { ImageFacts } from '../../core/recipe.ts';
import { byteAt, uint32At } from '../bytes.ts';
import { EngineError, fromEngine, openImage } from '../engines.ts';
import type { ImageFile } from '../image-file.ts';
import { witnessPixels } from '../second-witness.ts';
import { damaged, odd, unproven, type Verdict, WHOLE } from '../verdict.ts';
import { findBoundFault, splitPictures, type WebPPicture } from './pictures.ts';
import { FLAGS, readWebP, type WebP } from './riff.ts';

/**
 * A WebP is whole when each chunk lies within the file and each picture in it, the still or every frame, is decoded by a
 * decoder that is not libvips' as a still of its own. @throws CorruptImageError when the header cannot be read
 */
export async function judgeWebP(file: ImageFile, _facts?: ImageFacts, fitsDecoded = true): Promise<Verdict> {
  const webp = file.read(readWebP);
  const fault = findChunkFault(file.bytes) ?? findOrderFault(webp);
  if (fault) return damaged(fault);
  const pictures = splitPictures(webp);
  if (typeof pictures === 'string') return damaged(pictures);
  const missing = findMissingPart(webp);
  if (missing) return unproven(missing);
  if (!hasUnevenEnd(file.bytes) && !(await isReadAsAWhole(file.bytes)))
    return unproven('decoders disagree about its header');
  if (!fitsDecoded) return unproven('it is too large to be decoded here');
  for (const [index, picture] of pictures.entries()) {
    const verdict = await judgePicture(
      picture,
      pictures.length > 1 ? `frame ${index + 1} of ${pictures.length}` : 'the picture',
    );
    if (verdict.is !== 'whole') return verdict;
  }
  return hasUnevenEnd(file.bytes)
    ? odd('all its pixels are there, but the byte that fills its last chunk is missing')
    : WHOLE;
}

/** libwebp refuses some headers of files whose pictures it decodes one by one. */
async function isReadAsAWhole(bytes: Uint8Array): Promise<boolean> {
  try {
    await fromEngine(openImage(bytes, { pages: 1 }).metadata());
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}

/** The first chunk that does not lie within the file. */
function findChunkFault(bytes: Uint8Array): string | undefined {
  const end = riffEnd(bytes);
  if (end > bytes.length + (hasUnevenEnd(bytes) ? 1 : 0))
    return `Expected a WebP of ${end} bytes by its header but the file ends after ${bytes.length}`;
  return findBoundFault(bytes, 12, Math.min(end, bytes.length));
}

const riffEnd = (bytes: Uint8Array) => uint32At(bytes, 4, true) + 8;

/** Decoders refuse a second header and pictures that are in no frame of an animation, or not in their place. */
function findOrderFault({ chunks }: WebP): string | undefined {
  const types = chunks.map(({ type }) => type);
  if (chunks[0]?.type === 'VP8X' && chunks[0].payload.length !== 10)
    return `Expected 10 bytes in the VP8X chunk but found ${chunks[0].payload.length}`;
  if (types.lastIndexOf('VP8X') > 0) return 'Expected one VP8X chunk but found another';
  if (types.indexOf('ALPH') !== types.lastIndexOf('ALPH')) return 'Expected one ALPH chunk but found another';
  const isAnimated = types.includes('ANMF');
  if (chunks.some(({ type, payload }) => type === 'ANIM' && payload.length !== 6))
    return 'Expected 6 bytes in the ANIM chunk but found others';
  const pictures = types.filter((type) => type === 'VP8 ' || type === 'VP8L');
  if (pictures.length > (isAnimated ? 0 : 1)) return 'Expected one picture but found another';
  if (isAnimated && !types.slice(0, types.indexOf('ANMF')).includes('ANIM'))
    return 'Expected an ANIM chunk before the frames but found none';
  return types.indexOf('ALPH') > types.indexOf('VP8 ')
    ? 'Expected transparency before its picture but found it after'
    : undefined;
}

/** A chunk that the header announces: some decoders insist on it. */
function findMissingPart({ chunks: [header, ...others] }: WebP): string | undefined {
  if (header?.type !== 'VP8X') return undefined;
  const missing = ANNOUNCED.find(
    ({ flag, type }) => byteAt(header.payload, 0) & flag && !others.some((chunk) => chunk.type === type),
  );
  return missing && `its header announces a chunk ${missing.type.trim()} that it does not have`;
}

const ANNOUNCED = [
  { flag: FLAGS.ICCP, type: 'ICCP' },
  { flag: FLAGS.EXIF, type: 'EXIF' },
  { flag: FLAGS.XMP, type: 'XMP ' },
];

/** Chunks have an even length, and the last one of some files lacks the byte that makes it so. */
function hasUnevenEnd(bytes: Uint8Array): boolean {
  return riffEnd(bytes) % 2 === 0 && bytes.length + 1 === riffEnd(bytes);
}

/** libwebp is what viewers decode with; the other decoder overlooks data that end a little early. */
async function judgePicture(picture: WebPPicture, name: string): Promise<Verdict> {
  const refusal = await refusalOf(fromEngine(openImage(picture.bytes, { pages: 1 }).raw().toBuffer()));
  if (refusal) return damaged(`Expected WebP data that decode in full in ${name} but found damaged or truncated data`);
  let isRead = true;
  const disagreement = await refusalOf(
    witnessPixels(picture.bytes, { ...picture, format: 'webp' }).then((seen) => {
      isRead = seen !== undefined;
    }),
  );
  if (disagreement) return unproven(`two decoders disagree about ${name}`);
  return isRead ? WHOLE : unproven(`only one decoder here can read ${name}`);
}

async function refusalOf(decoding: Promise<unknown>): Promise<string | undefined> {
  try {
    await decoding;
    return undefined;
  } catch (error) {
    if (error instanceof EngineError) return error.message;
    throw error;
  }
}
