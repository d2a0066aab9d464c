import { countTrailing, uint32At } from '../bytes.ts';
import type { DroppedParts, WantedParts } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { findBoundFault } from './pictures.ts';
import { readWebP, writeWebP } from './riff.ts';

/** A WebP without its C2PA manifest and without data after its end; every other chunk is the same bytes. */
export function dropWebPParts(file: ImageFile, { credentials, trailing }: WantedParts): DroppedParts | undefined {
  const { chunks, end } = file.read(readWebP);
  // Damage, which a copy of the chunks would hide.
  if (findBoundFault(file.bytes, 12, Math.min(end, uint32At(file.bytes, 4, true) + 8))) return undefined;
  const hasTrailing = countTrailing(file.bytes, end) > 0;
  const left = chunks.filter(({ type }) => !(credentials && type === 'C2PA'));
  const dropsChunk = left.length < chunks.length;
  // A copy of the chunks has nothing after its end.
  if (hasTrailing ? !trailing : !dropsChunk) return undefined;
  return {
    bytes: writeWebP(left),
    dropped: [...(dropsChunk ? ['content credentials'] : []), ...(hasTrailing ? ['data after its end'] : [])],
  };
}
