import type { ImageResult, Outcome } from '../../src/core/image-result.ts';
import type { BatchRef, Job, PlannedImage } from '../../src/core/job.ts';
import { A_JOB } from './a-job.ts';
import type { MemoryStore } from './memory-store.ts';

export const JOB_ID = 'holiday-photos';
export const JOB_FILES = `s3://work/jobs/${JOB_ID}`;

export const JOB: Job = {
  ...A_JOB,
  jobId: JOB_ID,
  fileList: 's3://in/lists/photos.json',
  output: 's3://out/compressed/',
  startedAt: '2026-11-21T10:00:00.000Z',
};

/** Writes job.json, images.jsonl and batches.jsonl for batches of the given keys, as PlanJob does. */
export function seedPlan(
  store: MemoryStore,
  batches: Record<string, readonly string[]>,
  job: Job = JOB,
): Map<string, PlannedImage> {
  const images = new Map<string, PlannedImage>();
  const refs: BatchRef[] = [];
  let lines = '';
  for (const [batchId, keys] of Object.entries(batches)) {
    const start = Buffer.byteLength(lines);
    for (const key of keys) {
      const image = { n: images.size, bucket: 'in', key };
      images.set(key, image);
      lines += `${JSON.stringify(image)}\n`;
    }
    refs.push({
      jobId: JOB_ID,
      batchId,
      bucket: 'work',
      start,
      end: Buffer.byteLength(lines) - 1,
      count: keys.length,
      bytes: 0,
      host: 'lambda',
    });
  }
  store.seed(`${JOB_FILES}/job.json`, JSON.stringify(job));
  store.seed(`${JOB_FILES}/images.jsonl`, lines);
  store.seed(`${JOB_FILES}/batches.jsonl`, jsonLines(refs));
  return images;
}

export function seedResults(store: MemoryStore, batchId: string, part: string, results: readonly ImageResult[]) {
  store.seed(`${JOB_FILES}/results/${batchId}/${part}.jsonl`, jsonLines(results));
}

export function resultOf(image: PlannedImage, outcome: Outcome, batchId = 'one'): ImageResult {
  return { index: image.n, batchId, source: `s3://${image.bucket}/${image.key}`, ...outcome };
}

export function compressed(bytesIn: number, bytesOut: number, key = 'x.jpg'): Outcome {
  const encoding = { format: 'jpeg', lossless: false } as const;
  return { status: 'compressed', output: `s3://out/compressed/${key}`, bytesIn, bytesOut, encoding };
}

export function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
