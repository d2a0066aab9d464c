import { isImageResult } from '../core/final-results.ts';
import type { ImageResult } from '../core/image-result.ts';
import { jobKeys } from '../core/job-keys.ts';
import { textLines } from '../core/lines.ts';
import type { ObjectSummary } from '../core/object-store.ts';
import { readJsonLines } from '../store/json-lines.ts';
import { jobFile, type ReportHost } from './report-host.ts';

/** How many batches are loaded ahead of the one that is counted, and up to which size one is held in memory. */
const BATCHES_AHEAD = 24;
const MAX_BYTES_IN_MEMORY = 2_000_000;

/** The results of a job, batch by batch; those of a batch can be read more than once. */
export async function* readResults(jobId: string, host: ReportHost) {
  const pending: ReturnType<typeof loadBatch>[] = [];
  for await (const batch of resultFiles(jobId, host)) {
    const loading = loadBatch(batch, host);
    loading.catch(() => {}); // thrown below, when its turn comes
    pending.push(loading);
    const first = pending.length > BATCHES_AHEAD ? pending.shift() : undefined;
    if (first) yield await first;
  }
  for (const loading of pending) yield await loading;
}

type ResultFiles = Readonly<{ batchId: string; files: ObjectSummary[] }>;

/** The result files of each batch. One listing names them all, those of one batch in sequence. */
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

async function loadBatch({ batchId, files }: ResultFiles, host: ReportHost) {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MAX_BYTES_IN_MEMORY)
    return { batchId, results: { [Symbol.asyncIterator]: () => streamResults(files, host) } };
  const bodies = await Promise.all(files.map(({ key }) => host.store.get(jobFile(host, key))));
  const results = bodies
    .flatMap((object) => (object && object !== 'not-modified' ? textLines(object.body) : []))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
    .filter(isImageResult);
  return { batchId, results };
}

async function* streamResults(files: ResultFiles['files'], host: ReportHost): AsyncGenerator<ImageResult> {
  for (const { key } of files) {
    for await (const value of readJsonLines<unknown>(host.store, jobFile(host, key)))
      if (isImageResult(value)) yield value;
  }
}
