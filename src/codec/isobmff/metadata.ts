import { startsWith, uintAt } from '../bytes.ts';
import type { WritableFormat } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { usableProfile } from '../metadata/icc.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import { withPlainExif } from '../metadata/policy.ts';
import { type IsoImage, readIsoImage, readItemContent } from './image.ts';
import { withIsoMetadata } from './insert-metadata.ts';

export function readIsoMetadata(file: ImageFile): ImageMetadata {
  const image = file.read(readIsoImage);
  const items = [...image.items.values()];
  const exif = items.find(({ type }) => type === 'Exif');
  const xmp = items.find(({ type, contentType }) => type === 'mime' && contentType === 'application/rdf+xml');
  const block = exif && readItemContent(image, exif.id);
  return withPlainExif({
    exif: block && block.length > 4 ? block.subarray(4 + uintAt(block, 0, 4)) : undefined,
    xmp: xmp && readItemContent(image, xmp.id),
    icc: readIsoIcc(image),
  });
}

/** The profile in a `colr` box of the primary item; undefined when there is none. */
export function readIsoIcc({ bytes, primary }: IsoImage): Uint8Array | undefined {
  const box = primary.properties.find(
    ({ type, from }) => type === 'colr' && ['prof', 'rICC'].some((kind) => startsWith(bytes, kind, from)),
  );
  return usableProfile(box && bytes.subarray(box.from + 4, box.end));
}

/** An encoder's AVIF with this metadata. Viewers obey the properties `irot` and `imir` alone, so EXIF has 1. */
export const writeAvifMetadata: WritableFormat['writeMetadata'] = (output, metadata, transfer) => {
  const icc = transfer.ownsIcc ? undefined : metadata.icc;
  return withIsoMetadata(output.bytes, { ...metadata, icc, orientation: transfer.orientation });
};
