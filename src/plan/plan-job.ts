import { type FileListEntry, NAMED_PROBLEMS } from '../core/file-list.ts';
import type { BatchRef, Job, PlannedImage } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import { settingsForRetry } from '../core/job-settings.ts';
import { linesIn } from '../core/lines.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { outputRule, targetFormat } from '../core/output-key.ts';
import { PlanError, type PlanSummary, planBatches } from '../core/plan.ts';
import { formatS3Uri, parseS3Prefix, parseS3Uri, type S3Location } from '../core/s3-uri.ts';
import { readLines } from '../file-list/lines.ts';
import { readFileList } from '../file-list/read-file-list.ts';
import { parseJobInput } from '../settings/job-input.ts';
import { readJson } from '../store/json-lines.ts';
import { type Collision, type Conflicts, findConflicts } from './conflicts.ts';
import { type FinishedSources, readFinished } from './finished.ts';
import { openSpillFolder, type SpillFile, type SpillFolder } from './spill.ts';

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
  /** Aborted shortly before the host's time is up. */
  readonly closing?: AbortSignal;
}

/**
 * Checks the input, reads the list and writes job.json, images.jsonl and batches.jsonl. The list streams through:
 * memory does not grow with it. batches.jsonl is written last, and only when every line of the plan can be done.
 * @throws JobInputError, FileListError, PlanError for what the user has to change; ObjectStoreError
 */
export async function planJob(request: PlanRequest, context: PlanContext): Promise<PlanSummary> {
  const { jobId, startedAt, input } = request;
  const { store, workBucket, defaultOutput } = context;
  const settings = await withEarlierSettings(input, store);
  const job = parseJobInput(settings, { jobId, startedAt, defaultOutput });
  const jobFile = { bucket: workBucket, key: jobKeys.job(jobId) };
  refuseSecondUse(job, await readJson<Job>(store, jobFile));
  await store.put(jobFile, Buffer.from(JSON.stringify(job, null, 2)), {
    attributes: { contentType: 'application/json' },
  });
  const folder = openSpillFolder();
  try {
    return await planImages(job, context, folder);
  } finally {
    folder.remove();
  }
}

/**
 * The images that failed in a job are done as that job would have done them: its settings stand beside its
 * failed.jsonl, and hold where the input does not say otherwise.
 */
async function withEarlierSettings(input: unknown, store: ObjectStore): Promise<unknown> {
  const { fileList, ...own } = Object(input) as { fileList?: unknown; encoding?: unknown };
  const list = typeof fileList === 'string' && fileList.endsWith('/failed.jsonl') && parseS3Uri(fileList);
  if (!list) return input;
  const key = list.key.replace(/failed\.jsonl$/, 'job.json');
  const earlier = await readJson<Job>(store, { bucket: list.bucket, key });
  if (!earlier?.compression) return input;
  const settings = settingsForRetry(earlier);
  const encoding = { ...Object(settings.encoding), ...Object(own.encoding) };
  return { ...settings, ...own, encoding, fileList };
}

/**
 * Names of executions are free again after 90 days, and at once after the stack was deleted: its files stay. Results
 * of the earlier job would be taken for this one's. A planning that is tried again began at the same time.
 */
function refuseSecondUse({ jobId, startedAt }: Job, earlier: Job | undefined): void {
  if (earlier === undefined || earlier.startedAt === startedAt) return;
  throw new PlanError(
    `The execution needs a name that no job had before, '${jobId}' given: a job of that name was started at ${earlier.startedAt}, and its files are in jobs/${jobId}/`,
  );
}

const JSON_LINES = 'application/x-ndjson';
/** How much is handed to an upload at once. */
const CHUNK_BYTES = 64 * 1024;
/** A line of images.jsonl: a key of 1,024 bytes that is escaped throughout, an etag, and the rest. */
const MAX_LINE_BYTES = 16 * 1024;

async function planImages(job: Job, context: PlanContext, folder: SpillFolder): Promise<PlanSummary> {
  const { store, workBucket } = context;
  const images = { bucket: workBucket, key: jobKeys.images(job.jobId) };
  const finished = job.resume === null ? undefined : await readFinished(store, workBucket, job);
  const draft = startDraft(job, workBucket, folder, finished);
  await store.upload(images, draftLines(job, context, draft), JSON_LINES);
  const conflicts = draft.conflicts();
  await refuseCollisions(conflicts, { job, store, images });
  const batches =
    conflicts.duplicates === 0
      ? draft.batches
      : await markDuplicates(conflicts, draft.batches, { store, images, folder });
  await store.upload({ bucket: workBucket, key: jobKeys.batches(job.jobId) }, piecesOf(batches), JSON_LINES);
  return draft.summary();
}

async function* draftLines(
  job: Job,
  { store, workBucket, closing }: PlanContext,
  draft: Draft,
): AsyncIterable<Uint8Array> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  for await (const entries of readFileList(job, store, isOwnBelow(job, workBucket))) {
    if (closing?.aborted) throw outOfTime(draft.summary());
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

/** A prefix or an inventory may hold the outputs of an earlier run and the job files: those are no sources. */
function isOwnBelow({ fileList, output }: Job, workBucket: string): (location: S3Location) => boolean {
  const target = output === 'in-place' ? undefined : parseS3Prefix(output);
  const isAmong = parseS3Prefix(fileList) ? output.startsWith(fileList) : target?.prefix !== '';
  const below = isAmong && output !== fileList ? target : undefined;
  return ({ bucket, key }) =>
    (bucket === workBucket && key.startsWith('jobs/')) ||
    (bucket === below?.bucket && key.startsWith(below.prefix));
}

function outOfTime({ images }: PlanSummary): PlanError {
  return new PlanError(
    `The time for planning was up after ${images} images, and nothing was compressed. Split the file list, or name an S3 Inventory manifest instead of a prefix: it reads many times faster than a listing.`,
  );
}

interface Draft {
  /** Writes the line of images.jsonl for an entry; 0 bytes for one that an earlier job finished. */
  add(entry: FileListEntry, into: Buffer, at: number): number;
  end(): void;
  readonly batches: SpillFile;
  conflicts(): Conflicts;
  summary(): PlanSummary;
}

function startDraft(
  job: Job,
  workBucket: string,
  folder: SpillFolder,
  finished: FinishedSources | undefined,
): Draft {
  const planner = planBatches(job, workBucket);
  const finder = findConflicts(folder, distinctionOf(job));
  const guard = guardOutputs(job, workBucket);
  const batches = folder.file();
  const total = { images: 0, batches: 0, bytes: 0 };

  const keep = (batch: BatchRef | undefined) => {
    if (!batch) return;
    total.batches += 1;
    batches.append(Buffer.from(`${JSON.stringify(batch)}\n`));
  };

  return {
    add(entry, into, at) {
      if (finished?.has(entry)) return 0;
      const n = total.images;
      total.images += 1;
      total.bytes += entry.size ?? 0;
      refuseOverLimits(total, entry, job.limits);
      guard.check(n, entry, finder.add);
      const lineBytes = into.write(lineOf(n, entry), at);
      keep(planner.add({ lineBytes, bytes: entry.size ?? 0, batch: entry.batch }));
      return lineBytes;
    },
    end() {
      keep(planner.end());
      guard.end();
    },
    batches,
    conflicts: () => finder.find(),
    summary: () => ({ jobId: job.jobId, ...total }),
  };
}

/** A PlannedImage as JSON; put together by hand, since there may be ten million of them. */
function lineOf(n: number, { bucket, key, size, etag }: FileListEntry): string {
  const named = `{"n":${n},"bucket":"${bucket}","key":${JSON.stringify(key)}`;
  const sized = size === undefined ? named : `${named},"size":${size}`;
  return etag === undefined ? `${sized}}\n` : `${sized},"etag":${JSON.stringify(etag)}}\n`;
}

function refuseOverLimits(
  { images, bytes }: { readonly images: number; readonly bytes: number },
  { size, bucket, key }: FileListEntry,
  { maxObjects, maxBytes }: Job['limits'],
): void {
  if (maxObjects !== null && images > maxObjects)
    throw new PlanError(
      `The list holds more than ${maxObjects} images: raise 'limits.maxObjects' or shorten the list`,
    );
  if (maxBytes === null) return;
  if (size === undefined)
    throw new PlanError(
      `'limits.maxBytes' needs the size of every image, and the list names none for ${formatS3Uri({ bucket, key })}: name a prefix, an inventory, or sizes`,
    );
  if (bytes > maxBytes)
    throw new PlanError(
      `The images of the list hold more than ${maxBytes} bytes: raise 'limits.maxBytes' or shorten the list`,
    );
}

/**
 * What tells sources apart whose outputs are the same. Where an output keeps the whole key, or is the source itself,
 * that is the bucket alone, which spares the second fingerprint of every image.
 */
function distinctionOf(job: Job): (source: S3Location) => string {
  const keepsKey = job.layout === 'mirror' && targetFormat(job) === undefined;
  return keepsKey ? ({ bucket }) => bucket : formatS3Uri;
}

/** Watches where outputs fall: never over their own source, never among the job files. */
function guardOutputs(job: Job, workBucket: string) {
  const outputOf = outputRule(job, targetFormat(job));
  const target = job.output === 'in-place' ? undefined : parseS3Prefix(job.output);
  const problems: string[] = [];
  let total = 0;

  const refuse = (problem: string) => {
    total += 1;
    if (problems.length < NAMED_PROBLEMS) problems.push(problem);
  };

  return {
    check(
      n: number,
      source: S3Location,
      add: (n: number, source: S3Location, output: S3Location, overwritable: boolean) => void,
    ): void {
      // A folder marker is skipped whatever its name; in a flat layout all of them would meet.
      const isMarker = source.key.endsWith('/');
      const output = isMarker ? source : outputOf(source);
      if (!isMarker && output.bucket === workBucket && output.key.startsWith('jobs/'))
        refuse(`${formatS3Uri(source)} -> ${formatS3Uri(output)} lies among the job files`);
      else if (target && !isMarker && output.key === source.key && output.bucket === source.bucket)
        refuse(`${formatS3Uri(source)} would be written over itself`);
      add(n, source, output, source.bucket === target?.bucket && source.key.startsWith(target.prefix));
    },
    end(): void {
      if (total > 0)
        throw new PlanError(
          `Outputs must go where nothing else lies: choose another 'output', or "in-place" to replace the sources`,
          problems,
          total,
        );
    },
  };
}

interface PlanFiles {
  readonly store: ObjectStore;
  readonly images: S3Location;
}

async function refuseCollisions(
  conflicts: Conflicts,
  files: PlanFiles & { readonly job: Job },
): Promise<void> {
  if (conflicts.collisions === 0) return;
  const named = await nameCollisions(conflicts.named, files);
  const total = conflicts.collisions - (conflicts.named.length - named.length);
  if (total === 0) return;
  throw new PlanError(
    `Different sources would write one output: rename them, or choose another 'layout' or 'output'`,
    named.slice(0, NAMED_PROBLEMS),
    total,
  );
}

/** Fingerprints only suspect: the names decide. */
async function nameCollisions(
  collisions: readonly Collision[],
  { job, store, images }: PlanFiles & { readonly job: Job },
): Promise<string[]> {
  const wanted = new Set(collisions.flatMap(({ first, second }) => [first, second]));
  const found = await readImages(wanted, store, images);
  const outputOf = outputRule(job, targetFormat(job));
  return collisions.flatMap(({ first, second, kind }) => {
    const [a, b] = [found.get(first)!, found.get(second)!];
    const [outputA, outputB] = [outputOf(a), outputOf(b)].map(formatS3Uri);
    const [sourceA, sourceB] = [formatS3Uri(a), formatS3Uri(b)];
    if (kind === 'output' && outputA === outputB && sourceA !== sourceB)
      return [`${sourceA} and ${sourceB} -> ${outputA}`];
    if (kind === 'source' && outputA === sourceB) return [`${sourceA} -> ${outputA}, which is a source too`];
    if (kind === 'source' && outputB === sourceA) return [`${sourceB} -> ${outputB}, which is a source too`];
    return [];
  });
}

async function readImages(
  wanted: ReadonlySet<number>,
  store: ObjectStore,
  images: S3Location,
): Promise<ReadonlyMap<number, PlannedImage>> {
  const found = new Map<number, PlannedImage>();
  for await (const { first, lines } of readLines(store.read(images), formatS3Uri(images))) {
    lines.forEach((line, index) => {
      if (wanted.has(first - 1 + index)) found.set(first - 1 + index, JSON.parse(line) as PlannedImage);
    });
    if (found.size === wanted.size) break;
  }
  return found;
}

/** Writes images.jsonl again with every repetition marked, and the batches with the bytes that this moved. */
async function markDuplicates(
  conflicts: Conflicts,
  batches: SpillFile,
  { store, images, folder }: PlanFiles & { readonly folder: SpillFolder },
): Promise<SpillFile> {
  const moved = folder.file();
  const move = moveBatches(batches, moved);
  async function* marked(): AsyncIterable<string> {
    for await (const { first, lines } of readLines(store.read(images), formatS3Uri(images)))
      yield lines
        .map((line, index) => {
          const of = conflicts.duplicateOf(first - 1 + index);
          const written = of === undefined ? `${line}\n` : `${line.slice(0, -1)},"duplicateOf":${of}}\n`;
          move(Buffer.byteLength(written));
          return written;
        })
        .join('');
  }
  await store.upload(images, marked(), JSON_LINES);
  return moved;
}

/** Takes the length of each line in turn and hands on each batch with its new byte range. */
function moveBatches(batches: SpillFile, moved: SpillFile): (lineBytes: number) => void {
  const refs = batchRefs(batches);
  let batch = refs.next().value as BatchRef | undefined;
  let start = 0;
  let position = 0;
  let count = 0;
  return (lineBytes) => {
    if (!batch) return;
    position += lineBytes;
    count += 1;
    if (count < batch.count) return;
    moved.append(Buffer.from(`${JSON.stringify({ ...batch, start, end: position - 2 })}\n`));
    batch = refs.next().value as BatchRef | undefined;
    start = position;
    count = 0;
  };
}

function* batchRefs(batches: SpillFile): Generator<BatchRef, undefined> {
  for (const line of linesIn(batches.pieces())) yield JSON.parse(line) as BatchRef;
}

async function* piecesOf(file: SpillFile): AsyncIterable<Uint8Array> {
  yield* file.pieces();
}
