import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { explainFailure } from '../../src/core/explain-failure.ts';
import type { ImageResult } from '../../src/core/image-result.ts';
import type { BatchSummary } from '../../src/core/job.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { linesOf } from '../../src/core/lines.ts';
import type { PlanSummary } from '../../src/core/plan.ts';
import { INTERRUPTED, inFolders, type JobReport } from '../../src/core/report.ts';
import { parseS3Prefix, parseS3Uri } from '../../src/core/s3-uri.ts';
import { OUT_BUCKET, OUTPUT_BUCKET } from '../cloud/local-buckets.ts';
import { type LocalCloud, startLocalCloud } from '../cloud/local-cloud.ts';
import type { ExecutionResult } from '../step-functions/execution.ts';
import type { CommandLine } from './command-line.ts';
import { EXIT, exitCodeOf, INPUT_ERRORS } from './exit-codes.ts';
import { JOB_FOLDERS, type JobFolders, type LocalInput } from './local-input.ts';
import { homeOf, prepareOutput } from './output-folder.ts';
import { printReport } from './print-report.ts';
import { createProgress, type Progress } from './progress.ts';
import { newJobId } from './run-command.ts';
import { unexpectedErrorIn } from './unexpected-errors.ts';

/** Runs one job through the state machine on this machine and prints its report. @returns the exit code */
export async function runJob(input: LocalInput, line: CommandLine): Promise<number> {
  await prepareOutput(input.out);
  if (input.note) console.error(input.note);
  const progress = createProgress(process.stderr);
  progress.planning();
  const phase: Phase = { isPlanned: false };
  const stop = stopOnInterrupt(progress, phase);
  const cloud = await startLocalCloud({
    home: homeOf(input.out),
    out: input.out,
    source: input.folder,
    lists: input.listFolder,
    reachesS3: true,
    onObject: (record) => {
      if (record.s3.bucket.name === OUT_BUCKET) progress.outputWritten();
    },
    onLog: (line) => {
      const error = unexpectedErrorIn(line);
      if (error) progress.print(error);
    },
  });
  const jobId = newJobId('local');
  try {
    await refuseUnreachableS3(input, stop);
    const fileList = await addressOfList(input, cloud, jobId);
    const relativeTo = input.relativeTo === undefined ? {} : { relativeTo: input.relativeTo };
    const running = cloud.execute(
      jobId,
      { ...line.settings, fileList, output: `s3://${OUT_BUCKET}/`, ...relativeTo },
      { signal: stop, onTask: showIn(progress, phase) },
    );
    const execution = await Promise.race([running, abandonedWhilePlanning(stop, phase)]);
    progress.end();
    if (execution === 'abandoned' || (execution.status === 'ABORTED' && !phase.isPlanned)) {
      console.error('Stopped while planning: nothing was compressed.');
      return EXIT.interrupted;
    }
    if (execution.status === 'ABORTED') await reportStoppedJob(cloud, jobId);
    return await printOutcome(execution, cloud, jobId, input, line.json);
  } finally {
    progress.end();
    await cloud.close();
  }
}

/** What Ctrl-C has to know about the job. */
type Phase = { isPlanned: boolean };

/** Without an answer from S3 the job would fail too, but only after the timeout of every call in it. */
async function refuseUnreachableS3({ fileList, folder }: LocalInput, stop: AbortSignal): Promise<void> {
  if (folder !== undefined || typeof fileList !== 'string') return;
  const { askUsersS3 } = await import('./ask-users-s3.ts');
  const list = parseS3Prefix(fileList) ?? parseS3Uri(fileList);
  if (list) await askUsersS3(list.bucket, stop);
}

const PLANNING_GRACE_MS = 2000;

/** Until there is a plan, no work is in flight that is worth waiting for: a call that hangs is abandoned. */
function abandonedWhilePlanning(stop: AbortSignal, phase: Phase): Promise<'abandoned'> {
  return new Promise((resolve) => {
    const abandon = () => {
      if (!phase.isPlanned) setTimeout(() => resolve('abandoned'), PLANNING_GRACE_MS).unref();
    };
    if (stop.aborted) abandon();
    stop.addEventListener('abort', abandon, { once: true });
  });
}

/** A list without a file of its own is stored among the job's files. */
async function addressOfList({ fileList }: LocalInput, cloud: LocalCloud, jobId: string): Promise<string> {
  if (typeof fileList === 'string') return fileList;
  const key = `jobs/${jobId}/list.json`;
  await mkdir(path.join(cloud.jobFiles, path.dirname(key)), { recursive: true });
  await writeFile(path.join(cloud.jobFiles, key), JSON.stringify(fileList));
  return `s3://${OUTPUT_BUCKET}/${key}`;
}

function showIn(progress: Progress, phase: Phase) {
  return (state: string, answer: unknown): void => {
    const { Payload } = answer as { Payload?: unknown };
    if (state === 'PlanJob') {
      phase.isPlanned = true;
      progress.planned((Payload as PlanSummary).images);
    }
    if (state === 'CompressBatchOnLambda') progress.batchFinished(countsOf(Payload as BatchSummary));
  };
}

function countsOf({ compressed, kept, skipped, failed, remaining }: BatchSummary) {
  // A batch with images left is run again, and its counts then include these.
  return remaining > 0 ? { images: 0, failed: 0 } : { images: compressed + kept + skipped + failed, failed };
}

function stopOnInterrupt(progress: Progress, phase: Phase): AbortSignal {
  const stop = new AbortController();
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    const inFlight = 'Stopping after the images in flight. Press Ctrl-C again to stop at once.';
    progress.print(phase.isPlanned ? inFlight : 'Stopping.');
    stop.abort();
  });
  return stop.signal;
}

async function reportStoppedJob(cloud: LocalCloud, jobId: string): Promise<void> {
  const failure = { Error: INTERRUPTED, Cause: 'Stopped by Ctrl-C; the same command continues from here.' };
  await cloud.invoke('report-job', { jobId, executionState: { failure } });
}

async function printOutcome(
  execution: ExecutionResult,
  cloud: LocalCloud,
  jobId: string,
  input: LocalInput,
  json: boolean,
): Promise<number> {
  if (execution.status === 'FAILED' && INPUT_ERRORS.has(execution.error)) {
    console.error(inFolders(execution.cause, cloud.folders));
    return EXIT.usage;
  }
  const file = path.join(cloud.jobFiles, jobKeys.reportJson(jobId));
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) throw new Error(causeOf(execution));
  const folders: JobFolders = { folder: input.folder, out: input.out };
  await writeFile(path.join(path.dirname(file), JOB_FOLDERS), JSON.stringify(folders));
  const report: JobReport = JSON.parse(text);
  const log = report.failureCodes.Unexpected ? `log    ${cloud.log}\n` : '';
  const printed = async () => `${await printReport(report, results(jobId, cloud.jobFiles))}data   ${file}\n${log}`;
  process.stdout.write(json ? text : await printed());
  if (execution.status === 'ABORTED') return EXIT.interrupted;
  const code = exitCodeOf(report);
  if (code === EXIT.jobFailed) console.error(report.cause ?? causeOf(execution));
  return code;
}

function causeOf(execution: ExecutionResult): string {
  if (execution.status !== 'FAILED') return execution.status;
  const { error, cause } = explainFailure(execution.error, execution.cause);
  return `${error}: ${cause}`;
}

async function* results(jobId: string, jobFiles: string): AsyncGenerator<ImageResult> {
  const folder = path.join(jobFiles, jobKeys.results(jobId));
  // A job that was stopped before its first image has no results.
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names.filter((name) => name.endsWith('.jsonl')))
    for await (const line of linesOf(createReadStream(path.join(folder, name))))
      if (line !== '') yield JSON.parse(line);
}
