import { joinAll } from '../bytes.ts';
import type { DroppedParts, WantedParts } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { countAfterEnd, type PngChunk, readPng } from './chunks.ts';

/** A PNG without its C2PA manifest and without data after its end; every other chunk is the same bytes. */
export function dropPngParts(file: ImageFile, { credentials, trailing }: WantedParts): DroppedParts | undefined {
  const png = file.read(readPng);
  const { bytes } = file;
  const dropsEnd = trailing && countAfterEnd(png, bytes) > 0;
  const isDropped = ({ type }: PngChunk) => credentials && type === 'caBX';
  const dropsChunk = png.chunks.some(isDropped);
  if (!dropsEnd && !dropsChunk) return undefined;
  const chunks = png.chunks.filter((chunk) => !isDropped(chunk));
  const parts = chunks.map(({ at, payload }) => bytes.subarray(at, at + 12 + payload.length));
  const rest = dropsEnd ? [] : [bytes.subarray(png.end)];
  return {
    bytes: joinAll([bytes.subarray(0, 8), ...parts, ...rest]),
    dropped: [...(dropsChunk ? ['content credentials'] : []), ...(dropsEnd ? ['data after its end'] : [])],
  };
}
