import { type Attempt, type Journal, nextAttempt, readJournal } from '../core/batch-journal.ts';
import { accountedFor, addOutcome, type BatchCounts, NOTHING_YET } from '../core/batch-summary.ts';
import type { ImageResult } from '../core/image-result.ts';
import type { BatchRef, BatchSummary, Job, PlannedImage } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import { readJson, readJsonLines } from '../store/json-lines.ts';
import { type BatchHost, type OpenBatch, openBatch } from './open-batch.ts';

/**
 * Compresses the images of one batch: one function for Lambda, Fargate and local mode. Continues where an
 * earlier call stopped or crashed, and returns `remaining` above 0 when its time was up first.
 * @throws when the job's own files cannot be read or written; a bad image is a result.
 */
export async function compressBatch(ref: BatchRef, host: BatchHost): Promise<BatchSummary> {
  const job = await readJob(ref, host);
  const earlier = await readEarlierWork(ref, host);
  const attempt = nextAttempt(earlier.journal, (n) => earlier.done.has(n));
  const batch = openBatch(ref, host, job, attempt, earlier.counts);
  try {
    await compressUnfinished(ref, host, attempt, earlier.done, batch);
    await batch.flush();
  } catch (error) {
    // An error is no crash: what was finished is recorded, and an open journal would count as a crash.
    await batch.flush().catch(() => {});
    await batch.close().catch(() => {});
    throw error;
  }
  await batch.close();
  const counts = batch.counts();
  return { batchId: ref.batchId, ...counts, remaining: ref.count - accountedFor(counts) };
}

async function readJob({ jobId }: BatchRef, { store, workBucket }: BatchHost): Promise<Job> {
  const location = { bucket: workBucket, key: jobKeys.job(jobId) };
  const job = await readJson<Job>(store, location);
  if (job) return job;
  throw new Error(`Expected s3://${location.bucket}/${location.key}, written by PlanJob, but there is none`);
}

async function readEarlierWork(ref: BatchRef, { store, workBucket: bucket }: BatchHost) {
  const done = new Set<number>();
  let counts: BatchCounts = NOTHING_YET;
  let journal: Journal | undefined;
  for await (const { key } of store.list(bucket, jobKeys.batchResults(ref.jobId, ref.batchId))) {
    if (key === jobKeys.journal(ref.jobId, ref.batchId)) {
      const stored = await readJson<Journal>(store, { bucket, key });
      journal = stored && readJournal(stored);
    }
    if (!key.endsWith('.jsonl')) continue;
    for await (const result of readJsonLines<ImageResult>(store, { bucket, key })) {
      if (done.has(result.index)) continue;
      done.add(result.index);
      counts = addOutcome(counts, result);
    }
  }
  return { done, counts, journal };
}

/** First one by one what may have been in flight at a crash, then the rest several at once; poison candidates last. */
async function compressUnfinished(
  ref: BatchRef,
  host: BatchHost,
  { quarantined, oneByOneUpTo, poisonCandidates }: Attempt,
  done: ReadonlySet<number>,
  batch: OpenBatch,
): Promise<void> {
  const candidates = new Set(poisonCandidates);
  const read = (belongs: (n: number) => boolean) => readImages(ref, host, belongs);
  const unfinished = (belongs: (n: number) => boolean) =>
    read((n) => !done.has(n) && n !== quarantined?.n && belongs(n));
  if (quarantined) {
    // Before any checkpoint: until this result is written, the journal of the crashed worker has to stand.
    for await (const image of read((n) => n === quarantined.n)) await batch.quarantine(image, quarantined.crashes);
    await batch.flush();
  }
  const oneByOne = (belongs: (n: number) => boolean) => compressOneByOne(unfinished(belongs), host, batch);
  if (oneByOneUpTo >= 0) await oneByOne((n) => n <= oneByOneUpTo && !candidates.has(n));
  const rest = unfinished((n) => n > oneByOneUpTo && !candidates.has(n));
  await compressSeveralAtOnce(rest, host, batch);
  if (candidates.size > 0) await oneByOne((n) => candidates.has(n));
}

async function* readImages(ref: BatchRef, { store }: BatchHost, belongs: (n: number) => boolean) {
  const images = { bucket: ref.bucket, key: jobKeys.images(ref.jobId) };
  for await (const image of readJsonLines<PlannedImage>(store, images, ref)) {
    if (belongs(image.n)) yield image;
  }
}

async function compressOneByOne(images: AsyncIterable<PlannedImage>, host: BatchHost, batch: OpenBatch) {
  for await (const image of images) {
    if (host.closing.aborted) return;
    await batch.checkpoint({ inFlight: image.n });
    await batch.compress(image);
    await batch.flush();
  }
}

async function compressSeveralAtOnce(images: AsyncIterable<PlannedImage>, host: BatchHost, batch: OpenBatch) {
  const started = withCheckpoints(images, batch);
  const worker = async () => {
    // Leaving the loop early, also by an error, ends the generator, and so the loops of the other workers.
    for await (const image of started) {
      if (host.closing.aborted) return;
      await batch.compress(image);
    }
  };
  // All are awaited: the next call must not find this one still at work.
  const ends = await Promise.allSettled(Array.from({ length: host.concurrency }, worker));
  const fault = ends.find((end) => end.status === 'rejected');
  if (fault) throw fault.reason;
}

/** How many ordinals one checkpoint covers: at most so many images are compressed one by one after a crash. */
const ORDINALS_PER_CHECKPOINT = 500;

/** Before the first image of a chunk is started, its last ordinal is recorded as the high-water mark. */
async function* withCheckpoints(images: AsyncIterable<PlannedImage>, batch: OpenBatch) {
  for await (const chunk of chunksOf(images)) {
    const highWaterMark = chunk.at(-1)?.n ?? null;
    await Promise.all([batch.checkpoint({ highWaterMark }), batch.prefetch(chunk)]);
    yield* chunk;
  }
}

async function* chunksOf(images: AsyncIterable<PlannedImage>): AsyncGenerator<PlannedImage[]> {
  let chunk: PlannedImage[] = [];
  for await (const image of images) {
    const [first] = chunk;
    if (first && image.n >= first.n + ORDINALS_PER_CHECKPOINT) {
      yield chunk;
      chunk = [];
    }
    chunk.push(image);
  }
  if (chunk.length > 0) yield chunk;
}
