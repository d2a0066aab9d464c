import { randomUUID } from 'node:crypto';
import type { Journal } from './core/batch-journal.ts';
import type { ImageResult } from './core/image-result.ts';
import type { BatchRef } from './core/job.ts';
import { jobKeys } from './core/job-keys.ts';
import type { ObjectStore } from './core/object-store.ts';

const LINES_PER_PART = 100;
const SECONDS_PER_PART = 15;

/** Writes the results of one host's call, part by part: what a host that dies has not yet written, the marks on its outputs tell. */
export interface ResultLog {
  add(result: ImageResult): Promise<void>;
  flush(): Promise<void>;
}

export function openResultLog(store: ObjectStore, bucket: string, ref: BatchRef, attempt: number): ResultLog {
  const run = `${String(attempt).padStart(3, '0')}-${randomUUID().slice(0, 8)}`;
  let lines: string[] = [];
  let parts = 0;
  let since = performance.now();
  let writing = Promise.resolve();

  const flush = () => {
    if (lines.length === 0) return writing;
    const body = Buffer.from(`${lines.join('\n')}\n`);
    const name = `${run}-${String(parts++).padStart(5, '0')}.jsonl`;
    lines = [];
    since = performance.now();
    writing = writing.then(async () => {
      const key = jobKeys.batchResults(ref.jobId, ref.batchId) + name;
      await store.put({ bucket, key }, body, { attributes: { contentType: 'application/jsonl' } });
    });
    return writing;
  };
  const add = async (result: ImageResult) => {
    lines.push(JSON.stringify(result));
    if (lines.length >= LINES_PER_PART || performance.now() - since > SECONDS_PER_PART * 1000) await flush();
  };
  return { add, flush };
}

export async function writeJournal(
  store: ObjectStore,
  bucket: string,
  ref: BatchRef,
  journal: Journal,
): Promise<void> {
  await store.put({ bucket, key: journalKey(ref) }, Buffer.from(JSON.stringify(journal)));
}

export function journalKey(ref: BatchRef): string {
  return `${jobKeys.batchResults(ref.jobId, ref.batchId)}journal.json`;
}
