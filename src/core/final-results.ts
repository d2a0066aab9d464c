import type { ImageResult } from './image-result.ts';

/**
 * Which of an image's results counts, when a host died and another did the image again. One byte an image:
 * offer every result first, then ask for each whether it is the one; exactly one answer an image is yes.
 */
export interface FinalResults {
  offer(result: ImageResult): void;
  /** True once for an image: for its first result of the best status. */
  take(result: ImageResult): boolean;
  has(index: number): boolean;
}

const RANKS: Record<ImageResult['status'], number> = { compressed: 4, kept: 3, failed: 2, skipped: 1 };
const TAKEN = 0x80;

export function newFinalResults(planned: number): FinalResults {
  let ranks = new Uint8Array(Math.max(planned, 1));
  return {
    offer: ({ index, status }) => {
      if (index >= ranks.length) ranks = grown(ranks, index);
      if (RANKS[status] > ranks[index]!) ranks[index] = RANKS[status];
    },
    take: ({ index, status }) => {
      if (ranks[index] !== RANKS[status]) return false;
      ranks[index] |= TAKEN;
      return true;
    },
    has: (index) => (ranks[index] ?? 0) > 0,
  };
}

/** What a line of a results file has to be to count at all: anything else leaves its image lost, and so reported. */
export function isImageResult(value: unknown): value is ImageResult {
  if (typeof value !== 'object' || value === null) return false;
  const { index, source, status } = value as Partial<ImageResult>;
  return (
    Number.isInteger(index) &&
    index! >= 0 &&
    index! < MOST_IMAGES &&
    typeof source === 'string' &&
    Object.hasOwn(RANKS, String(status))
  );
}

/** A Distributed Map reads 100 million items at most; a nonsense index must not take the memory. */
const MOST_IMAGES = 1_000_000_000;

function grown(ranks: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
  const wider = new Uint8Array(Math.max(index + 1, ranks.length * 2));
  wider.set(ranks);
  return wider;
}
