import type { ImageFacts } from '../../core/recipe.ts';
import { byteAt, startsWith } from '../bytes.ts';
import { findDecoderDifference } from '../compare-decoders.ts';
import { EngineError, fromEngine, openImage, shrunkAfterDecoding } from '../engines.ts';
import type { ImageFile } from '../image-file.ts';
import { WitnessError, type WitnessPicture, witnessPixels } from '../second-witness.ts';
import { damaged, unproven, type Verdict, WHOLE } from '../verdict.ts';
import { readAv1Sequence } from './av1-sequence.ts';
import { findBoxFault, findCutEnd } from './box-faults.ts';
import { findBox } from './boxes.ts';
import { type IsoImage, type IsoItem, readIsoImage, readItemContent } from './image.ts';
import { findGridDoubt, findItemFault, sizeOf } from './item-faults.ts';
import { findSampleFault } from './sample-faults.ts';

/** HEIC, which nothing here decodes: all of its data have to be in the file. */
export function judgeHeif(file: ImageFile): Verdict {
  const image = file.read(readIsoImage);
  const fault = findContainerFault(image);
  if (fault) return damaged(fault);
  const doubt = findCutEnd(image) ?? findGridDoubt(image) ?? findForeignCodec(image);
  return doubt ? unproven(doubt) : WHOLE;
}

function findForeignCodec({ items }: IsoImage): string | undefined {
  const isAv1 = [...items.values()].some(({ type }) => type === 'av01');
  return isAv1 ? 'it holds AV1 pictures, but its brands name no AVIF' : undefined;
}

/**
 * An AVIF is whole where all of its data are in the file and two decoders see the same picture in them.
 * @param fitsDecoded that there is memory to decode it
 */
export async function judgeAvif(file: ImageFile, facts: ImageFacts, fitsDecoded = true): Promise<Verdict> {
  const image = file.read(readIsoImage);
  const fault = findContainerFault(image);
  if (fault) return damaged(fault);
  const doubt = findCutEnd(image) ?? findUnreadKind(image) ?? findGridDoubt(image) ?? findSequenceDoubt(image);
  if (doubt) return unproven(doubt);
  return fitsDecoded ? compareDecoders(file, facts) : unproven('too large to be decoded here');
}

function findContainerFault(image: IsoImage): string | undefined {
  return findBoxFault(image) ?? findItemFault(image) ?? findSampleFault(image);
}

const DERIVED = ['iovl', 'iden', 'tmap'];

/** A kind of which only one decoder reads all. */
function findUnreadKind({ boxes, primary, locations }: IsoImage): string | undefined {
  if (findBox(boxes, 'moov')) return 'an image sequence, of which no second decoder reads every frame';
  if (DERIVED.includes(primary.type)) return `a picture derived from others (${primary.type})`;
  if (locations.some(({ construction }) => construction > 1)) return 'its data are stored inside other items';
  return undefined;
}

/** What the AV1 data say of themselves has to agree with the boxes, before anything is allocated for them. */
function findSequenceDoubt(image: IsoImage): string | undefined {
  for (const item of image.items.values()) {
    const doubt = item.type === 'av01' ? findItemDoubt(image, item) : undefined;
    if (doubt) return doubt;
  }
  return undefined;
}

function findItemDoubt(image: IsoImage, item: IsoItem): string | undefined {
  const data = readItemContent(image, item.id);
  const sequence = data && readAv1Sequence(data);
  // Damage, which the decoders find.
  if (!sequence) return undefined;
  const { width, height, isFullRange } = sequence;
  const size = sizeOf(image, item);
  if (size && (width > size.width || height > size.height))
    return `its data may hold ${width} x ${height} pixels but its boxes say ${size.width} x ${size.height}`;
  const range = readRange(image, item);
  if (range === undefined || range === isFullRange) return undefined;
  return `its colr box says ${range ? 'full' : 'limited'} range and its data say ${range ? 'limited' : 'full'} range`;
}

/** Whether `colr` says full range; undefined where it has no such code. */
function readRange({ bytes }: IsoImage, { properties }: IsoItem): boolean | undefined {
  const coded = properties.find(
    ({ type, from, end }) => type === 'colr' && end - from >= 11 && startsWith(bytes, 'nclx', from),
  );
  return coded && (byteAt(bytes, coded.from + 10) & 0x80) !== 0;
}

async function compareDecoders(file: ImageFile, facts: ImageFacts): Promise<Verdict> {
  const { bytes } = file;
  const witness = await readWitness(bytes, facts);
  if (witness instanceof WitnessError) return refusedByWitness(file, facts, witness);
  if (!witness) return unproven('no second decoder reads this kind of AVIF');
  // libheif turns and crops the pixels, and the second decoder does not; such an AVIF is never encoded again.
  if (facts.orientation !== 1 || facts.cropped) return WHOLE;
  try {
    const difference = await findDecoderDifference(bytes, facts, witness);
    return difference ? unproven(difference) : WHOLE;
  } catch (error) {
    if (error instanceof EngineError) return unproven(ONE_REFUSES);
    throw error;
  }
}

const ONE_REFUSES = 'two decoders disagree: one reads all of it, the other refuses it';

async function readWitness(bytes: Uint8Array, facts: ImageFacts): Promise<WitnessPicture | WitnessError | undefined> {
  try {
    return await witnessPixels(bytes, facts);
  } catch (error) {
    if (error instanceof WitnessError) return error;
    throw error;
  }
}

/**
 * Damage where libvips refuses it as well. AV1 decoders differ in what they put up with, and libavif insists on
 * properties that browsers do without; but libvips leaves out a tile that it cannot decode, so it does not count there.
 */
async function refusedByWitness(file: ImageFile, facts: ImageFacts, refusal: WitnessError): Promise<Verdict> {
  const isGrid = file.read(readIsoImage).primary.type === 'grid';
  if (isGrid && !refusal.isStrictness) return damaged(refusal.message);
  try {
    await decodeOnce(file.bytes, facts);
    return unproven(ONE_REFUSES);
  } catch (error) {
    if (error instanceof EngineError) return damaged(refusal.message);
    throw error;
  }
}

function decodeOnce(bytes: Uint8Array, facts: ImageFacts): Promise<Uint8Array> {
  return fromEngine(shrunkAfterDecoding(openImage(bytes, facts), facts, 8, 8).raw().toBuffer());
}
