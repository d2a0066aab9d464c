import { explainFailure } from '../core/explain-failure.ts';
import { isImageResult, newFinalResults } from '../core/final-results.ts';
import type { ImageResult } from '../core/image-result.ts';
import type { BatchRef, Job, PlannedImage } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import { textLines } from '../core/lines.ts';
import type { ObjectStore, ObjectSummary } from '../core/object-store.ts';
import {
  addressOf,
  buildReport,
  type FailedBatch,
  type Folders,
  INTERRUPTED,
  type JobFailure,
  type JobReport,
  LOST_MEANING,
  REPORTED_FAILURES,
  type Replaced,
  type ReportedFailure,
} from '../core/report.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { countResult, newTally, type Tally } from '../core/tally.ts';
import { parseUndoEntry } from '../core/undo.ts';
import { readLines } from '../file-list/lines.ts';
import { readJson, readJsonLines } from '../store/json-lines.ts';
import { readDeadBatches } from './failed-batches.ts';
import { reportHtml } from './report-html.ts';

export interface ReportRequest {
  readonly jobId: string;
  /** ISO 8601, when the execution started. */
  readonly startedAt?: string;
  /** What a Catch handed over when the plan or the map failed. */
  readonly failure?: { readonly Error?: string; readonly Cause?: string };
  /** The output of the Distributed Map; its files are found without it. */
  readonly mapRun?: unknown;
}

export interface ReportHost {
  readonly store: ObjectStore;
  readonly workBucket: string;
  /** Where jobs/<jobId>/ lies, as people reach it: `s3://bucket/`, or a folder. */
  readonly jobFiles: string;
  /** Which folders the buckets are, where they are folders. */
  readonly folders?: Folders | undefined;
  readonly now: () => Date;
}

/** What the state machine decides on, and shows. */
export interface ReportSummary
  extends Pick<
    JobReport,
    | 'status'
    | 'cause'
    | 'planned'
    | 'accounted'
    | 'lost'
    | 'compressed'
    | 'kept'
    | 'skipped'
    | 'failed'
    | 'bytesIn'
    | 'bytesOut'
  > {
  /** Where report.json lies. */
  readonly report: string;
}

/**
 * Accounts for every image of a job: writes report.json, report.html, failed.jsonl and, in place, undo.jsonl.
 * Runs also when the plan or the map failed, and then reports what is known. Memory does not grow with the
 * results but for one byte an image.
 * @throws when the job's own files cannot be read or written
 */
export async function reportJob(request: ReportRequest, host: ReportHost): Promise<ReportSummary> {
  const { jobId } = request;
  const job = await readJson<Job>(host.store, { bucket: host.workBucket, key: jobKeys.job(jobId) });
  const plan = await readPlan(jobId, host);
  const ledger = openLedger(plan);
  await host.store.upload(at(host, jobKeys.failed(jobId)), failedLines(request, host, ledger), JSON_LINES);
  const replaced = await mergeUndo(jobId, host);

  const failure = failureOf(request, plan);
  const finishedAt = host.now().toISOString();
  const report = buildReport(ledger.tally, {
    jobId,
    job,
    jobFiles: host.jobFiles,
    folders: host.folders,
    startedAt: request.startedAt ?? job?.startedAt ?? finishedAt,
    finishedAt,
    planned: plan.images,
    batches: { planned: plan.missing.size, failed: ledger.deadBatches },
    failures: ledger.failures,
    failedBatches: ledger.failedBatches,
    replaced,
    failure,
  });
  await putText(host, jobKeys.reportHtml(jobId), reportHtml(report), 'text/html; charset=utf-8');
  await putText(host, jobKeys.reportJson(jobId), `${JSON.stringify(report, null, 2)}\n`, 'application/json');
  return summaryOf(report);
}

const JSON_LINES = 'application/jsonl';

/** How many batches' results are on their way while one is counted, and how large they may be to be held whole. */
const BATCHES_AHEAD = 24;
const HELD_WHOLE_BYTES = 2_000_000;

interface Plan {
  readonly exists: boolean;
  readonly images: number;
  /** Images not yet accounted for, by batch. */
  readonly missing: Map<string, number>;
}

async function readPlan(jobId: string, host: ReportHost): Promise<Plan> {
  const location = at(host, jobKeys.batches(jobId));
  const missing = new Map<string, number>();
  if (!(await host.store.head(location))) return { exists: false, images: 0, missing };
  let images = 0;
  for await (const { batchId, count } of readJsonLines<BatchRef>(host.store, location)) {
    images += count;
    missing.set(batchId, (missing.get(batchId) ?? 0) + count);
  }
  return { exists: true, images, missing };
}

function failureOf({ failure, jobId }: ReportRequest, plan: Plan): JobFailure | undefined {
  if (failure) return explainFailure(failure.Error, failure.Cause);
  if (plan.exists) return undefined;
  return { error: 'PlanMissing', cause: `there is no ${jobKeys.batches(jobId)}: the job was not planned` };
}

interface Ledger {
  readonly plan: Plan;
  readonly final: ReturnType<typeof newFinalResults>;
  readonly tally: Tally;
  readonly failures: ReportedFailure[];
  readonly failedBatches: FailedBatch[];
  deadBatches: number;
}

function openLedger(plan: Plan): Ledger {
  return {
    plan,
    final: newFinalResults(plan.images),
    tally: newTally(),
    failures: [],
    failedBatches: [],
    deadBatches: 0,
  };
}

/** The lines of failed.jsonl. Drawing them is what does the counting: everything streams through once. */
async function* failedLines(
  { jobId, failure }: ReportRequest,
  host: ReportHost,
  ledger: Ledger,
): AsyncGenerator<string> {
  for await (const { batchId, results } of loadedBatches(jobId, host)) {
    const missing = ledger.plan.missing.get(batchId);
    // Results of a batch that nobody planned answer for no image of this job.
    if (missing === undefined) continue;
    let answered = 0;
    for await (const result of finalOf(results, ledger)) {
      answered += 1;
      countResult(ledger.tally, result);
      if (result.status !== 'failed') continue;
      noteFailure(ledger, { source: result.source, code: result.code, message: result.message });
      yield failedLine(locationOf(result.source));
    }
    ledger.plan.missing.set(batchId, missing - answered);
  }
  yield* failure?.Error === INTERRUPTED ? missingLines(jobId, host, ledger) : lostLines(jobId, host, ledger);
}

/** Of a job that was stopped: what it did not come to waits for it to go on, and nobody has to look at it. */
async function* missingLines(jobId: string, host: ReportHost, ledger: Ledger): AsyncGenerator<string> {
  for await (const ref of readJsonLines<BatchRef>(host.store, at(host, jobKeys.batches(jobId)))) {
    if (ledger.plan.missing.get(ref.batchId)! <= 0) continue;
    for await (const image of imagesOf(ref, host)) if (!ledger.final.has(image.n)) yield failedLine(image);
  }
}

async function* lostLines(jobId: string, host: ReportHost, ledger: Ledger): AsyncGenerator<string> {
  const { missing } = ledger.plan;
  if (![...missing.values()].some((count) => count > 0)) return;
  const deaths = await readDeadBatches(host.store, host.workBucket, jobId);
  for await (const ref of readJsonLines<BatchRef>(host.store, at(host, jobKeys.batches(jobId)))) {
    if (missing.get(ref.batchId)! <= 0) continue;
    const death = deaths.get(ref.batchId) ?? NO_RECORD;
    noteDeadBatch(ledger, { batchId: ref.batchId, ...death });
    const message = `${ref.batchId}: ${death.error}: ${death.cause}`;
    for await (const image of imagesOf(ref, host)) {
      if (ledger.final.has(image.n)) continue;
      noteFailure(ledger, { source: `s3://${image.bucket}/${image.key}`, code: 'Lost', message });
      yield failedLine(image);
    }
  }
}

const NO_RECORD: JobFailure = {
  error: 'NoResult',
  cause: `${LOST_MEANING}, and the state machine kept no error`,
};

function imagesOf(ref: BatchRef, host: ReportHost): AsyncIterable<PlannedImage> {
  const images = { bucket: ref.bucket, key: jobKeys.images(ref.jobId) };
  return readJsonLines<PlannedImage>(host.store, images, { start: ref.start, end: ref.end });
}

function noteFailure(ledger: Ledger, failure: ReportedFailure): void {
  if (ledger.failures.length < REPORTED_FAILURES) ledger.failures.push(failure);
}

function noteDeadBatch(ledger: Ledger, batch: FailedBatch): void {
  ledger.deadBatches += 1;
  if (ledger.failedBatches.length < REPORTED_FAILURES) ledger.failedBatches.push(batch);
}

function failedLine({ bucket, key }: S3Location): string {
  return `${JSON.stringify({ bucket, key })}\n`;
}

/** A result's source is always `s3://bucket/key`, whatever the bucket's name may be. */
function locationOf(source: string): S3Location {
  const slash = source.indexOf('/', 's3://'.length);
  return { bucket: source.slice('s3://'.length, slash), key: source.slice(slash + 1) };
}

/** One result for each image: all are looked at first, because the one that counts may come last. */
async function* finalOf(results: Results, { final }: Ledger): AsyncGenerator<ImageResult> {
  for await (const result of results) final.offer(result);
  for await (const result of results) if (final.take(result)) yield result;
}

/** Can be gone through more than once. */
type Results = Iterable<ImageResult> | AsyncIterable<ImageResult>;

interface LoadedBatch {
  readonly batchId: string;
  readonly results: Results;
}

async function* loadedBatches(jobId: string, host: ReportHost): AsyncGenerator<LoadedBatch> {
  const underWay: Promise<LoadedBatch>[] = [];
  for await (const batch of resultFiles(jobId, host)) {
    const loading = loadBatch(batch, host);
    loading.catch(() => {}); // thrown below, when its turn comes
    underWay.push(loading);
    if (underWay.length > BATCHES_AHEAD) yield await underWay.shift()!;
  }
  for (const loading of underWay) yield await loading;
}

interface ResultFiles {
  readonly batchId: string;
  readonly files: ObjectSummary[];
}

/** The results files of each batch. One listing names them all, and those of a batch stand together. */
async function* resultFiles(jobId: string, host: ReportHost): AsyncGenerator<ResultFiles> {
  const prefix = jobKeys.results(jobId);
  let batch: ResultFiles | undefined;
  for await (const file of host.store.list(host.workBucket, prefix)) {
    if (!file.key.endsWith('.jsonl')) continue;
    const batchId = file.key.slice(prefix.length, file.key.lastIndexOf('/'));
    if (batch && batch.batchId !== batchId) yield batch;
    if (batch?.batchId !== batchId) batch = { batchId, files: [] };
    batch.files.push(file);
  }
  if (batch) yield batch;
}

async function loadBatch({ batchId, files }: ResultFiles, host: ReportHost): Promise<LoadedBatch> {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const streamed: Results = { [Symbol.asyncIterator]: () => readResults(files, host) };
  if (bytes > HELD_WHOLE_BYTES) return { batchId, results: streamed };
  const bodies = await Promise.all(files.map(({ key }) => host.store.get(at(host, key))));
  const parts = bodies.flatMap((object) => (object && object !== 'not-modified' ? [object.body] : []));
  return { batchId, results: parts.flatMap(parseLines) };
}

async function* readResults(files: readonly ObjectSummary[], host: ReportHost): AsyncGenerator<ImageResult> {
  for (const { key } of files) {
    for await (const value of readJsonLines<unknown>(host.store, at(host, key)))
      if (isImageResult(value)) yield value;
  }
}

function parseLines(body: Uint8Array): ImageResult[] {
  return textLines(body)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
    .filter(isImageResult);
}

/** In place, each host wrote its own part of what it takes to go back. */
async function mergeUndo(jobId: string, host: ReportHost): Promise<Replaced | undefined> {
  const parts: string[] = [];
  for await (const { key } of host.store.list(host.workBucket, jobKeys.undoParts(jobId))) parts.push(key);
  if (parts.length === 0) return undefined;
  const replaced = { images: 0, irreversible: 0 };
  await host.store.upload(at(host, jobKeys.undo(jobId)), counted(parts, host, replaced), JSON_LINES);
  return replaced;
}

async function* counted(
  keys: readonly string[],
  host: ReportHost,
  replaced: { images: number; irreversible: number },
): AsyncGenerator<string> {
  for (const key of keys) {
    const part = at(host, key);
    for await (const { lines } of readLines(host.store.read(part), formatS3Uri(part))) {
      const entries = lines.filter((line) => line !== '');
      replaced.images += entries.length;
      replaced.irreversible += entries.filter((line) => !leadsBack(line)).length;
      yield entries.map((line) => `${line}\n`).join('');
    }
  }
}

function leadsBack(line: string): boolean {
  const { versionId, backup } = parseUndoEntry(line) ?? {};
  return versionId !== undefined || backup !== undefined;
}

function summaryOf(report: JobReport): ReportSummary {
  const address = addressOf(report.jobFiles, jobKeys.reportJson(report.jobId));
  const { status, cause, planned, accounted, lost } = report;
  const { compressed, kept, skipped, failed, bytesIn, bytesOut } = report;
  return {
    status,
    ...(cause && { cause }),
    report: address,
    planned,
    accounted,
    lost,
    compressed,
    kept,
    skipped,
    failed,
    bytesIn,
    bytesOut,
  };
}

async function putText(host: ReportHost, key: string, text: string, contentType: string): Promise<void> {
  await host.store.put(at(host, key), Buffer.from(text), { attributes: { contentType } });
}

function at(host: ReportHost, key: string): S3Location {
  return { bucket: host.workBucket, key };
}
