import type { Tally } from './tally.ts';

/** List prices in US dollars, without compute (docs/scale.md says why, and how much that is). */
export interface CostEstimate {
  readonly s3Requests: number;
  readonly stateTransitions: number;
}

/** @returns undefined for a job whose files are in a folder: it costs nothing */
export function estimateCost(
  tally: Tally,
  { jobFiles, batches }: { readonly jobFiles: string; readonly batches: { readonly planned: number } },
): CostEstimate | undefined {
  if (!jobFiles.startsWith('s3://')) return undefined;
  const reads = tally.compressed + tally.kept + tally.skipped + tally.failed;
  const writes = tally.compressed + tally.copied + batches.planned * WRITES_PER_BATCH;
  return {
    s3Requests: dollars(reads * DOLLARS_PER_READ + writes * DOLLARS_PER_WRITE),
    stateTransitions: dollars(batches.planned * TRANSITIONS_PER_BATCH * DOLLARS_PER_TRANSITION),
  };
}

/** US list prices, us-east-1, from docs/scale.md. */
const DOLLARS_PER_READ = 0.0000004;
const DOLLARS_PER_WRITE = 0.000005;
const DOLLARS_PER_TRANSITION = 0.000025;
/** The child's start, ChooseHost, the host, MoreToDo? and BatchDone. */
const TRANSITIONS_PER_BATCH = 5;
/** Listings of outputs and of earlier results, the journal, results: PUTs and LISTs cost the same. */
const WRITES_PER_BATCH = 7;

function dollars(amount: number): number {
  return Math.round(amount * 10_000) / 10_000;
}
