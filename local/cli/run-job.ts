import { randomBytes } from 'node:crypto';
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
import { EXIT, exitCodeOf, USERS_FAULT } from './exit-codes.ts';
import { JOB_FOLDERS, type JobFolders, type LocalInput } from './local-input.ts';
import { homeOf, prepareOutput } from './output-folder.ts';
import { printReport } from './print-report.ts';
import { createProgress, type Progress } from './progress.ts';
import { shapeOf } from './terminal-text.ts';
import { unexpectedErrorIn } from './unexpected-errors.ts';

/** Runs one job through the state machine on this machine and tells what came of it. @returns the exit code */
export async function runJob(input: LocalInput, line: CommandLine): Promise<number> {
  await prepareOutput(input.out);
  if (input.note) console.error(input.note);
  const progress = createProgress(process.stderr);
  progress.planning();
  const course: Course = { isPlanned: false };
  const stop = stopOnInterrupt(progress, course);
  const cloud = await startLocalCloud({
    home: homeOf(input.out),
    out: input.out,
    source: input.folder,
    lists: input.listFolder,
    reachesS3: true,
    onObject: (record) => {
      if (record.s3.bucket.name === OUT_BUCKET) progress.wrote();
    },
    onLog: (line) => {
      const error = unexpectedErrorIn(line);
      if (error) progress.say(error);
    },
  });
  const jobId = `local-${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}-${randomBytes(3).toString('hex')}`;
  try {
    await askForAnswer(input, stop);
    const fileList = await addressOfList(input, cloud, jobId);
    const execution = await Promise.race([
      cloud.execute(jobId, executionInput(fileList, input, line), {
        signal: stop,
        ...watch(progress, course),
      }),
      leftWhilePlanning(stop, course),
    ]);
    progress.end();
    if (execution === 'left' || (execution.status === 'ABORTED' && !course.isPlanned)) {
      console.error('Stopped while planning: nothing was compressed.');
      return EXIT.interrupted;
    }
    if (execution.status === 'ABORTED') await reportWhatWasDone(cloud, jobId);
    return await tell(execution, cloud, jobId, { input, line });
  } finally {
    progress.end();
    await cloud.close();
  }
}

/** Where the job is, as far as Ctrl-C has to know. */
interface Course {
  isPlanned: boolean;
}

/** A job over S3 that nobody answers for would fail all the same, after the patience of every call in it. */
async function askForAnswer({ fileList, folder }: LocalInput, stop: AbortSignal): Promise<void> {
  if (folder !== undefined || typeof fileList !== 'string') return;
  const { askUsersS3 } = await import('./ask-users-s3.ts');
  await askUsersS3(parseS3Prefix(fileList)?.bucket ?? parseS3Uri(fileList)!.bucket, stop);
}

const PLANNING_GRACE_MS = 2000;

/** Until there is a plan nothing is in hand that is worth waiting for: a call that hangs is left alone. */
function leftWhilePlanning(stop: AbortSignal, course: Course): Promise<'left'> {
  return new Promise((resolve) => {
    const leave = () => {
      if (!course.isPlanned) setTimeout(() => resolve('left'), PLANNING_GRACE_MS).unref();
    };
    if (stop.aborted) leave();
    stop.addEventListener('abort', leave, { once: true });
  });
}

/** A list that nobody wrote lies among the job's files. */
async function addressOfList({ fileList }: LocalInput, cloud: LocalCloud, jobId: string): Promise<string> {
  if (typeof fileList === 'string') return fileList;
  const key = `jobs/${jobId}/list.json`;
  await mkdir(path.join(cloud.jobFiles, path.dirname(key)), { recursive: true });
  await writeFile(path.join(cloud.jobFiles, key), JSON.stringify(fileList));
  return `s3://${OUTPUT_BUCKET}/${key}`;
}

function executionInput(fileList: string, { relativeTo }: LocalInput, { settings }: CommandLine): object {
  const output = `s3://${OUT_BUCKET}/`;
  return { ...settings, fileList, output, ...(relativeTo !== undefined && { relativeTo }) };
}

function watch(progress: Progress, course: Course) {
  return {
    onTask: (state: string, answer: unknown) => {
      const { Payload } = answer as { Payload?: unknown };
      if (state === 'PlanJob') {
        course.isPlanned = true;
        progress.planned((Payload as PlanSummary).images);
      }
      if (state === 'CompressBatchOnLambda') progress.finishedBatch(countsOf(Payload as BatchSummary));
    },
  };
}

function countsOf({ compressed, kept, skipped, failed, remaining }: BatchSummary) {
  // A batch that was handed back is told of again, with what it had done already.
  return remaining > 0 ? { images: 0, failed: 0 } : { images: compressed + kept + skipped + failed, failed };
}

function stopOnInterrupt(progress: Progress, course: Course): AbortSignal {
  const stop = new AbortController();
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    progress.say(
      course.isPlanned
        ? 'Stopping: the images in hand are finished first. Press Ctrl-C again to leave them.'
        : 'Stopping.',
    );
    stop.abort();
  });
  return stop.signal;
}

async function reportWhatWasDone(cloud: LocalCloud, jobId: string): Promise<void> {
  const failure = { Error: INTERRUPTED, Cause: 'Stopped by Ctrl-C; the same command goes on from here.' };
  await cloud.invoke('report-job', { jobId, executionState: { failure } });
}

async function tell(
  execution: ExecutionResult,
  cloud: LocalCloud,
  jobId: string,
  asked: Asked,
): Promise<number> {
  if (execution.status === 'FAILED' && USERS_FAULT.has(execution.error)) {
    console.error(inFolders(execution.cause, cloud.folders));
    return EXIT.usage;
  }
  const text = await readFile(path.join(cloud.jobFiles, jobKeys.reportJson(jobId)), 'utf8').catch(
    () => undefined,
  );
  if (text === undefined) throw new Error(causeOf(execution));
  await noteFolders(cloud, jobId, asked.input);
  const report: JobReport = JSON.parse(text);
  if (asked.line.json) process.stdout.write(text);
  else process.stdout.write(await readable(report, cloud.jobFiles));
  if (execution.status === 'ABORTED') return EXIT.interrupted;
  const code = exitCodeOf(report);
  if (code === EXIT.jobFailed) console.error(report.cause ?? causeOf(execution));
  return code;
}

async function noteFolders(cloud: LocalCloud, jobId: string, { folder, out }: LocalInput): Promise<void> {
  const note = path.join(cloud.jobFiles, path.dirname(jobKeys.job(jobId)), JOB_FOLDERS);
  await writeFile(note, JSON.stringify({ folder, out } satisfies JobFolders));
}

interface Asked {
  readonly input: LocalInput;
  readonly line: CommandLine;
}

function causeOf(execution: ExecutionResult): string {
  if (execution.status !== 'FAILED') return execution.status;
  const { error, cause } = explainFailure(execution.error, execution.cause);
  return `${error}: ${cause}`;
}

async function readable(report: JobReport, jobFiles: string): Promise<string> {
  const table = await printReport(
    report,
    results(report.jobId, jobFiles),
    shapeOf(process.stdout, process.env),
  );
  return `${table}data   ${path.join(jobFiles, jobKeys.reportJson(report.jobId))}\n`;
}

async function* results(jobId: string, jobFiles: string): AsyncGenerator<ImageResult> {
  const folder = path.join(jobFiles, jobKeys.results(jobId));
  // A job that was stopped before its first image has none.
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names) {
    if (!name.endsWith('.jsonl')) continue;
    for await (const line of linesOf(createReadStream(path.join(folder, name)))) yield JSON.parse(line);
  }
}
