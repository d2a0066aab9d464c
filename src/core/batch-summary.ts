import type { Outcome } from './image-result.ts';
import type { BatchSummary } from './job.ts';

export type BatchCounts = Omit<BatchSummary, 'batchId' | 'remaining'>;

export const NOTHING_YET = { compressed: 0, kept: 0, skipped: 0, failed: 0, bytesIn: 0, bytesOut: 0 };

/** Adds one image's outcome. Bytes are counted for images that have an output: compressed and kept. */
export function addOutcome(counts: BatchCounts, outcome: Outcome): BatchCounts {
  const added = { ...counts, [outcome.status]: counts[outcome.status] + 1 };
  if (outcome.status !== 'compressed' && outcome.status !== 'kept') return added;
  const bytesOut = outcome.status === 'compressed' ? outcome.bytesOut : outcome.bytesIn;
  return { ...added, bytesIn: counts.bytesIn + outcome.bytesIn, bytesOut: counts.bytesOut + bytesOut };
}

export function accountedFor(counts: BatchCounts): number {
  return counts.compressed + counts.kept + counts.skipped + counts.failed;
}
