import { Readable } from 'node:stream';
import type { Job } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { EndpointCheck, ObjectStore } from '../core/object-store.ts';
import { PlanError, type PlanSummary } from '../core/plan.ts';
import { parseS3Uri } from '../core/s3-uri.ts';
import { readFileList } from '../file-list/read-file-list.ts';
import { parseJobInput, settingsForRetry } from '../settings/job-input.ts';
import { readJson } from '../store/json-lines.ts';
import { refuseContentAddressed } from './content-addressed.ts';
import { type Draft, MAX_LINE_BYTES, startDraft } from './draft.ts';
import { refuseUnsafeEndpoint } from './endpoint.ts';
import { readFinished } from './finished.ts';
import { refuseIrreversible } from './irreversible.ts';
import { isNoSource } from './output-rules.ts';
import { markDuplicates, refuseCollisions } from './resolve-conflicts.ts';
import { openSpillFolder, type SpillFolder } from './spill.ts';

export interface PlanRequest {
  /** The execution's name. */
  readonly jobId: string;
  /** ISO 8601, when the execution started. */
  readonly startedAt: string;
  /** The execution input as the user gave it. */
  readonly input: unknown;
}

export interface PlanContext {
  readonly store: ObjectStore;
  readonly workBucket: string;
  /** `s3://bucket/prefix/` for jobs that name no output. */
  readonly defaultOutput: string;
  /** For jobs in place: whether the S3 endpoint supports what they rely on. */
  readonly endpointCheck?: EndpointCheck;
  /** Aborted shortly before the host's time is up. */
  readonly closing?: AbortSignal;
}

/**
 * Checks the input, reads the list and writes job.json, images.jsonl and batches.jsonl. The list streams through:
 * memory does not grow with it. batches.jsonl is written last, and only when every line of the plan can be carried out.
 * @throws JobInputError, FileListError, PlanError for what the user has to change; ObjectStoreError
 */
export async function planJob(request: PlanRequest, context: PlanContext): Promise<PlanSummary> {
  const { jobId, startedAt } = request;
  const input = await withEarlierSettings(request.input, context.store);
  const job = parseJobInput(input, { jobId, startedAt, defaultOutput: context.defaultOutput });
  await writeJob(job, context);
  const folder = openSpillFolder();
  try {
    return await planImages(job, context, folder);
  } finally {
    folder.remove();
  }
}

/**
 * A retry of the images that failed in a job uses that job's settings: they are in the folder of its failed.jsonl, and apply
 * where the input does not say otherwise.
 */
async function withEarlierSettings(input: unknown, store: ObjectStore): Promise<unknown> {
  const { fileList, ...own } = Object(input) as Record<string, unknown>;
  const list = typeof fileList === 'string' && fileList.endsWith('/failed.jsonl') && parseS3Uri(fileList);
  if (!list) return input;
  const job = { ...list, key: list.key.replace(/failed\.jsonl$/, 'job.json') };
  const earlier = await readJson<Job>(store, job);
  if (!earlier?.compression) return input;
  return { ...settingsForRetry(earlier, own), fileList };
}

/**
 * Writes job.json. Names of executions are free again after 90 days, and at once after the stack was deleted, while
 * the job files stay: the results of the earlier job would count for this one. A plan that is retried has the same
 * start time.
 */
async function writeJob(job: Job, { store, workBucket }: PlanContext): Promise<void> {
  const { jobId, startedAt } = job;
  const location = { bucket: workBucket, key: jobKeys.job(jobId) };
  const earlier = await readJson<Job>(store, location);
  if (earlier !== undefined && earlier.startedAt !== startedAt)
    throw new PlanError(
      `The execution's name must be new, '${jobId}' given: a job of that name was started at ${earlier.startedAt}, and its files are in jobs/${jobId}/`,
    );
  const body = Buffer.from(JSON.stringify(job, null, 2));
  await store.put(location, body, { attributes: { contentType: 'application/json' } });
}

async function planImages(job: Job, context: PlanContext, folder: SpillFolder): Promise<PlanSummary> {
  const { store, workBucket } = context;
  const images = { bucket: workBucket, key: jobKeys.images(job.jobId) };
  const finished = job.resume === null ? undefined : await readFinished(store, workBucket, job);
  const draft = startDraft(job, workBucket, folder, finished);
  await store.upload(images, draftLines(job, context, draft), JSON_LINES);
  await refuseIrreversible(job, draft.buckets, store);
  await refuseContentAddressed(draft.namedLikeHashes(), store);
  if (context.endpointCheck) await refuseUnsafeEndpoint(job, draft.buckets, context.endpointCheck);
  const conflicts = draft.conflicts();
  const list = { job, store, images, folder };
  await refuseCollisions(conflicts, list);
  const batches = await markDuplicates(conflicts, draft.batches, list);
  const location = { bucket: workBucket, key: jobKeys.batches(job.jobId) };
  await store.upload(location, Readable.from(batches.pieces()), JSON_LINES);
  return draft.summary();
}

const JSON_LINES = 'application/x-ndjson';
/** How much is passed to an upload at once. */
const CHUNK_BYTES = 64 * 1024;

async function* draftLines(
  job: Job,
  { store, workBucket, closing }: PlanContext,
  draft: Draft,
): AsyncIterable<Uint8Array> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  for await (const entries of readFileList(job, store, isNoSource(job, workBucket))) {
    if (closing?.aborted)
      throw new PlanError(
        `Planning ran out of time after ${draft.summary().images} images; nothing was compressed. Split the file list, or use an S3 Inventory manifest instead of a prefix: it reads many times faster than a listing.`,
      );
    for (const entry of entries) {
      filled += draft.add(entry, chunk, filled);
      if (filled + MAX_LINE_BYTES < CHUNK_BYTES) continue;
      yield chunk.subarray(0, filled);
      chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      filled = 0;
    }
  }
  draft.end();
  if (filled > 0) yield chunk.subarray(0, filled);
}
