import { explainFailure } from '../core/explain-failure.ts';
import type { Job } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectSummary } from '../core/object-store.ts';
import { addressOf, buildReport, type JobFailure, type JobReport, type Replaced } from '../core/report.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { hashesLine, parseUndoEntry } from '../core/undo.ts';
import { readLines } from '../file-list/lines.ts';
import { readJson } from '../store/json-lines.ts';
import { failedLines, newAccumulator, type Plan, readPlan } from './accumulate.ts';
import { jobFile, type ReportHost } from './report-host.ts';
import { reportHtml } from './report-html.ts';

export interface ReportRequest {
  readonly jobId: string;
  /** ISO 8601, when the execution started. */
  readonly startedAt?: string;
  /** The error that a Catch passed on when the plan or the map failed. */
  readonly failure?: { readonly Error?: string; readonly Cause?: string };
  /** The output of the Distributed Map; its files are found without it. */
  readonly mapRun?: unknown;
}

const SUMMARY = [
  'status',
  'cause',
  'planned',
  'accounted',
  'lost',
  'compressed',
  'kept',
  'skipped',
  'failed',
  'bytesIn',
  'bytesOut',
] as const satisfies readonly (keyof JobReport)[];

/** What the state machine decides on, and shows. */
export interface ReportSummary extends Pick<JobReport, (typeof SUMMARY)[number]> {
  /** Where report.json is. */
  readonly report: string;
}

/**
 * Accounts for every image of a job: writes report.json, report.html, failed.jsonl and, in place, undo.jsonl and hashes.jsonl.
 * Runs also when the plan or the map failed, and then reports what is known. Memory does not grow with the
 * results, except for one byte per image.
 * @throws when the job's own files cannot be read or written
 */
export async function reportJob(request: ReportRequest, host: ReportHost): Promise<ReportSummary> {
  const { jobId } = request;
  const job = await readJson<Job>(host.store, jobFile(host, jobKeys.job(jobId)));
  const plan = await readPlan(jobId, host);
  const sums = newAccumulator(plan);
  await host.store.upload(jobFile(host, jobKeys.failed(jobId)), failedLines(request, host, sums), JSON_LINES);
  const replaced = await mergeUndo(jobId, host);
  const finishedAt = host.now().toISOString();
  const report = buildReport(sums.tally, {
    jobId,
    job,
    jobFiles: host.jobFiles,
    folders: host.folders,
    startedAt: request.startedAt ?? job?.startedAt ?? finishedAt,
    finishedAt,
    planned: plan.images,
    batches: { planned: plan.missing.size, failed: sums.failedBatchCount },
    failures: sums.failures,
    failedBatches: sums.failedBatches,
    replaced,
    failure: failureOf(request, plan),
  });
  await putText(host, jobKeys.reportHtml(jobId), reportHtml(report), 'text/html; charset=utf-8');
  await putText(host, jobKeys.reportJson(jobId), `${JSON.stringify(report, null, 2)}\n`, 'application/json');
  return summaryOf(report);
}

const JSON_LINES = 'application/jsonl';

/** In place, each host wrote its own part of undo.jsonl. @returns undefined when there are no parts */
async function mergeUndo(jobId: string, host: ReportHost): Promise<Replaced | undefined> {
  const parts = await Array.fromAsync(host.store.list(host.workBucket, jobKeys.undoParts(jobId)));
  if (parts.length === 0) return undefined;
  const replaced = { images: 0, irreversible: 0 };
  await host.store.upload(jobFile(host, jobKeys.undo(jobId)), undoLines(parts, host, replaced), JSON_LINES);
  await host.store.upload(jobFile(host, jobKeys.hashes(jobId)), hashesLines(parts, host), JSON_LINES);
  return replaced;
}

/** Old hashes to new ones, for tables elsewhere that hold them. */
async function* hashesLines(parts: readonly ObjectSummary[], host: ReportHost): AsyncGenerator<string> {
  for await (const lines of linesOfParts(parts, host))
    yield lines
      .flatMap((line) => hashesLine(line) ?? [])
      .map((line) => `${line}\n`)
      .join('');
}

/** The lines of all parts; `replaced` counts them. */
async function* undoLines(
  parts: readonly ObjectSummary[],
  host: ReportHost,
  replaced: { images: number; irreversible: number },
): AsyncGenerator<string> {
  for await (const entries of linesOfParts(parts, host)) {
    replaced.images += entries.length;
    replaced.irreversible += entries.filter((line) => !isReversible(line)).length;
    yield entries.map((line) => `${line}\n`).join('');
  }
}

async function* linesOfParts(parts: readonly ObjectSummary[], host: ReportHost): AsyncGenerator<string[]> {
  for (const { key } of parts) {
    const part = jobFile(host, key);
    for await (const { lines } of readLines(host.store.read(part), formatS3Uri(part)))
      yield lines.filter((line) => line !== '');
  }
}

function isReversible(line: string): boolean {
  const { versionId, backup } = parseUndoEntry(line) ?? {};
  return versionId !== undefined || backup !== undefined;
}

function failureOf({ failure, jobId }: ReportRequest, plan: Plan): JobFailure | undefined {
  if (failure) return explainFailure(failure.Error, failure.Cause);
  if (plan.exists) return undefined;
  return { error: 'PlanMissing', cause: `there is no ${jobKeys.batches(jobId)}: the job was not planned` };
}

function summaryOf(report: JobReport): ReportSummary {
  const shown = SUMMARY.filter((name) => report[name] !== undefined).map((name) => [name, report[name]]);
  return {
    ...(Object.fromEntries(shown) as Pick<JobReport, (typeof SUMMARY)[number]>),
    report: addressOf(report.jobFiles, jobKeys.reportJson(report.jobId)),
  };
}

async function putText(host: ReportHost, key: string, text: string, contentType: string): Promise<void> {
  await host.store.put(jobFile(host, key), Buffer.from(text), { attributes: { contentType } });
}
