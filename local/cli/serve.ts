import { once } from 'node:events';
import path from 'node:path';
import type { SQSBatchResponse } from 'aws-lambda';
import { jobKeys } from '../../src/core/job-keys.ts';
import { decodeEventKey } from '../../src/core/upload-event.ts';
import type { ReportSummary } from '../../src/report/report-job.ts';
import { INPUT_BUCKET, OUTPUT_BUCKET, triggerBuckets, UPLOAD_BUCKET } from '../cloud/local-buckets.ts';
import { type LocalCloud, startLocalCloud } from '../cloud/local-cloud.ts';
import { createQueue, type LocalQueue } from '../cloud/queue.ts';
import { untrustedHost } from '../s3/loopback.ts';
import type { S3EventRecord } from '../s3/s3-server.ts';
import { startStepFunctionsServer } from '../step-functions/step-functions-server.ts';
import type { CommandLine } from './command-line.ts';
import { EXIT } from './exit-codes.ts';
import { DEFAULT_OUT } from './local-input.ts';
import { homeOf, prepareOutput } from './output-folder.ts';
import { UsageError } from './run-command.ts';
import { printable } from './terminal-text.ts';
import { unexpectedErrorIn } from './unexpected-errors.ts';
import { createUploadOutcomes, deadLetterLine } from './upload-outcomes.ts';

const STATE_MACHINE = 'arn:aws:states:us-east-1:000000000000:stateMachine:compress-images';

/**
 * Runs the local S3 with both triggers until Ctrl-C: a file list under lists/ of the input bucket starts a job, an
 * image in the upload bucket is compressed in place. At Ctrl-C, images in flight are completed first.
 */
export async function serve({ out, port }: CommandLine): Promise<number> {
  const outFolder = path.resolve(out ?? DEFAULT_OUT);
  await prepareOutput(outFolder);
  const home = homeOf(outFolder);
  const stop = new AbortController();
  const jobs = new Set<Promise<void>>();
  const outcomeIn = createUploadOutcomes();

  const stepFunctions = await startStepFunctionsServer({
    run: ({ name, input }) => {
      const job = runJob(cloud, name, input, stop.signal).finally(() => jobs.delete(job));
      jobs.add(job);
    },
    refuse: untrustedHost,
  });
  const cloud = await startLocalCloud({
    home,
    out: outFolder,
    source: undefined,
    port,
    // Any local program may use the port, so the user's own buckets must not be reachable through it.
    reachesS3: false,
    moreBuckets: triggerBuckets(home),
    moreFunctions: ['start-job', 'recompress-upload'],
    // One for the running job, one for uploads and for starting jobs meanwhile.
    processes: 2,
    environment: { AWS_ENDPOINT_URL_SFN: stepFunctions.endpoint, STATE_MACHINE_ARN: STATE_MACHINE },
    onObject: (record) => route(record, cloud, uploads),
    onLog: (line) => {
      const outcome = outcomeIn(line);
      if (outcome) console.log(outcome);
      const error = unexpectedErrorIn(line);
      if (error) console.error(error);
    },
  }).catch(async (error: unknown) => {
    await stepFunctions.close();
    throw asUsageError(error, port);
  });
  const uploads = uploadQueue(cloud, path.join(home, 'log.jsonl'));
  console.log(welcome(cloud, home, outFolder));

  await interrupted();
  console.log('\nStopping: images in flight are completed first. Press Ctrl-C again to stop at once.');
  stop.abort();
  await uploads.close();
  await Promise.all(jobs);
  await stepFunctions.close();
  await cloud.close();
  return EXIT.done;
}

/** A port that cannot be opened is for the user to change. */
function asUsageError(error: unknown, port: number): unknown {
  const { syscall, code } = error as NodeJS.ErrnoException;
  if (syscall !== 'listen') return error;
  const reason = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be opened (${code})`;
  return new UsageError(
    `Expected a free port but ${port} ${reason}. Choose another, e.g. --port 0 for any that is free`,
  );
}

function route(record: S3EventRecord, cloud: LocalCloud, uploads: LocalQueue): void {
  if (!record.eventName.startsWith('ObjectCreated:')) return;
  const { bucket, object } = record.s3;
  if (bucket.name === UPLOAD_BUCKET) uploads.send(JSON.stringify({ Records: [record] }));
  if (bucket.name !== INPUT_BUCKET || !object.key.startsWith('lists/')) return;
  const report = ({ message }: Error) =>
    console.error(printable(`${decodeEventKey(object.key)}: cannot start a job: ${message}`));
  cloud.invoke('start-job', { Records: [record] }).catch(report);
}

function uploadQueue(cloud: LocalCloud, log: string): LocalQueue {
  return createQueue({
    name: 'uploads',
    invoke: (event) => cloud.invoke('recompress-upload', event) as Promise<SQSBatchResponse>,
    batchSize: 10,
    concurrency: 1,
    maxReceiveCount: 5,
    retryDelayMs: 2000,
    onDeadLetter: ({ body }) => console.error(deadLetterLine(body, log)),
  });
}

async function runJob(cloud: LocalCloud, name: string, input: unknown, signal: AbortSignal): Promise<void> {
  console.log(`job ${name} started: ${(input as { fileList: string }).fileList}`);
  const execution = await cloud.execute(name, input, { signal });
  if (execution.status === 'FAILED') console.log(`job ${name} FAILED: ${execution.cause}`);
  if (execution.status === 'ABORTED') console.log(`job ${name} stopped; upload its list again to continue`);
  if (execution.status !== 'SUCCEEDED') return;
  const { compressed, kept, skipped, failed } = execution.output as ReportSummary;
  const counts = `${compressed} compressed, ${kept} kept, ${skipped} skipped, ${failed} failed`;
  console.log(`job ${name} done: ${counts}`);
  console.log(`  ${path.join(cloud.jobFiles, jobKeys.reportHtml(name))}`);
}

async function interrupted(): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  await Promise.race(signals.map((signal) => once(process, signal)));
  // The second Ctrl-C ends the process at once.
  for (const signal of signals) process.once(signal, () => process.exit(EXIT.interrupted));
}

function welcome({ endpoint, jobFiles, log }: LocalCloud, home: string, out: string): string {
  const s3 = `aws --endpoint-url ${endpoint} s3`;
  return `A local S3 at ${endpoint}, for this machine only. In another terminal:

  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1

  ${s3} cp photo.jpg s3://${UPLOAD_BUCKET}/         # compressed losslessly in place, within seconds
  ${s3} ls s3://${UPLOAD_BUCKET}/

  ${s3} sync ~/Pictures s3://${INPUT_BUCKET}/photos/
  echo s3://${INPUT_BUCKET}/photos/photo.jpg | ${s3} cp - s3://${INPUT_BUCKET}/lists/one.txt   # starts a job
  ${s3} ls s3://${OUTPUT_BUCKET}/ --recursive

The buckets are folders: ${path.join(home, UPLOAD_BUCKET)}, ${path.join(home, INPUT_BUCKET)}, ${out}
Job files: ${jobFiles}
Log: ${log}
Press Ctrl-C to stop.`;
}
