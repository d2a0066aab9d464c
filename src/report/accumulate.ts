import { newFinalResults } from '../core/final-results.ts';
import type { BatchRef, PlannedImage } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import { type FailedBatch, INTERRUPTED, MAX_REPORTED_FAILURES, type ReportedFailure } from '../core/report.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { countResult, newTally } from '../core/tally.ts';
import { readJsonLines } from '../store/json-lines.ts';
import { readFailedBatches } from './failed-batches.ts';
import { readResults } from './read-results.ts';
import { jobFile, type ReportHost } from './report-host.ts';

export type Plan = Awaited<ReturnType<typeof readPlan>>;

/** @returns `missing`: how many images have no result so far, by batch */
export async function readPlan(jobId: string, host: ReportHost) {
  const location = jobFile(host, jobKeys.batches(jobId));
  const missing = new Map<string, number>();
  if (!(await host.store.head(location))) return { exists: false, images: 0, missing };
  let images = 0;
  for await (const { batchId, count } of readJsonLines<BatchRef>(host.store, location)) {
    images += count;
    missing.set(batchId, (missing.get(batchId) ?? 0) + count);
  }
  return { exists: true, images, missing };
}

type Accumulator = ReturnType<typeof newAccumulator>;

/** What the report knows so far; `failedLines` fills it while the results stream through. */
export function newAccumulator(plan: Plan) {
  return {
    plan,
    final: newFinalResults(plan.images),
    tally: newTally(),
    /** The first of them. */
    failures: [] as ReportedFailure[],
    /** The first of them. */
    failedBatches: [] as FailedBatch[],
    failedBatchCount: 0,
  };
}

/** The lines of failed.jsonl. Everything streams through once: reading these lines is what counts the results. */
export async function* failedLines(
  { jobId, failure }: { readonly jobId: string; readonly failure?: { readonly Error?: string } },
  host: ReportHost,
  sums: Accumulator,
): AsyncGenerator<string> {
  for await (const { batchId, results } of readResults(jobId, host)) {
    const missing = sums.plan.missing.get(batchId);
    // Results of a batch that is not in the plan count for no image of this job.
    if (missing === undefined) continue;
    let counted = 0;
    // All are offered first, because the one that counts for an image may come last.
    for await (const result of results) sums.final.offer(result);
    for await (const result of results) {
      if (!sums.final.take(result)) continue;
      counted += 1;
      countResult(sums.tally, result);
      if (result.status !== 'failed') continue;
      addFailure(sums, { source: result.source, code: result.code, message: result.message });
      yield failedLine(locationOf(result.source));
    }
    sums.plan.missing.set(batchId, missing - counted);
  }
  yield* failure?.Error === INTERRUPTED ? notStartedLines(jobId, host, sums) : lostLines(jobId, host, sums);
}

/** In a job that was stopped, images without a result are retried when it resumes: they are not failures. */
async function* notStartedLines(jobId: string, host: ReportHost, sums: Accumulator): AsyncGenerator<string> {
  for await (const ref of incompleteBatches(jobId, host, sums))
    for await (const image of imagesWithoutResult(ref, host, sums)) yield failedLine(image);
}

async function* lostLines(jobId: string, host: ReportHost, sums: Accumulator): AsyncGenerator<string> {
  if (![...sums.plan.missing.values()].some((count) => count > 0)) return;
  const failed = await readFailedBatches(host.store, host.workBucket, jobId);
  for await (const ref of incompleteBatches(jobId, host, sums)) {
    const failure = failed.get(ref.batchId) ?? NO_RECORD;
    sums.failedBatchCount += 1;
    if (sums.failedBatches.length < MAX_REPORTED_FAILURES)
      sums.failedBatches.push({ batchId: ref.batchId, ...failure });
    const message = `${ref.batchId}: ${failure.error}: ${failure.cause}`;
    for await (const image of imagesWithoutResult(ref, host, sums)) {
      addFailure(sums, { source: formatS3Uri(image), code: 'Lost', message });
      yield failedLine(image);
    }
  }
}

const NO_RECORD = {
  error: 'NoResult',
  cause: 'its host stopped before it wrote a result, and the state machine recorded no error',
};

async function* incompleteBatches(jobId: string, host: ReportHost, { plan }: Accumulator) {
  for await (const ref of readJsonLines<BatchRef>(host.store, jobFile(host, jobKeys.batches(jobId))))
    if ((plan.missing.get(ref.batchId) ?? 0) > 0) yield ref;
}

async function* imagesWithoutResult(ref: BatchRef, { store }: ReportHost, { final }: Accumulator) {
  const images = { bucket: ref.bucket, key: jobKeys.images(ref.jobId) };
  for await (const image of readJsonLines<PlannedImage>(store, images, ref)) if (!final.has(image.n)) yield image;
}

function addFailure({ failures }: Accumulator, failure: ReportedFailure): void {
  if (failures.length < MAX_REPORTED_FAILURES) failures.push(failure);
}

function failedLine({ bucket, key }: S3Location): string {
  return `${JSON.stringify({ bucket, key })}\n`;
}

/** A result's source is always `s3://bucket/key`, whatever the bucket's name may be. */
function locationOf(source: string): S3Location {
  const slash = source.indexOf('/', 's3://'.length);
  return { bucket: source.slice('s3://'.length, slash), key: source.slice(slash + 1) };
}
