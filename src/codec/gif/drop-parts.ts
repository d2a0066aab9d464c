import { countTrailing, joinBytes } from '../bytes.ts';
import type { DroppedParts, WantedParts } from '../format.ts';
import type { ImageFile } from '../image-file.ts';
import { readGif, TRAILER } from './blocks.ts';

/** Of an application extension before its data: introducer, label, length, name. */
const HEAD_LENGTH = 14;

/** A GIF without its C2PA manifest, without data after its end, and nothing else changed. */
export function dropGifParts(file: ImageFile, { credentials, trailing }: WantedParts): DroppedParts | undefined {
  const { applications, end } = file.read(readGif);
  const manifests = credentials ? applications.filter(({ name }) => name.startsWith('C2PA_GIF')) : [];
  const dropsEnd = trailing && countTrailing(file.bytes, end, Uint8Array.of(TRAILER)) > 0;
  if (manifests.length === 0 && !dropsEnd) return undefined;
  let bytes = dropsEnd ? file.bytes.subarray(0, end) : file.bytes;
  for (const { from, end: to } of manifests.toReversed())
    bytes = joinBytes(bytes.subarray(0, from - HEAD_LENGTH), bytes.subarray(to));
  return {
    bytes,
    dropped: [...(manifests.length > 0 ? ['content credentials'] : []), ...(dropsEnd ? ['data after its end'] : [])],
  };
}
