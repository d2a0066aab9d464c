import type { ImageFile } from '../image-file.ts';
import { readIsoImage } from './image.ts';

/** Items that are pictures or parts of them. */
const PICTURES: ReadonlySet<string> = new Set(['av01', 'hvc1', 'grid', 'iovl', 'iden', 'jpeg', 'tmap']);

/** Boxes at the top that hold a still picture and nothing else; `moov` may hold metadata of its own. */
const STILL_BOXES: ReadonlySet<string> = new Set(['ftyp', 'meta', 'mdat', 'free', 'skip']);

/** What an AVIF or HEIF holds besides pictures, EXIF and XMP, which are read elsewhere. */
export function isoPartsLeft(file: ImageFile): string[] {
  const { boxes, items, references } = file.read(readIsoImage);
  const others = [...items.values()].filter(
    ({ type, contentType }) => !PICTURES.has(type) && type !== 'Exif' && !isXmp(type, contentType),
  );
  return [
    ...boxes.filter(({ type }) => !STILL_BOXES.has(type)).map(({ type }) => `box ${type.trim()}`),
    ...others.map(({ type }) => `item ${type.trim()}`),
    ...(references.some(({ type }) => type === 'thmb') ? ['a thumbnail'] : []),
  ];
}

function isXmp(type: string, contentType: string): boolean {
  return type === 'mime' && contentType === 'application/rdf+xml';
}
