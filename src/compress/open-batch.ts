import { compressBytes } from '../codec/compress-bytes.ts';
import { createMemoryBudget } from '../codec/memory-budget.ts';
import type { Attempt, Journal, Quarantined } from '../core/batch-journal.ts';
import { addOutcome, type BatchCounts } from '../core/batch-summary.ts';
import type { Outcome } from '../core/image-result.ts';
import type { BatchRef, Job, PlannedImage } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import { possibleOutputs } from '../core/output-key.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { createAbsentKeysCache, createListingBackoff, type ListingBackoff } from '../store/absent-keys-cache.ts';
import { compressImage } from './compress-image.ts';
import { createExclusiveLock } from './exclusive-lock.ts';
import type { ImageContext } from './image-context.ts';
import { openResultLog } from './result-log.ts';

/** What compressing a batch needs of the process it runs in: a Lambda, a Fargate task or a local one. */
export interface BatchHost {
  readonly store: ObjectStore;
  readonly workBucket: string;
  /** Shared by the batches of a process. Default: one for this batch. */
  readonly listingBackoff?: ListingBackoff;
  readonly log: ImageContext['log'];
  /** Images in flight at once. */
  readonly concurrency: number;
  /** Aborted when the host's time is up: images in flight are finished, the rest is handed back. */
  readonly closing: AbortSignal;
  /** How much of the host's memory images may use, in bytes. */
  readonly memoryBytes: number;
  /** A larger host continues with what remains: an image that is too large for this one is left to it. */
  readonly largerFollows?: boolean;
  /** The codec. Default: compressBytes within `memoryBytes`. */
  readonly compress?: ImageContext['compress'];
}

export type OpenBatch = ReturnType<typeof openBatch>;

/** A batch in progress: its images, its results and its journal. */
export function openBatch(ref: BatchRef, host: BatchHost, job: Job, attempt: Attempt, earlier: BatchCounts) {
  const { store, workBucket } = host;
  const results = openResultLog(store, workBucket, ref, attempt.number);
  const outputs = createAbsentKeysCache(store, host.listingBackoff ?? createListingBackoff());
  const lock = createExclusiveLock();
  const context: ImageContext = {
    job,
    batchId: ref.batchId,
    store: outputs.store,
    log: host.log,
    compress: host.compress ?? codecOf(host, job),
    onUndo: results.addUndo,
    maxBytes: host.memoryBytes,
    // The codec's budget covers the images it works on; the bodies that wait for it must be small compared with that.
    large: { bytes: Math.floor(host.memoryBytes / (8 * host.concurrency)), exclusive: lock.exclusive },
  };
  let counts = earlier;
  let { poisonCandidates } = attempt;

  const settle = async (image: PlannedImage, outcome: Outcome) => {
    counts = addOutcome(counts, outcome);
    poisonCandidates = poisonCandidates.filter((n) => n !== image.n);
    await results.add({ index: image.n, batchId: ref.batchId, source: formatS3Uri(image), ...outcome });
  };
  const writeJournal = async (state: Pick<Journal, 'closed' | 'inFlight' | 'highWaterMark'>) => {
    const { number, crashes, oneByOneUpTo } = attempt;
    const journal: Journal = { attempt: number, crashes, oneByOneUpTo, poisonCandidates, ...state };
    const key = jobKeys.journal(ref.jobId, ref.batchId);
    await store.put({ bucket: workBucket, key }, Buffer.from(JSON.stringify(journal)));
  };
  return {
    compress: async (image: PlannedImage) => {
      const outcome = await lock.shared(() => compressImage(image, context));
      const isForLarger = host.largerFollows && outcome.status === 'failed' && outcome.hostTooSmall;
      if (!isForLarger) await settle(image, outcome);
    },
    /** Does not try the image again, but records it as compressed where an output shows that it was. */
    quarantine: async (image: PlannedImage, crashes: Quarantined['crashes']) => {
      const found = await compressImage(image, { ...context, store: withoutBodies(store) });
      await settle(image, found.status === 'failed' ? crashedWorker(crashes) : found);
    },
    /** Asks with one listing which outputs do not exist yet, instead of with a HEAD for each. */
    prefetch: (images: readonly PlannedImage[]) =>
      // In place there is nothing to ask: the image itself is the output.
      outputs.prefetch(job.output === 'in-place' ? [] : images.flatMap(possibleOutputs(job))),
    /** Written before an image is started, so that the next worker knows of it when this one crashes. */
    checkpoint: (state: Partial<Pick<Journal, 'inFlight' | 'highWaterMark'>>) =>
      writeJournal({ closed: false, inFlight: null, highWaterMark: null, ...state }),
    flush: results.flush,
    close: () => writeJournal({ closed: true, inFlight: null, highWaterMark: null }),
    counts: () => counts,
  };
}

function codecOf({ memoryBytes }: BatchHost, job: Job): ImageContext['compress'] {
  const maxPixels = job.limits.maxPixels ?? undefined;
  const budget = createMemoryBudget(memoryBytes);
  const replacesSource = job.output === 'in-place';
  return (bytes, settings) => compressBytes(bytes, settings, { budget, maxPixels, replacesSource });
}

/** No body can be read, so that HEAD is all that is asked: an image may crash the worker while it is read. */
function withoutBodies(store: ObjectStore): ObjectStore {
  return { ...store, get: () => Promise.reject(new ObjectStoreError('AccessDenied', 'it is not read again')) };
}

function crashedWorker(crashes: Quarantined['crashes']): Outcome {
  const times = crashes === 2 ? 'twice' : 'after many other crashes of this batch,';
  const message = `its worker crashed ${times} while only this image was in flight; the rest of the batch was compressed without it`;
  return { status: 'failed', code: 'EncoderCrash', message };
}
