import { z } from 'zod';
import type { BatchRef } from '../src/core/job.ts';
import { parseJson } from '../src/core/parse-json.ts';
import { type Environment, EnvironmentError, type MkBatch, readMkEnvironment } from '../src/mindkosh/mk-environment.ts';

/** The task of a container: a batch of a job, or one under Mindkosh's contract. */
export type ContainerTask =
  | { readonly contract: 'image-press'; readonly workBucket: string; readonly ref: BatchRef }
  | { readonly contract: 'mindkosh'; readonly mk: MkBatch };

const OURS = ['JOB_BUCKET', 'BATCH_REF'];
const MINDKOSH = ['BATCH_JOB_KEY', 'IN_BUCKET', 'JSON_LOCATION', 'OUT_BUCKET', 'OUT_KEY'];

/** @throws EnvironmentError naming each variable that is missing or wrong */
export function readContainerEnvironment(environment: Environment): ContainerTask {
  const isSet = (name: string) => Boolean(environment[name]);
  if (OURS.some(isSet)) return readOurs(environment);
  if (MINDKOSH.some(isSet)) return { contract: 'mindkosh', mk: readMkEnvironment(environment) };
  throw new EnvironmentError([
    `Expected either ${OURS.join(' and ')}, as the state machine sets them, or ${MINDKOSH.join(', ')}, but none of them is set`,
  ]);
}

function readOurs({ JOB_BUCKET, BATCH_REF }: Environment): ContainerTask {
  if (!JOB_BUCKET || !BATCH_REF) {
    const missing = JOB_BUCKET ? 'BATCH_REF' : 'JOB_BUCKET';
    throw new EnvironmentError([`Expected ${OURS.join(' and ')}, but ${missing} is not set`]);
  }
  const ref = BATCH_LINE.safeParse(parseJson(BATCH_REF));
  if (ref.success) return { contract: 'image-press', workBucket: JOB_BUCKET, ref: ref.data };
  const expected = 'Expected BATCH_REF to be a line of batches.jsonl';
  throw new EnvironmentError(ref.error.issues.map(({ path, message }) => [expected, ...path, message].join(': ')));
}

const ORDINAL = z.int().min(0);
const BATCH_LINE = z.object({
  jobId: z.string().min(1),
  batchId: z.string().min(1),
  bucket: z.string().min(1),
  start: ORDINAL,
  end: ORDINAL,
  count: ORDINAL,
  bytes: z.number(),
  host: z.enum(['lambda', 'fargate']),
});
