import { compressBytes } from './codec/compress-bytes.ts';
import { createMemoryBudget } from './codec/memory-budget.ts';
import { compressImage } from './compress-image.ts';
import { type Attempt, type Journal, nextAttempt } from './core/batch-journal.ts';
import { accountedFor, addOutcome, type BatchCounts, NOTHING_YET } from './core/batch-summary.ts';
import type { ImageResult, Outcome } from './core/image-result.ts';
import type { BatchRef, BatchSummary, CompressionSettings, Job, PlannedImage } from './core/job.ts';
import { jobKeys } from './core/job-keys.ts';
import type { ObjectStore } from './core/object-store.ts';
import { formatS3Uri } from './core/s3-uri.ts';
import { readJson, readJsonLines } from './json-lines.ts';
import { journalKey, openResultLog, writeJournal } from './result-log.ts';

export interface BatchHost {
  readonly store: ObjectStore;
  readonly workBucket: string;
  /** Images in hand at once. */
  readonly concurrency: number;
  /** Aborted when the host's time is up: images in hand are finished, the rest is handed back. */
  readonly closing: AbortSignal;
  /** What images may take of the host's memory, in bytes. */
  readonly memoryBytes: number;
}

/**
 * Compresses the images of one batch: the one function behind Lambda, Fargate and local mode. Takes up where an
 * earlier call stopped or died, and answers `remaining` above 0 when its time was up first.
 * @throws when the job's own papers cannot be read or written; a bad image is a result.
 */
export async function compressBatch(ref: BatchRef, host: BatchHost): Promise<BatchSummary> {
  const job = await readJson<Job>(host.store, { bucket: host.workBucket, key: jobKeys.job(ref.jobId) });
  if (!job)
    throw new Error(
      `Expected s3://${host.workBucket}/${jobKeys.job(ref.jobId)}, written by PlanJob, but there is none`,
    );
  const earlier = await earlierWork(ref, host);
  const attempt = nextAttempt(earlier.journal, (n) => earlier.done.has(n));
  const batch = openBatch(ref, host, job, attempt, earlier.counts);

  await batch.note({ closed: false, trying: null });
  const unfinished = unfinishedImages(ref, host, earlier.done);
  if (attempt.oneByOne) await compressOneByOne(unfinished, attempt, host, batch);
  else await compressSeveralAtOnce(unfinished, host, batch);
  await batch.flush();
  await batch.note({ closed: true, trying: null });

  const counts = batch.counts();
  return { batchId: ref.batchId, ...counts, remaining: ref.count - accountedFor(counts) };
}

interface OpenBatch {
  compress(image: PlannedImage): Promise<void>;
  settle(image: PlannedImage, outcome: Outcome): Promise<void>;
  note(state: Pick<Journal, 'closed' | 'trying'>): Promise<void>;
  flush(): Promise<void>;
  counts(): BatchCounts;
}

function openBatch(
  ref: BatchRef,
  host: BatchHost,
  job: Job,
  attempt: Attempt,
  earlier: BatchCounts,
): OpenBatch {
  const { store, workBucket } = host;
  const log = openResultLog(store, workBucket, ref, attempt.number);
  const budget = createMemoryBudget(host.memoryBytes);
  const compress = (bytes: Uint8Array, settings: CompressionSettings) =>
    compressBytes(bytes, settings, { budget });
  const context = {
    job,
    batchId: ref.batchId,
    store,
    compress,
    onUndo: log.addUndo,
    maxBytes: host.memoryBytes,
  };
  let counts = earlier;
  let suspects = attempt.suspects;

  const settle = async (image: PlannedImage, outcome: Outcome) => {
    counts = addOutcome(counts, outcome);
    suspects = suspects.filter((n) => n !== image.n);
    await log.add({ index: image.n, batchId: ref.batchId, source: formatS3Uri(image), ...outcome });
  };
  return {
    settle,
    compress: async (image) => {
      await settle(image, await compressImage(image, context));
    },
    note: (state) => writeJournal(store, workBucket, ref, { attempt: attempt.number, suspects, ...state }),
    flush: () => log.flush(),
    counts: () => counts,
  };
}

async function compressSeveralAtOnce(
  images: AsyncGenerator<PlannedImage>,
  host: BatchHost,
  batch: OpenBatch,
) {
  const worker = async () => {
    while (!host.closing.aborted) {
      const next = await images.next();
      if (next.done) return;
      await batch.compress(next.value);
    }
  };
  await Promise.all(Array.from({ length: host.concurrency }, worker));
}

/** After a death: each image is noted before it is touched, and those that were in hand at a death come last. */
async function compressOneByOne(
  images: AsyncGenerator<PlannedImage>,
  attempt: Attempt,
  host: BatchHost,
  batch: OpenBatch,
) {
  const last: PlannedImage[] = [];
  const carefully = async (image: PlannedImage) => {
    await batch.note({ closed: false, trying: image.n });
    await batch.compress(image);
    await batch.flush();
  };
  for await (const image of images) {
    if (host.closing.aborted) return;
    if (image.n === attempt.condemned) await batch.settle(image, killedItsHost(attempt));
    else if (attempt.suspects.includes(image.n)) last.push(image);
    else await carefully(image);
  }
  for (const image of last) {
    if (host.closing.aborted) return;
    await carefully(image);
  }
}

async function* unfinishedImages(
  ref: BatchRef,
  host: BatchHost,
  done: ReadonlySet<number>,
): AsyncGenerator<PlannedImage> {
  const images = { bucket: ref.bucket, key: jobKeys.images(ref.jobId) };
  for await (const image of readJsonLines<PlannedImage>(host.store, images, {
    start: ref.start,
    end: ref.end,
  })) {
    if (!done.has(image.n)) yield image;
  }
}

async function earlierWork(ref: BatchRef, host: BatchHost) {
  const bucket = host.workBucket;
  const done = new Set<number>();
  let counts = NOTHING_YET;
  let journal: Journal | undefined;
  for await (const { key } of host.store.list(bucket, jobKeys.batchResults(ref.jobId, ref.batchId))) {
    if (key === journalKey(ref)) journal = await readJson<Journal>(host.store, { bucket, key });
    if (!key.endsWith('.jsonl')) continue;
    for await (const result of readJsonLines<ImageResult>(host.store, { bucket, key })) {
      if (done.has(result.index)) continue;
      done.add(result.index);
      counts = addOutcome(counts, result);
    }
  }
  return { done, counts, journal };
}

function killedItsHost(attempt: Attempt): Outcome {
  return {
    status: 'failed',
    code: 'EncoderCrash',
    message: `its host died twice while this image was in hand (before attempt ${attempt.number}); the rest of the batch was done without it`,
  };
}
