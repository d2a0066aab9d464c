import sharp from 'sharp';
import { beforeEach, describe, expect, it } from 'vitest';
import { compressBatch } from '../src/compress-batch.ts';
import type { ImageResult } from '../src/core/image-result.ts';
import { type BatchRef, DEFAULT_COMPRESSION, type Job, type PlannedImage } from '../src/core/job.ts';
import { jobKeys } from '../src/core/job-keys.ts';
import type { ObjectStore } from '../src/core/object-store.ts';
import { createMemoryStore } from './memory-store.ts';

const photo = await sharp({
  create: {
    width: 160,
    height: 120,
    channels: 3,
    background: '#888',
    noise: { type: 'gaussian', mean: 120, sigma: 40 },
  },
})
  .jpeg({ quality: 97 })
  .toBuffer();

const job: Job = {
  jobId: 'job-1',
  fileList: 's3://in/list.json',
  output: 's3://out/',
  relativeTo: null,
  layout: 'mirror',
  suffixes: [],
  compression: DEFAULT_COMPRESSION,
  images: { perBatch: 200, perBatchBytes: null, fargateAbove: 2000, fargateAboveBytes: 5e9 },
  limits: { maxObjects: null, maxBytes: null },
  select: { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null },
  copyKept: true,
  toleratedFailurePercentage: 10,
  dryRun: false,
  resume: null,
  backup: null,
  force: false,
  startedAt: '2026-01-01T00:00:00.000Z',
};

let store: ObjectStore;
const work = 'work';
const host = (changes: object = {}) => ({
  store,
  workBucket: work,
  concurrency: 3,
  closing: new AbortController().signal,
  memoryBytes: 1e9,
  ...changes,
});

async function planned(
  keys: readonly string[],
  changes: readonly Partial<PlannedImage>[] = [],
): Promise<BatchRef> {
  const lines = keys.map((key, n) => JSON.stringify({ bucket: 'in', key, n, ...changes[n] }));
  const text = lines.join('\n');
  await store.put({ bucket: work, key: jobKeys.job('job-1') }, Buffer.from(JSON.stringify(job)));
  await store.put({ bucket: work, key: jobKeys.images('job-1') }, Buffer.from(text));
  return {
    jobId: 'job-1',
    batchId: 'batch_1',
    bucket: work,
    start: 0,
    end: Buffer.byteLength(text) - 1,
    count: keys.length,
    bytes: 0,
    host: 'lambda',
  };
}

async function results(): Promise<ImageResult[]> {
  const found: ImageResult[] = [];
  for await (const { key } of store.list(work, jobKeys.batchResults('job-1', 'batch_1'))) {
    if (!key.endsWith('.jsonl')) continue;
    const object = await store.get({ bucket: work, key });
    if (!object || object === 'not-modified') continue;
    for (const line of Buffer.from(object.body).toString().trim().split('\n')) found.push(JSON.parse(line));
  }
  return found.sort((a, b) => a.index - b.index);
}

/** A store whose host dies (its calls never come back) when `key` is read. */
function dyingAt(key: string): { store: ObjectStore; died: Promise<void> } {
  let tell = () => {};
  const died = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const never = new Promise<never>(() => {});
  let dead = false;
  const mortal = new Proxy(store, {
    get:
      (target, name) =>
      (...args: [{ key: string }, ...unknown[]]) => {
        if (name === 'get' && args[0].key === key) {
          dead = true;
          tell();
        }
        if (dead)
          return name === 'list' || name === 'read'
            ? (async function* () {
                yield await never;
              })()
            : never;
        return Reflect.apply(Reflect.get(target, name), target, args);
      },
  });
  return { store: mortal, died };
}

beforeEach(() => {
  store = createMemoryStore();
});

describe('compressBatch', () => {
  it('accounts for every image and reports each failure by name', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    await store.put({ bucket: 'in', key: 'b.jpg' }, photo.subarray(0, photo.length / 2));
    await store.put({ bucket: 'in', key: 'c.png' }, Buffer.from('<html>'));
    const summary = await compressBatch(await planned(['a.jpg', 'b.jpg', 'c.png', 'gone.jpg']), host());
    expect(summary).toMatchObject({ compressed: 1, skipped: 1, failed: 2, remaining: 0 });
    expect(
      (await results()).map(({ source, status, ...rest }) => [
        source,
        status,
        'code' in rest ? rest.code : '',
      ]),
    ).toEqual([
      ['s3://in/a.jpg', 'compressed', ''],
      ['s3://in/b.jpg', 'failed', 'CorruptImage'],
      ['s3://in/c.png', 'skipped', ''],
      ['s3://in/gone.jpg', 'failed', 'NotFound'],
    ]);
  });

  it('only accounts for an entry that names an object again', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    const summary = await compressBatch(await planned(['a.jpg', 'a.jpg'], [{}, { duplicateOf: 0 }]), host());
    expect(summary).toMatchObject({ compressed: 1, skipped: 1, remaining: 0 });
  });

  it('hands back what remains when its time is up, and goes on from there', async () => {
    const keys = Array.from({ length: 12 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, photo);
    const ref = await planned(keys);
    const closing = new AbortController();
    let reads = 0;
    const watched = new Proxy(store, {
      get:
        (target, name) =>
        (...args: [{ bucket: string }]) => {
          if (name === 'get' && args[0].bucket === 'in' && ++reads === 4) closing.abort();
          return Reflect.apply(Reflect.get(target, name), target, args);
        },
    });
    const first = await compressBatch(ref, host({ store: watched, closing: closing.signal, concurrency: 2 }));
    expect(first.remaining).toBeGreaterThan(0);
    expect(first.compressed + first.remaining).toBe(12);
    const second = await compressBatch(ref, host());
    expect(second).toMatchObject({ compressed: 12, remaining: 0 });
    expect((await results()).map(({ index }) => index)).toEqual(keys.map((_, n) => n));
  });

  it('finds the image that kills its hosts, and does the rest of the batch', async () => {
    const keys = ['a.jpg', 'b.jpg', 'poison.jpg', 'c.jpg', 'd.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, photo);
    const ref = await planned(keys);
    for (let death = 0; death < 3; death++) {
      const mortal = dyingAt('poison.jpg');
      void compressBatch(ref, host({ store: mortal.store }));
      await mortal.died;
    }
    const summary = await compressBatch(ref, host());
    expect(summary).toMatchObject({ failed: 1, remaining: 0 });
    expect(summary.compressed).toBe(4);
    const all = await results();
    expect(all.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(all[2]).toMatchObject({ source: 's3://in/poison.jpg', status: 'failed', code: 'EncoderCrash' });
  });

  it('says what is missing when the papers of the job are gone', async () => {
    const ref = await planned(['a.jpg']);
    await expect(compressBatch({ ...ref, jobId: 'other' }, host())).rejects.toThrow(
      's3://work/jobs/other/job.json',
    );
  });
});
