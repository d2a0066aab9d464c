import { hash } from 'node:crypto';
import { compressBatch } from '../compress/compress-batch.ts';
import type { BatchHost } from '../compress/open-batch.ts';
import type { BatchRef } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { safeBatchId } from '../core/plan.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { readFileList } from '../file-list/read-file-list.ts';
import { planJob } from '../plan/plan-job.ts';
import { type ReportSummary, reportJob } from '../report/report-job.ts';
import { createListingBackoff } from '../store/absent-keys-cache.ts';
import { readJsonLines } from '../store/json-lines.ts';
import { EnvironmentError, type MkBatch, mkJobInput } from './mk-environment.ts';

export interface MkHost extends Omit<BatchHost, 'workBucket'> {
  /** ISO 8601, when the container started: restarts inside it continue the same job. */
  readonly startedAt: string;
  readonly now: () => Date;
}

/**
 * Compresses one batch of a batch map, as a job of its own whose files are in the output bucket: plan, compress and
 * report as in any other job. @returns undefined when the time is up first.
 * @throws EnvironmentError when the list has no such batch; FileListError, PlanError, ObjectStoreError
 */
export async function compressMkBatch(mk: MkBatch, host: MkHost): Promise<ReportSummary | undefined> {
  const jobId = mkJobId(mk, host.startedAt);
  const workBucket = mk.outputBucket;
  const batches = { bucket: workBucket, key: jobKeys.batches(jobId) };
  if (!(await host.store.head(batches))) await planMkBatch(mk, jobId, host);
  const batchHost = { listingBackoff: createListingBackoff(), ...host, workBucket };
  for await (const ref of readJsonLines<BatchRef>(host.store, batches)) {
    const { remaining } = await compressBatch(ref, batchHost);
    if (remaining > 0) return undefined;
  }
  const { store, now, startedAt } = host;
  return reportJob({ jobId, startedAt }, { store, workBucket, jobFiles: `s3://${workBucket}/`, now });
}

/** `mindkosh-batch_1-b58a3ed1-20261121T100000000Z`: distinct by batch and by start, so that parallel containers never share a job. */
function mkJobId({ batch }: MkBatch, startedAt: string): string {
  const time = startedAt.replace(/[-:.]/g, '');
  const exact = hash('sha256', batch).slice(0, 8);
  return `mindkosh-${safeBatchId(batch).slice(0, 40)}-${exact}-${time}`;
}

async function planMkBatch(mk: MkBatch, jobId: string, { store, startedAt }: MkHost): Promise<void> {
  const list = { bucket: mk.outputBucket, key: `jobs/${jobId}/list.jsonl` };
  await store.upload(list, entriesOfBatch(mk, store), 'application/jsonl');
  const input = mkJobInput(mk, formatS3Uri(list));
  const context = { store, workBucket: mk.outputBucket, defaultOutput: mk.output };
  await planJob({ jobId, startedAt, input }, context);
}

/** The entries of the one batch, as a list of their own. */
async function* entriesOfBatch({ batch, fileList }: MkBatch, store: ObjectStore): AsyncGenerator<string> {
  const others = new Set<string>();
  let found = 0;
  for await (const entries of readFileList({ fileList, relativeTo: null, select: EVERYTHING }, store)) {
    for (const entry of entries) {
      if (entry.batch !== batch) {
        if (entry.batch !== undefined && others.size < MAX_NAMED) others.add(entry.batch);
        continue;
      }
      found += 1;
      const { bucket, key, size, etag } = entry;
      yield `${JSON.stringify({ bucket, key, size, etag })}\n`;
    }
  }
  if (found > 0) return;
  const instead = others.size > 0 ? `it has images in ${[...others].join(', ')}` : 'it is not a batch map';
  throw new EnvironmentError([
    `Expected images in the batch BATCH_JOB_KEY names, "${batch}", in ${fileList}, but ${instead}`,
  ]);
}

const MAX_NAMED = 10;
const EVERYTHING = { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null };
