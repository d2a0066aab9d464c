import { availableParallelism, totalmem } from 'node:os';
import { compressBatch } from '../src/compress/compress-batch.ts';
import type { BatchRef } from '../src/core/job.ts';
import { log, logUnlessExpected } from '../src/hosts/log.ts';
import { compressMkBatch } from '../src/mindkosh/mk-batch.ts';
import { EnvironmentError, type MkBatch } from '../src/mindkosh/mk-environment.ts';
import { printMkReport } from '../src/mindkosh/print-report.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';
import { readContainerEnvironment } from './read-container-environment.ts';
import { EXIT } from './supervise.ts';

/** Runs the task that the container's environment names. @returns the exit code */
export async function work(environment: NodeJS.ProcessEnv, closing: AbortSignal): Promise<number> {
  try {
    const task = readContainerEnvironment(environment);
    return task.contract === 'image-press'
      ? await compressForJob(task.ref, task.workBucket, closing)
      : await compressForMindkosh(task.mk, closing, environment.CONTAINER_STARTED_AT);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    for (const problem of error.problems) console.error(problem);
    return EXIT.wrongEnvironment;
  }
}

async function compressForJob(ref: BatchRef, workBucket: string, closing: AbortSignal): Promise<number> {
  log.appendKeys({ jobId: ref.jobId, batchId: ref.batchId });
  const store = createS3Store(createS3Client());
  try {
    const summary = await compressBatch(ref, { store, workBucket, log, closing, ...hostLimits() });
    log.info(summary.remaining > 0 ? 'batch handed back' : 'batch done', { summary });
    return summary.remaining > 0 ? EXIT.callAgain : EXIT.done;
  } catch (error) {
    log.error('the batch could not be compressed', error as Error);
    return EXIT.failed;
  }
}

async function compressForMindkosh(mk: MkBatch, closing: AbortSignal, startedAt = new Date().toISOString()) {
  const store = createS3Store(createS3Client({ region: mk.region }));
  const host = { store, closing, startedAt, now: () => new Date(), log, ...hostLimits() };
  try {
    const summary = await compressMkBatch(mk, host);
    if (!summary) {
      console.error(`Stopped before ${mk.batch} was done: start it again, finished images are not compressed twice`);
      return EXIT.callAgain;
    }
    await printMkReport(summary, mk, store);
    return summary.failed + summary.lost > 0 ? EXIT.failed : EXIT.done;
  } catch (error) {
    if (error instanceof EnvironmentError) throw error;
    logUnlessExpected(error);
    console.error(`${mk.batch} could not be compressed: ${(error as Error).message}`);
    return EXIT.jobFailed;
  }
}

/** What Node, the SDK, the supervisor and libvips use before the first image. */
const OWN_BYTES = 256 * 1024 * 1024;
const MIN_BYTES = 64 * 1024 * 1024;

/** One image per vCPU, and two that are read or written; memory within the container's limit. */
function hostLimits(): { concurrency: number; memoryBytes: number } {
  const limit = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  return { concurrency: availableParallelism() + 2, memoryBytes: Math.max(limit - OWN_BYTES, MIN_BYTES) };
}
