import { availableParallelism, totalmem } from 'node:os';
import { compressBatch } from '../src/compress/compress-batch.ts';
import type { BatchRef } from '../src/core/job.ts';
import { log } from '../src/hosts/log.ts';
import { compressMkBatch } from '../src/mindkosh/mk-batch.ts';
import { EnvironmentError } from '../src/mindkosh/mk-environment.ts';
import { printMkReport } from '../src/mindkosh/print-report.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';
import { type ContainerTask, readContainerEnvironment } from './read-container-environment.ts';
import { EXIT } from './supervise.ts';

/** What the container was started for, from its environment to an exit code. */
export async function work(environment: NodeJS.ProcessEnv, closing: AbortSignal): Promise<number> {
  try {
    const task = readContainerEnvironment(environment);
    return await carryOut(task, { closing, startedAt: environment.CONTAINER_STARTED_AT });
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    for (const problem of error.problems) console.error(problem);
    return EXIT.wrongEnvironment;
  }
}

interface Run {
  readonly closing: AbortSignal;
  readonly startedAt: string | undefined;
}

function carryOut(task: ContainerTask, run: Run): Promise<number> {
  return task.contract === 'image-press'
    ? carryOutBatch(task.ref, task.workBucket, run)
    : carryOutMkBatch(task, run);
}

async function carryOutBatch(ref: BatchRef, workBucket: string, { closing }: Run): Promise<number> {
  log.appendKeys({ jobId: ref.jobId, batchId: ref.batchId });
  const store = createS3Store(createS3Client());
  try {
    const summary = await compressBatch(ref, { store, workBucket, closing, ...room() });
    log.info(summary.remaining > 0 ? 'batch handed back' : 'batch done', { summary });
    return summary.remaining > 0 ? EXIT.callAgain : EXIT.done;
  } catch (error) {
    log.error('the job’s files could not be read or written', error as Error);
    return EXIT.failed;
  }
}

async function carryOutMkBatch(
  { mk }: Extract<ContainerTask, { contract: 'mindkosh' }>,
  { closing, startedAt }: Run,
): Promise<number> {
  const store = createS3Store(createS3Client({ region: mk.region }));
  const now = () => new Date();
  const host = { store, closing, startedAt: startedAt ?? now().toISOString(), now, ...room() };
  try {
    const summary = await compressMkBatch(mk, host);
    if (!summary) {
      console.error(
        `Stopped before ${mk.batch} was done: start it again, finished images are not compressed twice`,
      );
      return EXIT.callAgain;
    }
    await printMkReport(summary, mk, store);
    return summary.failed + summary.lost > 0 ? EXIT.failed : EXIT.done;
  } catch (error) {
    if (error instanceof EnvironmentError) throw error;
    console.error(`${mk.batch} could not be compressed: ${(error as Error).message}`);
    return EXIT.jobFailed;
  }
}

/** What node, the SDK, the supervisor and libvips take before the first image. */
const OWN_BYTES = 256 * 1024 * 1024;
const LEAST_BYTES = 64 * 1024 * 1024;

/** One image per vCPU, and two more on their way from and to S3; memory as far as the container's limit allows. */
function room(): { concurrency: number; memoryBytes: number } {
  const limit = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  return { concurrency: availableParallelism() + 2, memoryBytes: Math.max(limit - OWN_BYTES, LEAST_BYTES) };
}
