import type { ImageResult } from './image-result.ts';

/**
 * Which result of an image counts when a worker crashed and another compressed the image again. Uses one byte per
 * image: offer every result first, then take each; `take` is true for exactly one result of an image.
 */
export function newFinalResults(planned: number) {
  let ranks = new Uint8Array(Math.max(planned, 1));
  return {
    offer: ({ index, status }: ImageResult): void => {
      if (index >= ranks.length) ranks = new Uint8Array(ranks.buffer.transfer(Math.max(index + 1, ranks.length * 2)));
      ranks[index] = Math.max(ranks[index] ?? 0, RANKS[status]);
    },
    /** True once per image: for its first result of the best status. */
    take: ({ index, status }: ImageResult): boolean => {
      if (ranks[index] !== RANKS[status]) return false;
      ranks[index] |= TAKEN;
      return true;
    },
    has: (index: number): boolean => (ranks[index] ?? 0) > 0,
  };
}

const RANKS: Record<ImageResult['status'], number> = { compressed: 4, kept: 3, failed: 2, skipped: 1 };
const TAKEN = 0x80;

/** Whether a line of a results file counts. An image without a line that does is reported as lost. */
export function isImageResult(value: unknown): value is ImageResult {
  const { index = -1, source, status } = Object(value) as Partial<ImageResult>;
  if (!Number.isInteger(index) || index < 0 || index >= MAX_IMAGES) return false;
  return typeof source === 'string' && Object.hasOwn(RANKS, String(status));
}

/** A Distributed Map reads 100 million items at most; a wrong index must not exhaust the memory. */
const MAX_IMAGES = 1_000_000_000;
