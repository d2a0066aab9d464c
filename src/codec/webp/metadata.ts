import { joinBytes, uint32 } from '../bytes.ts';
import type { WritableFormat } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { usableProfile } from '../metadata/icc.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import { withPlainExif } from '../metadata/policy.ts';
import {
  FLAGS,
  findAnnounced,
  findRiffChunk,
  PICTURES,
  type RiffChunk,
  readWebP,
  type WebP,
  writeWebP,
} from './riff.ts';

export function readWebPMetadata(file: ImageFile): ImageMetadata {
  const webp = file.read(readWebP);
  // Tools find EXIF and XMP even where the header does not announce them, but no viewer obeys such an orientation.
  return withPlainExif({
    exif: findRiffChunk(webp, 'EXIF'),
    xmp: findRiffChunk(webp, 'XMP '),
    icc: usableProfile(findAnnounced(webp, 'ICCP')),
  });
}

/** An encoder's WebP with this metadata; under `keep` with the unknown chunks of a WebP source, too. */
export const writeWebPMetadata: WritableFormat['writeMetadata'] = (output, metadata, transfer) => {
  const { source, policy } = transfer;
  const from = source.format === 'webp' ? source.file.read(readWebP) : undefined;
  const foreign = policy === 'keep' && from ? foreignChunks(from) : [];
  return withWebPMetadata(output, { ...metadata, foreign, animation: from && findRiffChunk(from, 'ANIM') });
};

/** Chunks of unknown types, and a profile that the header does not announce. */
function foreignChunks(webp: WebP): RiffChunk[] {
  const carried = ['VP8X', 'EXIF', 'XMP ', ...(findAnnounced(webp, 'ICCP') ? ['ICCP'] : [])];
  return webp.chunks.filter(({ type }) => !PICTURES.has(type) && !carried.includes(type));
}

interface WebPMetadata extends ImageMetadata {
  readonly foreign?: readonly RiffChunk[];
  /** Background colour and number of loops for the output, where it is animated; libvips makes every background white. */
  readonly animation?: Uint8Array;
}

/** The same pictures with exactly this metadata. */
export function withWebPMetadata(file: ImageFile, metadata: WebPMetadata): Uint8Array {
  const webp = file.read(readWebP);
  const { icc, exif, xmp, foreign = [], animation } = metadata;
  const pictures = webp.chunks
    .filter(({ type }) => PICTURES.has(type))
    .map(({ type, payload }) => ({ type, payload: type === 'ANIM' && animation ? animation : payload }));
  const afterPictures: RiffChunk[] = [
    ...(exif ? [{ type: 'EXIF', payload: exif }] : []),
    ...(xmp ? [{ type: 'XMP ', payload: xmp }] : []),
    ...foreign,
  ];
  const isExtended = webp.chunks[0]?.type === 'VP8X';
  if (!icc && afterPictures.length === 0 && !isExtended) return writeWebP(pictures);
  return writeWebP([
    { type: 'VP8X', payload: extendedHeader(webp, metadata) },
    ...(icc ? [{ type: 'ICCP', payload: icc }] : []),
    ...pictures,
    ...afterPictures,
  ]);
}

function extendedHeader(webp: WebP, { icc, exif, xmp }: WebPMetadata): Uint8Array {
  const flags =
    (icc ? FLAGS.ICCP : 0) |
    (webp.alpha ? FLAGS.ALPH : 0) |
    (exif ? FLAGS.EXIF : 0) |
    (xmp ? FLAGS.XMP : 0) |
    (webp.chunks.some(({ type }) => type === 'ANIM') ? FLAGS.ANIM : 0);
  const [width, height] = [uint32(webp.width - 1, true), uint32(webp.height - 1, true)];
  return joinBytes([flags, 0, 0, 0], width.subarray(0, 3), height.subarray(0, 3));
}
