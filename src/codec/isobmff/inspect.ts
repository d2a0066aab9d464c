import type { ImageFacts } from '../../core/recipe.ts';
import { byteAt, countTrailing, startsWith, textAt, uint16At, uint32At } from '../bytes.ts';
import { corruptHeader } from '../corrupt-image-error.ts';
import type { ImageFile } from '../image-file.ts';
import { childrenOf, findBox, type IsoBox } from './boxes.ts';
import { auxiliariesOf, type IsoImage, readIsoImage } from './image.ts';
import { readIsoIcc } from './metadata.ts';
import { readIsoOrientation } from './orientation.ts';

const C2PA_UUID = '\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81';
const ALPHA_URNS = ['urn:mpeg:mpegB:cicp:systems:auxiliary:alpha', 'urn:mpeg:hevc:2015:auxid:1'];
const GAIN_MAP_URNS = ['urn:com:apple:photo:2020:aux:hdrgainmap', 'urn:com:photo:aux:hdrgainmap'];

/** AVIF and HEIF. */
export function inspectIso(file: ImageFile): Partial<ImageFacts> {
  const image = file.read(readIsoImage);
  const { bytes, primary, items, brands } = image;
  const size = findBox(primary.properties, 'ispe');
  if (!size || size.end - size.from < 12) throw corruptHeader('AVIF or HEIF', 'no ispe box', image.meta.at);
  const { bits, planes, subsampling } = readIsoSamples(image);
  const icc = readIsoIcc(image) !== undefined;
  const alpha = [...auxiliariesOf(image)].some((id) => isAuxiliary(image, id, ALPHA_URNS));
  return {
    width: uint32At(bytes, size.from + 4),
    height: uint32At(bytes, size.from + 8),
    pages: brands.includes('avis') || brands.includes('msf1') ? countSamples(image) : 1,
    channels: planes + (alpha ? 1 : 0),
    bitsPerChannel: bits,
    colour: planes === 1 ? 'grey' : 'rgb',
    alpha,
    icc,
    ownColours: (!icc && hasOwnColours(image)) || undefined,
    orientation: readIsoOrientation(image),
    chromaSubsampling: subsampling,
    cropped: findBox(primary.properties, 'clap') !== undefined || undefined,
    multiPicture: hasMorePictures(image),
    trailingBytes: countForeign(image),
    gainMap: [...items.values()].some(({ id, type }) => type === 'tmap' || isAuxiliary(image, id, GAIN_MAP_URNS)),
    contentCredentials: image.boxes.some(
      ({ type, from }) => type === 'uuid' && startsWith(bytes, C2PA_UUID, from - 16),
    ),
  };
}

// Numbers of ITU-T H.273; 2 is unspecified. The curve of BT.709 and the like is so near to sRGB's that viewers treat it
// as sRGB.
const SRGB_PRIMARIES = [1, 2];
const SRGB_TRANSFERS = [1, 2, 6, 13, 14, 15];

/** Decoders return the samples unconverted, and the encoder marks them as sRGB. */
function hasOwnColours({ bytes, primary }: IsoImage): boolean {
  const coded = primary.properties.find(
    ({ type, from, end }) => type === 'colr' && end - from >= 8 && startsWith(bytes, 'nclx', from),
  );
  if (!coded) return false;
  const [primaries, transfer] = [uint16At(bytes, coded.from + 4), uint16At(bytes, coded.from + 6)];
  return !SRGB_PRIMARIES.includes(primaries) || !SRGB_TRANSFERS.includes(transfer);
}

/** Items that are pictures: coded ones, and those made of others. */
const PICTURES = ['av01', 'hvc1', 'grid', 'iovl', 'iden', 'jpeg'];

/** Another picture to be shown, or an auxiliary one other than transparency, such as a depth map. */
function hasMorePictures(image: IsoImage): boolean {
  const { primary, items, references } = image;
  const parts = new Set(
    references.flatMap(({ type, from, to }) => (type === 'dimg' ? to : type === 'thmb' ? [from] : [])),
  );
  const auxiliaries = new Set(references.filter(({ type }) => type === 'auxl').map(({ from }) => from));
  return [...items.values()].some(
    ({ id, type, hidden }) =>
      id !== primary.id &&
      PICTURES.includes(type) &&
      !parts.has(id) &&
      (auxiliaries.has(id) ? !isAuxiliary(image, id, ALPHA_URNS) : !hidden),
  );
}

const KNOWN_BOXES = ['ftyp', 'meta', 'mdat', 'moov', 'free', 'skip', 'styp', 'sidx', 'mfra'];

/** Bytes in or after the boxes that no encoder here would write again, such as the video of a motion photo. */
function countForeign({ bytes, boxes }: IsoImage): number {
  // Zeros read as a box of no type that reaches to the end.
  const foreign = boxes.filter(({ type, at }) => !KNOWN_BOXES.includes(type) && countTrailing(bytes, at) > 0);
  const end = boxes.at(-1)?.end ?? bytes.length;
  // A box that is cut off is damage, which the decoder reports.
  const trailing = KNOWN_BOXES.includes(textAt(bytes, end + 4, 4)) ? 0 : countTrailing(bytes, end);
  return foreign.reduce((sum, box) => sum + box.end - box.at, trailing);
}

function isAuxiliary({ bytes, items }: IsoImage, id: number, urns: readonly string[]): boolean {
  const isOne = ({ type, from }: IsoBox) => type === 'auxC' && urns.some((urn) => startsWith(bytes, urn, from + 4));
  return items.get(id)?.properties.some(isOne) ?? false;
}

type IsoSamples = { bits: number; planes: number; subsampling?: string };

/** From av1C where there is one, also that of the first tile of a grid; else from pixi. */
function readIsoSamples({ bytes, primary, items, references }: IsoImage): IsoSamples {
  const tileId = references.find(({ type, from }) => type === 'dimg' && from === primary.id)?.to[0];
  const tile = tileId === undefined ? undefined : items.get(tileId);
  const properties = [...primary.properties, ...(tile?.properties ?? [])];
  const av1 = properties.find(({ type, from, end }) => type === 'av1C' && end - from >= 4);
  if (av1) return readAv1Samples(byteAt(bytes, av1.from + 2));
  const pixi = properties.find(({ type, from, end }) => type === 'pixi' && end - from >= 6);
  return pixi
    ? { bits: byteAt(bytes, pixi.from + 5), planes: bytes[pixi.from + 4] === 1 ? 1 : 3 }
    : { bits: 8, planes: 3 };
}

function readAv1Samples(flags: number): IsoSamples {
  const bits = flags & 0x40 ? (flags & 0x20 ? 12 : 10) : 8;
  if (flags & 0x10) return { bits, planes: 1 };
  const subsampling = flags & 0x08 ? (flags & 0x04 ? '4:2:0' : '4:2:2') : '4:4:4';
  return { bits, planes: 3, subsampling };
}

/** The frames of the longest track of an image sequence. */
function countSamples({ bytes, boxes }: IsoImage): number {
  const counts = boxes
    .filter(({ type }) => type === 'moov')
    .flatMap((movie) => descend(bytes, movie, ['trak', 'mdia', 'minf', 'stbl', 'stsz']))
    .flatMap(({ from, end }) => (end - from >= 12 ? [uint32At(bytes, from + 8)] : []));
  return counts.reduce((most, count) => Math.max(most, count), 1);
}

/** The boxes at this path in a box. */
function descend(bytes: Uint8Array, box: IsoBox, [next, ...rest]: readonly string[]): IsoBox[] {
  if (next === undefined) return [box];
  return childrenOf(bytes, box)
    .filter(({ type }) => type === next)
    .flatMap((inner) => descend(bytes, inner, rest));
}
