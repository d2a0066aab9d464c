import { compressBytes } from '../codec/compress-bytes.ts';
import { createMemoryBudget } from '../codec/memory-budget.ts';
import { type Attempt, type Journal, nextAttempt } from '../core/batch-journal.ts';
import { accountedFor, addOutcome, type BatchCounts, NOTHING_YET } from '../core/batch-summary.ts';
import type { ImageResult, Outcome } from '../core/image-result.ts';
import type { BatchRef, BatchSummary, Job, PlannedImage } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { possibleOutputs } from '../core/output-key.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { openKnownAbsences } from '../store/absent-keys-cache.ts';
import { readJson, readJsonLines } from '../store/json-lines.ts';
import { compressImage } from './compress-image.ts';
import { createExclusiveLock } from './exclusive-lock.ts';
import type { ImageContext } from './image-context.ts';
import { journalKey, openResultLog, writeJournal } from './result-log.ts';

export interface BatchHost {
  readonly store: ObjectStore;
  readonly workBucket: string;
  readonly log: ImageContext['log'];
  /** Images in hand at once. */
  readonly concurrency: number;
  /** Aborted when the host's time is up: images in hand are finished, the rest is handed back. */
  readonly closing: AbortSignal;
  /** What images may take of the host's memory, in bytes. */
  readonly memoryBytes: number;
  /** A larger host goes on with what remains: an image that is too large for this one is left to it. */
  readonly largerFollows?: boolean;
  /** The codec; compressBytes within `memoryBytes` where none is given. */
  readonly compress?: ImageContext['compress'];
}

/**
 * Compresses the images of one batch: the one function behind Lambda, Fargate and local mode. Takes up where an
 * earlier call stopped or died, and answers `remaining` above 0 when its time was up first.
 * @throws when the job's own files cannot be read or written; a bad image is a result.
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
  try {
    await compressUnfinished(ref, host, attempt, earlier.done, batch);
    await batch.flush();
  } catch (error) {
    // It failed, but it did not die: what it finished is told, and an open journal would accuse the images in hand.
    await batch.flush().catch(() => {});
    await batch.close().catch(() => {});
    throw error;
  }
  await batch.close();
  const counts = batch.counts();
  return { batchId: ref.batchId, ...counts, remaining: ref.count - accountedFor(counts) };
}

interface OpenBatch {
  compress(image: PlannedImage): Promise<void>;
  /** Not tried again, but told as finished where an output shows that it was. */
  condemn(image: PlannedImage, deaths: 1 | 2): Promise<void>;
  /** Finds out at once which outputs are not there yet, instead of asking for each. */
  lookAhead(images: readonly PlannedImage[]): Promise<void>;
  /** Written before an image is touched, so that the next host knows of it if this one dies. */
  note(state: Partial<Pick<Journal, 'trying' | 'reach'>>): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
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
  const outputs = openKnownAbsences(store);
  const lock = createExclusiveLock();
  const context = {
    job,
    batchId: ref.batchId,
    store: outputs.store,
    log: host.log,
    compress: host.compress ?? realCompress(host, job),
    onUndo: log.addUndo,
    maxBytes: host.memoryBytes,
    // The codec accounts for what it has in hand; the bodies that wait for it are to be small beside that.
    large: { bytes: Math.floor(host.memoryBytes / (8 * host.concurrency)), exclusive: lock.exclusive },
  };
  let counts = earlier;
  let suspects = attempt.suspects;

  const settle = async (image: PlannedImage, outcome: Outcome) => {
    counts = addOutcome(counts, outcome);
    suspects = suspects.filter((n) => n !== image.n);
    await log.add({ index: image.n, batchId: ref.batchId, source: formatS3Uri(image), ...outcome });
  };
  const write = (state: Pick<Journal, 'closed' | 'trying' | 'reach'>) => {
    const { number, deaths, carefulUpTo } = attempt;
    return writeJournal(store, workBucket, ref, {
      attempt: number,
      deaths,
      carefulUpTo,
      suspects,
      ...state,
    });
  };
  return {
    compress: async (image) => {
      const outcome = await lock.shared(() => compressImage(image, context));
      const isForLarger = host.largerFollows && outcome.status === 'failed' && outcome.hostTooSmall;
      if (!isForLarger) await settle(image, outcome);
    },
    condemn: async (image, deaths) => {
      const seen = await compressImage(image, { ...context, store: withoutBodies(store) });
      await settle(image, seen.status === 'failed' ? killedItsHost(deaths) : seen);
    },
    lookAhead: (images) => outputs.learn(images.flatMap(outputsElsewhere(job))),
    note: (state) => write({ closed: false, trying: null, reach: null, ...state }),
    flush: log.flush,
    close: () => write({ closed: true, trying: null, reach: null }),
    counts: () => counts,
  };
}

/** In place there is nothing to look for: the image itself is the output. */
function outputsElsewhere(job: Job): (image: PlannedImage) => readonly S3Location[] {
  return job.output === 'in-place' ? () => [] : possibleOutputs(job);
}

function realCompress({ memoryBytes }: BatchHost, job: Job): ImageContext['compress'] {
  const maxPixels = job.limits.maxPixels ?? undefined;
  const budget = createMemoryBudget(memoryBytes);
  const replacesSource = job.output === 'in-place';
  return (bytes, settings) => compressBytes(bytes, settings, { budget, maxPixels, replacesSource });
}

/** Every object reads as absent, so that HEAD is all that is asked: an image may crash the worker while it is read. */
function withoutBodies(store: ObjectStore): ObjectStore {
  return { ...store, get: async () => undefined };
}

/** First what a dead host may have touched, one by one; then the rest at full width; suspects last. */
async function compressUnfinished(
  ref: BatchRef,
  host: BatchHost,
  attempt: Attempt,
  done: ReadonlySet<number>,
  batch: OpenBatch,
): Promise<void> {
  const { condemned, carefulUpTo } = attempt;
  const suspects = new Set(attempt.suspects);
  const unfinished = (belongs: (n: number) => boolean) =>
    readImages(ref, host, (n) => !done.has(n) && n !== condemned?.n && belongs(n));
  if (condemned)
    await condemn(
      readImages(ref, host, (n) => n === condemned.n),
      attempt,
      batch,
    );
  if (carefulUpTo >= 0)
    await compressOneByOne(
      unfinished((n) => n <= carefulUpTo && !suspects.has(n)),
      host,
      batch,
    );
  await compressSeveralAtOnce(
    unfinished((n) => n > carefulUpTo && !suspects.has(n)),
    host,
    batch,
  );
  if (suspects.size > 0)
    await compressOneByOne(
      unfinished((n) => suspects.has(n)),
      host,
      batch,
    );
}

/** Before anything is noted: until this result is written, the journal of the dead host has to stand. */
async function condemn(images: AsyncIterable<PlannedImage>, { condemned }: Attempt, batch: OpenBatch) {
  for await (const image of images) await batch.condemn(image, condemned!.deaths);
  await batch.flush();
}

async function compressSeveralAtOnce(
  images: AsyncGenerator<PlannedImage>,
  host: BatchHost,
  batch: OpenBatch,
): Promise<void> {
  const within = preparedInParts(images, batch);
  let failed = false;
  const worker = async () => {
    while (!host.closing.aborted && !failed) {
      const next = await within.next();
      if (next.done) return;
      await batch.compress(next.value);
    }
  };
  const workers = Array.from({ length: host.concurrency }, () =>
    worker().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  // All are waited for: whoever calls again must not find this call still at work.
  const ends = await Promise.allSettled(workers);
  const fault = ends.find((end) => end.status === 'rejected');
  if (fault) throw fault.reason;
}

/** How many ordinals one note covers: so many images are done one by one after a death at the most. */
const ORDINALS_PER_NOTE = 500;

/** Before the first image of a part is touched it is noted how far this host may come. */
async function* preparedInParts(
  images: AsyncIterable<PlannedImage>,
  batch: OpenBatch,
): AsyncGenerator<PlannedImage> {
  for await (const part of parts(images)) {
    await Promise.all([batch.note({ reach: part.at(-1)!.n }), batch.lookAhead(part)]);
    yield* part;
  }
}

async function* parts(images: AsyncIterable<PlannedImage>): AsyncGenerator<PlannedImage[]> {
  let part: PlannedImage[] = [];
  for await (const image of images) {
    if (part.length > 0 && image.n >= part[0]!.n + ORDINALS_PER_NOTE) {
      yield part;
      part = [];
    }
    part.push(image);
  }
  if (part.length > 0) yield part;
}

async function compressOneByOne(
  images: AsyncGenerator<PlannedImage>,
  host: BatchHost,
  batch: OpenBatch,
): Promise<void> {
  for await (const image of images) {
    if (host.closing.aborted) return;
    await batch.note({ trying: image.n });
    await batch.compress(image);
    await batch.flush();
  }
}

async function* readImages(
  ref: BatchRef,
  host: BatchHost,
  belongs: (n: number) => boolean,
): AsyncGenerator<PlannedImage> {
  const images = { bucket: ref.bucket, key: jobKeys.images(ref.jobId) };
  const range = { start: ref.start, end: ref.end };
  for await (const image of readJsonLines<PlannedImage>(host.store, images, range)) {
    if (belongs(image.n)) yield image;
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

function killedItsHost(deaths: 1 | 2): Outcome {
  const times = deaths === 2 ? 'twice' : 'in a batch that had lost many before,';
  const message = `its host died ${times} while this image alone was in hand; the rest of the batch was done without it`;
  return { status: 'failed', code: 'EncoderCrash', message };
}
