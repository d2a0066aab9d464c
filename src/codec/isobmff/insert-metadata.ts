import { joinBytes, latin1, uint16, uint32, uintAt } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import type { ImageMetadata } from '../metadata/model.ts';
import { childrenOf, findBox } from './boxes.ts';
import { auxiliariesOf, ESSENTIAL, type IsoImage, readAssociations, readIsoImage } from './image.ts';
import { readIsoOrientation, TRANSFORMS } from './orientation.ts';

type InsertedMetadata = Pick<ImageMetadata, 'exif' | 'xmp' | 'icc'> & { readonly orientation: number };

/** The same picture with this metadata and orientation added; for files of one `meta` and no track. */
export function withIsoMetadata(bytes: Uint8Array, metadata: InsertedMetadata): Uint8Array {
  const image = readIsoImage(bytes);
  if (findBox(image.boxes, 'moov'))
    throw new CorruptImageError('Expected a still AVIF but found an image sequence (moov)');
  const { meta } = image;
  const items = newItems(image, metadata);
  // The offsets are written twice: the length of `meta` does not depend on their values.
  const draft = writeMeta(image, metadata, items, 0, 0);
  const growth = draft.length - (meta.end - meta.at);
  const whole = writeMeta(image, metadata, items, growth, bytes.length + growth + 8);
  const store = joinBytes(...items.map(({ content }) => content));
  const storeBox = store.length > 0 ? isoBox('mdat', store) : [];
  return joinBytes(bytes.subarray(0, meta.at), whole, bytes.subarray(meta.end), storeBox);
}

type NewItem = Readonly<{ id: number; content: Uint8Array; entry: Uint8Array }>;

function newItems({ items }: IsoImage, { exif, xmp }: InsertedMetadata): NewItem[] {
  const added = [
    // As libheif writes it: an offset, then the prefix that many readers expect.
    ...(exif ? [{ type: 'Exif\0', content: joinBytes(uint32(6), latin1('Exif\0\0'), exif) }] : []),
    ...(xmp ? [{ type: 'mime\0application/rdf+xml\0\0', content: xmp }] : []),
  ];
  const firstId = Math.max(...items.keys()) + 1;
  return added.map(({ type, content }, index) => {
    const id = firstId + index;
    const entry = isoBox('infe', joinBytes([2, 0, 0, 1], uint16(id), uint16(0), latin1(type)));
    return { id, entry, content };
  });
}

function writeMeta(
  image: IsoImage,
  metadata: InsertedMetadata,
  added: readonly NewItem[],
  growth: number,
  storeAt: number,
): Uint8Array {
  const { bytes, meta, metaBoxes } = image;
  const rewritten: Record<string, (content: Uint8Array) => Uint8Array> = {
    iloc: () => writeLocations(image, added, growth, storeAt),
    iinf: (content) => writeItemList(content, added),
    iprp: () => writeProperties(image, metadata),
    iref: (content) => joinBytes(content, ...referencesTo(image, added)),
  };
  const boxes = metaBoxes.map(({ type, at, from, end }) => {
    const rewrite = rewritten[type];
    return rewrite ? isoBox(type, rewrite(bytes.subarray(from, end))) : bytes.subarray(at, end);
  });
  if (!findBox(metaBoxes, 'iref') && added.length > 0)
    boxes.push(isoBox('iref', joinBytes([0, 0, 0, 0], ...referencesTo(image, added))));
  return isoBox('meta', joinBytes(bytes.subarray(meta.from, meta.from + 4), ...boxes));
}

function writeLocations(image: IsoImage, added: readonly NewItem[], growth: number, storeAt: number) {
  const { locations, meta } = image;
  const rows = locations.map(({ id, construction, extents }) => {
    const isMoved = (offset: number) => construction === 0 && offset >= meta.end;
    const moved = extents.map(({ offset, length }) =>
      joinBytes(uint32(isMoved(offset) ? offset + growth : offset), uint32(length)),
    );
    return joinBytes(uint16(id), uint16(construction), uint16(0), uint16(extents.length), ...moved);
  });
  let at = storeAt;
  for (const { id, content } of added) {
    const extent = joinBytes(uint32(at), uint32(content.length));
    rows.push(joinBytes(uint16(id), uint16(0), uint16(0), uint16(1), extent));
    at += content.length;
  }
  // Version 1, offsets and lengths of four bytes, no base.
  return joinBytes([1, 0, 0, 0, 0x44, 0x00], uint16(rows.length), ...rows);
}

function writeItemList(content: Uint8Array, added: readonly NewItem[]): Uint8Array {
  const countLength = content[0] === 0 ? 2 : 4;
  const count = uintAt(content, 4, countLength) + added.length;
  return joinBytes(
    content.subarray(0, 4),
    countLength === 2 ? uint16(count) : uint32(count),
    content.subarray(4 + countLength),
    ...added.map(({ entry }) => entry),
  );
}

function referencesTo({ primary }: IsoImage, added: readonly NewItem[]): Uint8Array[] {
  return added.map(({ id }) => isoBox('cdsc', joinBytes(uint16(id), uint16(1), uint16(primary.id))));
}

/** `ipco` gets the new properties at its end; the picture and the items that belong to it share the transforms. */
function writeProperties(image: IsoImage, { icc, orientation }: InsertedMetadata): Uint8Array {
  const { bytes, metaBoxes, primary } = image;
  const boxes = childrenOf(bytes, findBox(metaBoxes, 'iprp'));
  const store = findBox(boxes, 'ipco');
  if (!store) throw new CorruptImageError('Expected item properties in an AVIF but found no ipco box');
  const missing = readIsoOrientation(image) === 1 ? (TRANSFORMS[orientation] ?? {}) : {};
  const transforms = Object.entries(missing).map(([type, value]) => isoBox(type, Uint8Array.of(value)));
  const profile = icc ? [isoBox('colr', joinBytes(latin1('prof'), icc))] : [];
  const first = childrenOf(bytes, store).length + 1;
  const transformEntries = transforms.map((_, index) => (first + profile.length + index) | ESSENTIAL);
  const primaryEntries = [...profile.map(() => first), ...transformEntries];
  const auxiliaries = auxiliariesOf(image);
  const rows = readAssociations(bytes, boxes).map(({ id, entries }) => {
    const own = id === primary.id ? primaryEntries : auxiliaries.has(id) ? transformEntries : [];
    const all = entries.concat(own);
    return joinBytes(uint16(id), [all.length], ...all.map((entry) => uint16(entry)));
  });
  return joinBytes(
    isoBox('ipco', joinBytes(bytes.subarray(store.from, store.end), ...profile, ...transforms)),
    isoBox('ipma', joinBytes([0, 0, 0, 1], uint32(rows.length), ...rows)),
  );
}

function isoBox(type: string, content: Uint8Array): Uint8Array {
  return joinBytes(uint32(content.length + 8), latin1(type), content);
}
