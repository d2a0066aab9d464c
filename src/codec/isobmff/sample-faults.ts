import { uint32At, uintAt } from '../bytes.ts';
import { childrenOf, findBox, type IsoBox } from './boxes.ts';
import type { IsoImage } from './image.ts';

/** Frames of an image sequence whose data are not in the file; undefined where all are. */
export function findSampleFault({ bytes, boxes }: IsoImage): string | undefined {
  const tracks = boxes
    .filter(({ type }) => type === 'moov')
    .flatMap((movie) => childrenOf(bytes, movie).filter(({ type }) => type === 'trak'));
  for (const [index, track] of tracks.entries()) {
    const fault = findTrackFault(bytes, sampleTable(bytes, track));
    if (fault) return `${fault} (track ${index + 1})`;
  }
  return undefined;
}

function sampleTable(bytes: Uint8Array, track: IsoBox): IsoBox[] {
  let boxes = childrenOf(bytes, track);
  for (const type of ['mdia', 'minf', 'stbl']) boxes = childrenOf(bytes, findBox(boxes, type));
  return boxes;
}

function findTrackFault(bytes: Uint8Array, table: readonly IsoBox[]): string | undefined {
  const sizes = findBox(table, 'stsz');
  const [chunks, runs] = [chunkOffsets(bytes, table), samplesPerChunk(bytes, table)];
  // Fields of other lengths, or frames in fragments: nothing that any decoder here reads.
  if (!sizes || !chunks || !runs) return undefined;
  const [fixedSize, count] = [uint32At(bytes, sizes.from + 4), uint32At(bytes, sizes.from + 8)];
  if (fixedSize === 0 && sizes.from + 12 + 4 * count > sizes.end)
    return `Expected the sizes of ${count} frames but the stsz box ends before them`;
  const sizeOfFrame = (frame: number) => fixedSize || uint32At(bytes, sizes.from + 12 + 4 * frame);
  return findChunkFault(bytes.length, { chunks, runs, count, sizeOfFrame });
}

interface Frames {
  /** Offset of each chunk in the file. */
  readonly chunks: readonly number[];
  /** From which chunk on, numbered from 1, how many frames a chunk has. */
  readonly runs: readonly { readonly first: number; readonly frames: number }[];
  readonly count: number;
  sizeOfFrame(frame: number): number;
}

function findChunkFault(fileLength: number, { chunks, runs, count, sizeOfFrame }: Frames): string | undefined {
  let [frame, run] = [0, 0];
  for (const [index, offset] of chunks.entries()) {
    while ((runs[run + 1]?.first ?? Number.POSITIVE_INFINITY) <= index + 1) run++;
    const last = Math.min(count, frame + (runs[run]?.frames ?? 0));
    let end = offset;
    // Frames of no bytes end this early: their number is not bounded by the file.
    while (frame < last && end <= fileLength) end += sizeOfFrame(frame++) || Number.POSITIVE_INFINITY;
    if (end > fileLength)
      return `Expected frame ${frame} to lie within the file of ${fileLength} bytes but its data begin at byte ${offset} and do not end there`;
  }
  return frame === count ? undefined : `Expected ${count} frames but the file says where ${frame} of them are`;
}

function chunkOffsets(bytes: Uint8Array, table: readonly IsoBox[]): number[] | undefined {
  const box = findBox(table, 'stco') ?? findBox(table, 'co64');
  return box && rowsOf(bytes, box, box.type === 'stco' ? 4 : 8, (at, length) => uintAt(bytes, at, length));
}

function samplesPerChunk(bytes: Uint8Array, table: readonly IsoBox[]): Frames['runs'] | undefined {
  const box = findBox(table, 'stsc');
  return box && rowsOf(bytes, box, 12, (at) => ({ first: uint32At(bytes, at), frames: uint32At(bytes, at + 4) }));
}

/** The rows of a table as far as the box has them; missing ones show as frames without a place. */
function rowsOf<Row>(
  bytes: Uint8Array,
  { from, end }: IsoBox,
  length: number,
  read: (at: number, length: number) => Row,
) {
  const count = Math.min(uint32At(bytes, from + 4), Math.floor((end - from - 8) / length));
  return Array.from({ length: Math.max(0, count) }, (_, index) => read(from + 8 + index * length, length));
}
