import { beforeEach, describe, expect, test } from 'vitest';
import { compressBatch } from '../../src/compress/compress-batch.ts';
import type { BatchHost } from '../../src/compress/open-batch.ts';
import type { BatchRef } from '../../src/core/job.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { recompressUploads } from '../../src/uploads/recompress-upload.ts';
import { A_JOB } from '../support/a-job.ts';
import { halve } from '../support/image-jobs.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { messageFor, uploadEvent, uploadHost } from '../support/upload-bucket.ts';

const KEYS = ['a.jpg', 'b.jpg', 'c.jpg'];

let store: MemoryStore;
let lines: { message: string; details: { error: Error } }[];

beforeEach(() => {
  store = createMemoryStore();
  lines = [];
});

function host(changes: Partial<BatchHost>): BatchHost {
  return {
    store,
    workBucket: 'work',
    concurrency: 2,
    closing: new AbortController().signal,
    memoryBytes: 1e9,
    log: { error: (message, ...[details]) => void lines.push({ message, details } as never) },
    ...changes,
  };
}

async function planned(): Promise<BatchRef> {
  const images = KEYS.map((key, n) => JSON.stringify({ bucket: 'in', key, n })).join('\n');
  store.seed(`s3://work/${jobKeys.job('job-1')}`, JSON.stringify(A_JOB));
  store.seed(`s3://work/${jobKeys.images('job-1')}`, images);
  for (const key of KEYS) store.seed(`s3://in/${key}`, `${key} of ${'x'.repeat(40)}`);
  const range = { start: 0, end: images.length - 1, count: KEYS.length, bytes: 0 };
  return { jobId: 'job-1', batchId: 'batch_1', bucket: 'work', host: 'lambda', ...range };
}

function bug(): TypeError {
  return new TypeError('x is not a function', { cause: new Error('the cause') });
}

/** The codec with a bug that only b.jpg meets. */
const brokenCodecs: [string, BatchHost['compress']][] = [
  [
    'thrown by the codec',
    async (bytes, settings) => {
      if (Buffer.from(bytes).toString().startsWith('b.jpg')) throw bug();
      return halve(bytes, settings);
    },
  ],
  [
    'returned by the codec as a failure with its cause',
    async (bytes, settings) => {
      if (!Buffer.from(bytes).toString().startsWith('b.jpg')) return halve(bytes, settings);
      const cause = bug();
      return { status: 'failed', code: 'Unexpected', message: cause.message, cause };
    },
  ],
];

describe.each(brokenCodecs)('a bug of ours during one image, %s', (_title, compress) => {
  test('fails that image only, and its stack is logged once with image, job and batch', async () => {
    const summary = await compressBatch(await planned(), host({ compress }));
    expect(summary).toMatchObject({ compressed: 2, failed: 1, remaining: 0 });
    expect(lines).toMatchObject([
      {
        message: 'unexpected error',
        details: { jobId: 'job-1', batchId: 'batch_1', source: 's3://in/b.jpg', key: 'b.jpg' },
      },
    ]);
    const { error } = lines[0]?.details ?? {};
    expect(error?.stack).toContain('unexpected-error.test.ts');
    expect(error?.cause).toMatchObject({ message: 'the cause' });
  });

  test('is reported with its message, without the stack', async () => {
    await compressBatch(await planned(), host({ compress }));
    const written = store.uris().filter((uri) => uri.startsWith('s3://work/jobs/job-1/results/'));
    const results = written.map((uri) => store.text(uri)).join('');
    expect(results).toContain('"message":"Unexpected error: x is not a function"');
    expect(results).not.toMatch(/stack|cause|unexpected-error\.test\.ts/);
  });

  test('sends an upload back to the queue, and its stack is logged once', async () => {
    store.seed('s3://uploads/b.jpg', `b.jpg of ${'x'.repeat(40)}`);
    const upload = uploadHost({ store, compress });
    const Records = [messageFor(uploadEvent({ bucket: 'uploads', key: 'b.jpg' }))];
    const answer = await recompressUploads({ Records }, upload.host);
    expect(answer.batchItemFailures).toHaveLength(1);
    const withStack = upload.lines.filter(({ details }) => 'error' in details);
    expect(withStack).toMatchObject([{ message: 'unexpected error', details: { key: 'b.jpg' } }]);
    const others = upload.lines.filter(({ message }) => message !== 'unexpected error');
    expect(others.map(({ details }) => details)).toMatchObject([
      { status: 'failed', reason: 'Unexpected error: x is not a function' },
      { status: 'failed', reason: 'Unexpected error: x is not a function' },
    ]);
    expect(others.some(({ details }) => 'cause' in details)).toBe(false);
  });
});
