import { joinBytes, latin1, startsWith, uint16, uint32, uintAt } from '../bytes.ts';
import { CorruptImageError } from '../corrupt-image-error.ts';
import type { ImageMetadata, MetadataTransfer } from '../metadata/model.ts';
import { withPlainExif } from '../metadata/policy.ts';
import {
  auxiliariesOf,
  ESSENTIAL,
  type IsoImage,
  readAssociations,
  readBoxes,
  readIsoImage,
  readItemContent,
} from './boxes.ts';

/** EXIF, XMP, profile and orientation of AVIF and HEIF: read from any file, written into what our encoder makes. */

export interface IsoMetadata {
  readonly exif?: Uint8Array;
  readonly xmp?: Uint8Array;
  readonly icc?: Uint8Array;
}

export function readIsoMetadata(bytes: Uint8Array): ImageMetadata {
  return withPlainExif(metadataOf(readIsoImage(bytes)));
}

/** The metadata that belongs to the picture. Some writers put `Exif\0\0` before their EXIF. */
export function metadataOf(image: IsoImage): IsoMetadata {
  const items = [...image.items.values()];
  const exif = items.find(({ type }) => type === 'Exif');
  const xmp = items.find(({ type, contentType }) => type === 'mime' && contentType === 'application/rdf+xml');
  const block = exif && readItemContent(image, exif.id);
  return {
    exif: block && block.length > 4 ? block.subarray(4 + uintAt(block, 0, 4)) : undefined,
    xmp: xmp && readItemContent(image, xmp.id),
    icc: readIsoIcc(image),
  };
}

function readIsoIcc({ bytes, primary }: IsoImage): Uint8Array | undefined {
  const box = primary.properties.find(({ type, from }) => type === 'colr' && isProfile(bytes, from));
  return box && bytes.subarray(box.from + 4, box.end);
}

function isProfile(bytes: Uint8Array, at: number): boolean {
  return startsWith(bytes, 'prof', at) || startsWith(bytes, 'rICC', at);
}

/** 1 to 8, as `irot` and `imir` of the primary item say; a decoder applies them by itself. */
export function readIsoOrientation({ bytes, primary }: IsoImage): number {
  let orientation = 1;
  for (const { type, from } of primary.properties) {
    const value = bytes[from] ?? 0;
    const turns = type === 'irot' ? value & 3 : 0;
    for (let turn = 0; turn < turns; turn++) orientation = QUARTER_TURN[orientation]!;
    if (type === 'imir') orientation = (value & 1 ? LEFT_RIGHT : TOP_BOTTOM)[orientation]!;
  }
  return orientation;
}

// Which EXIF orientation comes out when the upright picture is turned against the clock or mirrored as well.
const QUARTER_TURN = [0, 8, 5, 6, 7, 4, 1, 2, 3];
const LEFT_RIGHT = [0, 2, 1, 4, 3, 6, 5, 8, 7];
const TOP_BOTTOM = [0, 4, 3, 2, 1, 8, 7, 6, 5];

/** The properties that say the same as an EXIF orientation: first quarter turns, then a mirror. */
const TRANSFORMS: readonly (readonly [turns: number, mirror?: number])[] = [
  [0],
  [0],
  [0, 1],
  [2],
  [0, 0],
  [1, 0],
  [3],
  [3, 0],
  [1],
];

/** An encoder's AVIF with this metadata. Viewers go by the properties irot and imir alone: EXIF says 1 beside them. */
export function writeAvifMetadata(
  output: Uint8Array,
  { exif, xmp, icc }: ImageMetadata,
  { orientation, ownsIcc }: MetadataTransfer,
): Uint8Array {
  return withIsoMetadata(output, { exif, xmp, icc: ownsIcc ? undefined : icc, orientation });
}

/** The same picture with this metadata and orientation besides what it has; for files of one `meta` and no track. */
export function withIsoMetadata(
  bytes: Uint8Array,
  metadata: IsoMetadata & { orientation: number },
): Uint8Array {
  const image = readIsoImage(bytes);
  if (image.boxes.some(({ type }) => type === 'moov'))
    throw new CorruptImageError('Expected a still AVIF but found an image sequence (moov)');
  const { meta } = image;
  const contents = newItems(image, metadata);
  // The offsets are written twice: the length of `meta` does not depend on their values.
  const draft = writeMeta(image, metadata, contents, 0, 0);
  const growth = draft.length - (meta.end - meta.at);
  const whole = writeMeta(image, metadata, contents, growth, bytes.length + growth + 8);
  const store = joinBytes(...contents.map(({ content }) => content));
  return joinBytes(
    bytes.subarray(0, meta.at),
    whole,
    bytes.subarray(meta.end),
    store.length > 0 ? isoBox('mdat', store) : [],
  );
}

interface NewItem {
  readonly id: number;
  readonly content: Uint8Array;
  readonly entry: Uint8Array;
}

function newItems({ items }: IsoImage, { exif, xmp }: IsoMetadata): NewItem[] {
  let id = Math.max(...items.keys());
  const entry = (type: string, rest: string) =>
    isoBox('infe', joinBytes([2, 0, 0, 1], uint16(id), uint16(0), latin1(`${type}\0${rest}`)));
  const added: NewItem[] = [];
  if (exif) {
    id++;
    // As libheif writes it: an offset, then the prefix that many readers want to see.
    added.push({ id, entry: entry('Exif', ''), content: joinBytes(uint32(6), latin1('Exif\0\0'), exif) });
  }
  if (xmp) {
    id++;
    added.push({ id, entry: entry('mime', 'application/rdf+xml\0\0'), content: xmp });
  }
  return added;
}

function writeMeta(
  image: IsoImage,
  metadata: IsoMetadata & { orientation: number },
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
  const hasReferences = metaBoxes.some(({ type }) => type === 'iref');
  if (!hasReferences && added.length > 0) {
    boxes.push(isoBox('iref', joinBytes([0, 0, 0, 0], ...referencesTo(image, added))));
  }
  return isoBox('meta', joinBytes(bytes.subarray(meta.from, meta.from + 4), ...boxes));
}

function writeLocations(
  { locations, meta }: IsoImage,
  added: readonly NewItem[],
  growth: number,
  storeAt: number,
): Uint8Array {
  let at = storeAt;
  const rows = locations.map(({ id, construction, extents }) => {
    const moved = extents.map(({ offset, length }) =>
      joinBytes(uint32(construction === 0 && offset >= meta.end ? offset + growth : offset), uint32(length)),
    );
    return joinBytes(uint16(id), uint16(construction), uint16(0), uint16(extents.length), ...moved);
  });
  const newRows = added.map(({ id, content }) => {
    at += content.length;
    return joinBytes(
      uint16(id),
      uint16(0),
      uint16(0),
      uint16(1),
      uint32(at - content.length),
      uint32(content.length),
    );
  });
  // Version 1, offsets and lengths of four bytes, no base.
  return joinBytes([1, 0, 0, 0, 0x44, 0x00], uint16(rows.length + newRows.length), ...rows, ...newRows);
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

/** `ipco` gets the new properties at its end, and every item that is the picture or belongs to it shares them. */
function writeProperties(
  image: IsoImage,
  { icc, orientation }: IsoMetadata & { orientation: number },
): Uint8Array {
  const { bytes, metaBoxes, primary } = image;
  const container = metaBoxes.find(({ type }) => type === 'iprp')!;
  const boxes = readBoxes(bytes, container.from, container.end);
  const store = boxes.find(({ type }) => type === 'ipco')!;
  const known = readBoxes(bytes, store.from, store.end).length;
  const isTurned = readIsoOrientation(image) !== 1;
  const [turns, mirror] = (!isTurned && TRANSFORMS[orientation]) || [0];
  const profile = icc ? [isoBox('colr', joinBytes(latin1('prof'), icc))] : [];
  const transforms = [
    ...(turns ? [isoBox('irot', Uint8Array.of(turns))] : []),
    ...(mirror === undefined ? [] : [isoBox('imir', Uint8Array.of(mirror))]),
  ];
  const added = [...profile, ...transforms];
  const auxiliary = auxiliariesOf(image);
  const associations = boxes
    .filter(({ type }) => type === 'ipma')
    .flatMap(({ from, end }) => readAssociationRows(bytes.subarray(from, end)));
  const rows = associations.map(({ id, entries }) => {
    const own = id === primary.id ? added : auxiliary.has(id) ? transforms : [];
    const indices = own.map(
      (box) => known + 1 + added.indexOf(box) + (transforms.includes(box) ? ESSENTIAL : 0),
    );
    const all = [...entries, ...indices];
    return joinBytes(uint16(id), [all.length], ...all.map((entry) => uint16(entry)));
  });
  return joinBytes(
    isoBox('ipco', joinBytes(bytes.subarray(store.from, store.end), ...added)),
    isoBox('ipma', joinBytes([0, 0, 0, 1], uint32(rows.length), ...rows)),
  );
}

function readAssociationRows(ipma: Uint8Array): { id: number; entries: number[] }[] {
  return readAssociations(ipma).map(({ id, indices, essential }) => ({
    id,
    entries: indices.map((index, at) => index + (essential[at] ? ESSENTIAL : 0)),
  }));
}

function isoBox(type: string, content: Uint8Array): Uint8Array {
  return joinBytes(uint32(content.length + 8), latin1(type), content);
}
