import { crc32 } from 'node:zlib';
import { textAt, uint32At } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { damaged, odd, unproven, type Verdict, WHOLE } from '../verdict.ts';
import { chunkKind } from './chunk-kinds.ts';
import { hasItsLength } from './chunk-lengths.ts';
import { findChunk, PNG_SIGNATURE, type Png, type PngChunk, readPng } from './chunks.ts';
import { type CodedPicture, codedPictures, findAnimationDoubt, findFrameFault, lengthOfRun } from './frames.ts';
import { type DataFault, findDataFault } from './picture-data.ts';
import type { PngPicture } from './rows.ts';

/**
 * A PNG is whole when each chunk has its checksum and its place, and the data of the picture, and of each frame, inflate
 * to just as many bytes as the header asks for. @throws CorruptImageError when the header cannot be read
 */
export async function judgePng(file: ImageFile): Promise<Verdict> {
  const png = file.read(readPng);
  const fault = findChunkFault(file.bytes, png);
  if (fault) return damaged(fault);
  const foreign = png.chunks.find(({ type }) => /^[A-Z]/.test(type) && !chunkKind(type));
  if (foreign) return unproven(`its chunk ${foreign.type} at byte ${foreign.at} is not known here`);
  const doubt =
    findLateDoubt(file.bytes, png) ?? findAnimationDoubt(png) ?? findTransparencyDoubt(png) ?? findPaletteDoubt(png);
  return doubt ? judgeStill(png, doubt) : judgePictures(file);
}

/** Where a frame may be anything, only the data of the still picture can prove damage. */
async function judgeStill(png: Png, doubt: string): Promise<Verdict> {
  const [still] = picturesOf(png);
  const fault = still && (await findDataFault(still.parts, still));
  return fault?.is === 'broken' ? damaged(`${fault.detail} in the picture at byte ${still?.at}`) : unproven(doubt);
}

/** More colours than its indexes can name, which some decoders refuse. */
function findPaletteDoubt(png: Png): string | undefined {
  const { colourType, bitDepth } = png.header;
  const colours = colourType === 3 ? (findChunk(png, 'PLTE')?.payload.length ?? 0) / 3 : 0;
  return colours > 2 ** bitDepth ? `its palette has ${colours} colours for indexes of ${bitDepth} bits` : undefined;
}

/** Transparency of a wrong length or in a wrong place: some decoders ignore it. */
function findTransparencyDoubt({ header, chunks }: Png): string | undefined {
  const places = chunks.flatMap(({ type }, index) => (type === 'tRNS' ? [index] : []));
  const [first] = places;
  const chunk = first === undefined ? undefined : chunks[first];
  if (first === undefined || !chunk) return undefined;
  const palette = chunks.findIndex(({ type }) => type === 'PLTE');
  const isInPlace = first > palette && first < chunks.findIndex(({ type }) => type === 'IDAT');
  const fits = header.colourType !== 3 || chunk.payload.length * 3 <= (chunks[palette]?.payload.length ?? 0);
  return places.length === 1 && isInPlace && fits && chunk.payload.length > 0 && hasItsLength(chunk, header)
    ? undefined
    : `its transparency (tRNS) at byte ${chunk.at} does not fit the picture, and decoders disagree about it`;
}

async function judgePictures(file: ImageFile): Promise<Verdict> {
  const { header, chunks } = file.read(readPng);
  const misfits = chunks.filter((chunk) => !hasItsLength(chunk, header));
  const details = new Set(misfits.map(({ type, at }) => `its ${type} chunk at byte ${at} has a wrong length`));
  let doubt: string | undefined;
  for (const { fault, at } of await file.read(readFaults)) {
    if (fault?.is === 'broken') return damaged(`${fault.detail} in the picture at byte ${at}`);
    if (fault?.is === 'ambiguous') doubt ??= fault.detail;
    if (fault) details.add(fault.detail);
  }
  if (doubt) return unproven(`${doubt}, which decoders show in different ways`);
  return details.size === 0 ? WHOLE : odd(`all its pixels are there, but ${[...details].join('; ')}`);
}

/** Whether its data are to be written anew before an encoder that wants them as the standard says can read them. */
export async function hasIrregularData(file: ImageFile): Promise<boolean> {
  return (await file.read(readFaults)).some(({ fault }) => fault?.is === 'irregular');
}

/** What the data of each picture lack; a file is inflated once, however often it is asked. */
async function readFaults(bytes: Uint8Array): Promise<{ at: number; fault: DataFault }[]> {
  const png = readPng(bytes);
  const faults: { at: number; fault: DataFault }[] = [];
  for (const picture of picturesOf(png)) {
    faults.push({ at: picture.at, fault: await findDataFault(picture.parts, picture) });
  }
  const late = findLateData(png.chunks);
  if (late)
    faults.push({ at: late.at, fault: { is: 'irregular', detail: `data at byte ${late.at} follow its pixels` } });
  return faults;
}

/** The still picture and all frames, with the number of colours in their palette. */
export function picturesOf(png: Png): (CodedPicture & PngPicture)[] {
  const palette = png.header.colourType === 3 ? findChunk(png, 'PLTE') : undefined;
  const colours = palette ? palette.payload.length / 3 : Number.POSITIVE_INFINITY;
  return codedPictures(png).map((coded) => ({ ...coded, colours }));
}

/** Picture data that do not follow the others, so that no decoder reads them. */
function findLateData(chunks: readonly PngChunk[]): PngChunk | undefined {
  const first = chunks.findIndex(({ type }) => type === 'IDAT');
  return chunks.slice(first + lengthOfRun(chunks, first)).find(({ type }) => type === 'IDAT');
}

function findChunkFault(bytes: Uint8Array, { header, chunks }: Png): string | undefined {
  const pixels = chunks.findLastIndex(({ type }) => type === 'IDAT');
  const wrong = findWrongChecksum(bytes, chunks);
  if (wrong && !(isAncillary(wrong) && chunks.indexOf(wrong) > pixels)) return describeChecksum(wrong);
  return findMissingPart(bytes, chunks) ?? findOrderFault(chunks, header.colourType);
}

function findWrongChecksum(bytes: Uint8Array, chunks: readonly PngChunk[]): PngChunk | undefined {
  return chunks.find(({ at, payload }) => {
    const end = at + 8 + payload.length;
    return crc32(bytes.subarray(at + 4, end)) !== uint32At(bytes, end);
  });
}

const isAncillary = ({ type }: PngChunk) => /^[a-z]/.test(type);

function describeChecksum({ type, at }: PngChunk): string {
  return `Expected chunk ${type} at byte ${at} to match its checksum but it does not`;
}

/** Damage after the pixels, which decoders of stills never reach. */
function findLateDoubt(bytes: Uint8Array, { chunks }: Png): string | undefined {
  const wrong = findWrongChecksum(bytes, chunks);
  if (wrong) return describeChecksum(wrong);
  const frame = findFrameFault(chunks);
  return frame && `${frame.fault} at byte ${frame.at}`;
}

function findMissingPart(bytes: Uint8Array, chunks: readonly PngChunk[]): string | undefined {
  const last = chunks.at(-1);
  if (last?.type === 'IEND') {
    if (last.payload.length > 0) return `Expected an empty IEND chunk at byte ${last.at} but it has data`;
    const hasPixels = chunks.some(({ type }) => type === 'IDAT');
    return hasPixels ? undefined : `Expected an IDAT chunk before IEND at byte ${last.at}`;
  }
  const at = last ? last.at + 12 + last.payload.length : PNG_SIGNATURE.length;
  if (at + 12 > bytes.length) return 'Expected an IEND chunk but the file ends before it';
  const end = at + 8 + uint32At(bytes, at);
  return `Expected the end of chunk ${textAt(bytes, at + 4, 4)} at byte ${end} but the file ends before`;
}

/** Decoders refuse a second header or palette, and a palette that comes too late or has no whole colours. */
function findOrderFault(chunks: readonly PngChunk[], colourType: number): string | undefined {
  for (const type of ['IHDR', 'PLTE']) {
    const second = chunks.filter((chunk) => chunk.type === type)[1];
    if (second) return `Expected one ${type} chunk but found another at byte ${second.at}`;
  }
  const odd = chunks.find(({ type }) => !/^[A-Za-z]{4}$/.test(type));
  if (odd) return `Expected a chunk of four letters at byte ${odd.at} but found others`;
  const isPaletteLate =
    chunks.findIndex(({ type }) => type === 'PLTE') > chunks.findIndex(({ type }) => type === 'IDAT');
  return colourType === 3 || isPaletteLate ? findPaletteFault(chunks) : undefined;
}

function findPaletteFault(chunks: readonly PngChunk[]): string | undefined {
  const palette = chunks.find(({ type }) => type === 'PLTE' || type === 'IDAT');
  if (palette?.type !== 'PLTE') return `Expected a PLTE chunk before the pixels at byte ${palette?.at}`;
  const { length } = palette.payload;
  if (length > 0 && length % 3 === 0 && length <= 768) return undefined;
  return `Expected 1 to 256 colours of 3 bytes at byte ${palette.at} but found ${length} bytes`;
}
