import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../fargate/supervise.ts';
import type { ImageResult } from '../../src/core/image-result.ts';
import type { BatchRef } from '../../src/core/job.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { planJob } from '../../src/plan/plan-job.ts';
import { readJsonLines } from '../../src/store/json-lines.ts';
import { startWorld, type World } from '../support/container.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { temporaryFolder } from '../support/served-bucket.ts';

const JOB_ID = 'a-job';

/** Plans a job of one batch over these keys of the bucket `the-in`. */
async function planOneBatch({ store, put }: World, keys: readonly string[]): Promise<BatchRef> {
  await put('s3://the-in/list.json', JSON.stringify(keys.map((key) => `s3://the-in/${key}`)));
  const input = { fileList: 's3://the-in/list.json', encoding: { effort: 'fast' } };
  const context = { store, workBucket: 'the-out', defaultOutput: 's3://the-out/compressed/' };
  await planJob({ jobId: JOB_ID, startedAt: '2026-11-21T10:00:00Z', input }, context);
  for await (const ref of readJsonLines<BatchRef>(store, { bucket: 'the-out', key: jobKeys.batches(JOB_ID) }))
    return ref;
  throw new Error('No batch was planned');
}

async function resultsOf({ store }: World): Promise<ImageResult[]> {
  const results: ImageResult[] = [];
  for await (const { key } of store.list('the-out', jobKeys.results(JOB_ID))) {
    if (!key.endsWith('.jsonl')) continue;
    for await (const result of readJsonLines<ImageResult>(store, { bucket: 'the-out', key })) results.push(result);
  }
  return results.sort((a, b) => a.index - b.index);
}

const variablesOf = (ref: BatchRef) => ({ JOB_BUCKET: 'the-out', BATCH_REF: JSON.stringify(ref) });

describe('the container, started by the state machine', () => {
  it('compresses its batch and exits with 0, also when an image is broken', async () => {
    const world = await startWorld();
    const photograph = await makeJpeg({ width: 200, height: 150, quality: 96 });
    await world.put('s3://the-in/a.jpg', photograph);
    await world.put('s3://the-in/b c+d.jpg', photograph.subarray(0, 2000));
    const ref = await planOneBatch(world, ['a.jpg', 'b c+d.jpg', 'gone.jpg']);
    const container = world.start(variablesOf(ref));
    expect(await container.exit, container.text()).toBe(EXIT.done);
    expect((await resultsOf(world)).map((result) => result.status)).toEqual(['compressed', 'failed', 'failed']);
  });

  it('finishes the images in flight at SIGTERM, and the next container continues from there', async () => {
    const world = await startWorld();
    const keys = Array.from({ length: 60 }, (_, n) => `${n}.jpg`);
    const photograph = await makeJpeg({ width: 1024, height: 768, quality: 90 });
    for (const key of keys) await world.put(`s3://the-in/${key}`, photograph);
    const ref = await planOneBatch(world, keys);

    const first = world.start(variablesOf(ref));
    await firstOutput(world);
    first.process.kill('SIGTERM');
    expect(await first.exit, first.text()).toBe(EXIT.callAgain);
    const done = await resultsOf(world);
    expect(done.length).toBeGreaterThan(0);
    expect(done.length).toBeLessThan(keys.length);

    const second = world.start(variablesOf(ref));
    expect(await second.exit, second.text()).toBe(EXIT.done);
    const all = await resultsOf(world);
    expect(all.map(({ index }) => index)).toEqual(keys.map((_, n) => n));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['compressed']));
  });

  it('survives an image that crashes its worker, and compresses all others', async () => {
    const world = await startWorld();
    const photograph = await makeJpeg({ width: 120, height: 90, quality: 96 });
    const keys = ['a.jpg', 'b.jpg', 'killer.jpg', 'c.jpg', 'd.jpg'];
    for (const key of keys) await world.put(`s3://the-in/${key}`, photograph);
    const ref = await planOneBatch(world, keys);
    const NODE_OPTIONS = `--require ${await crashWhenReading('killer.jpg')}`;
    const container = world.start({ ...variablesOf(ref), NODE_OPTIONS });
    expect(await container.exit, container.text()).toBe(EXIT.done);
    const results = await resultsOf(world);
    expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(results[2]).toMatchObject({ status: 'failed', code: 'EncoderCrash' });
    expect(results.filter(({ status }) => status === 'compressed')).toHaveLength(4);
    expect(container.text()).toContain('the worker crashed and is started again');
  });

  it('ends its worker when it is killed itself, so that no batch has two hosts', async () => {
    const world = await startWorld();
    const keys = Array.from({ length: 40 }, (_, n) => `${n}.jpg`);
    const photograph = await makeJpeg({ width: 1024, height: 768, quality: 90 });
    for (const key of keys) await world.put(`s3://the-in/${key}`, photograph);
    const container = world.start(variablesOf(await planOneBatch(world, keys)));
    await firstOutput(world);
    container.process.kill('SIGKILL');
    // `close` is emitted only when the worker, which has the same pipes open, has ended, too.
    await container.exit;
    const after = await countOutputs(world);
    await sleep(300);
    expect(await countOutputs(world)).toBe(after);
    expect(after).toBeLessThan(keys.length);
  });

  it('exits with 2 and names what is missing, without a stack trace', async () => {
    const container = (await startWorld()).start({ BATCH_JOB_KEY: 'batch_1' });
    expect(await container.exit).toBe(EXIT.wrongEnvironment);
    expect(container.text()).toContain('Expected OUT_BUCKET, the bucket for compressed images, but it is not set');
    expect(container.text()).not.toMatch(/^\s+at /m);
  });
});

describe("the container under Mindkosh's contract", () => {
  const VARIABLES = {
    BATCH_JOB_KEY: 'batch_2',
    IN_BUCKET: 'the-in',
    JSON_LOCATION: 'config/files.json',
    OUT_BUCKET: 'the-out',
    OUT_KEY: 'small',
    DIVIDE_CAMERA_WISE: 'true',
  };

  it('compresses its batch, prints a line for each failure and exits with 1', async () => {
    const world = await startWorld();
    const photograph = await makeJpeg({ width: 320, height: 240, quality: 97 });
    const list = {
      batch_1: ['s3://the-in/x.jpg'],
      batch_2: ['s3://the-in/7_left.jpg', 's3://the-in/8_front.jpg'],
    };
    await world.put('s3://the-in/config/files.json', JSON.stringify(list));
    await world.put('s3://the-in/7_left.jpg', photograph);
    await world.put('s3://the-in/8_front.jpg', photograph.subarray(0, photograph.length / 2));
    const container = world.start(VARIABLES);
    expect(await container.exit, container.text()).toBe(EXIT.failed);
    expect(container.text()).toMatch(/^FAILED s3:\/\/the-in\/8_front\.jpg: CorruptImage: /m);
    expect(container.text()).toMatch(/^batch_2: compressed 1 of 2 images, kept 0, skipped 0, failed 1;/m);
    const output = await world.get('s3://the-out/small/left/7_left.jpg');
    expect(output!.length).toBeLessThan(photograph.length / 2);
  });

  it('exits with 3 when there is no such list', async () => {
    const world = await startWorld();
    const container = world.start(VARIABLES);
    expect(await container.exit).toBe(EXIT.jobFailed);
    expect(container.text()).toContain('Expected a file list at s3://the-in/config/files.json: no such object');
  });
});

async function countOutputs({ store }: World): Promise<number> {
  let count = 0;
  for await (const _ of store.list('the-out', 'compressed/')) count += 1;
  return count;
}

async function firstOutput(world: World): Promise<void> {
  while ((await countOutputs(world)) === 0) await sleep(20);
}

/** Ends the process as native code would, as soon as it reads this object. */
async function crashWhenReading(key: string): Promise<string> {
  const file = path.join(await temporaryFolder(), 'crash.cjs');
  await writeFile(
    file,
    `const http = require('node:http');
     const request = http.request;
     http.request = (...args) => {
       const { method, path = '' } = args.find((arg) => arg && arg.method) ?? {};
       if (method === 'GET' && path.includes(${JSON.stringify(`/${key}`)})) process.abort();
       return request(...args);
     };`,
  );
  return file;
}
