import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Context } from 'aws-lambda';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Server, startS3Server } from '../../local/s3/s3-server.ts';
import type { BatchRef } from '../../src/core/job.ts';

const IMAGES = 12;
let folder: string;
let s3: S3Server;
/** The handlers read their environment, so they are loaded when it is set. */
let handlers: Awaited<ReturnType<typeof loadHandlers>>;

async function loadHandlers() {
  const [plan, compress, report] = await Promise.all([
    import('../../functions/plan-job.ts'),
    import('../../functions/compress-batch.ts'),
    import('../../functions/report-job.ts'),
  ]);
  return { plan: plan.handler, compress: compress.handler, report: report.handler };
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'image-press-handlers-'));
  const place = (name: string) => ({
    folder: path.join(folder, name),
    state: path.join(folder, `${name}-state`),
  });
  await mkdir(path.join(folder, 'pictures'));
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  const picture = sharp({ create: { width: 160, height: 120, channels: 3, background: 'grey', noise } }).jpeg({
    quality: 95,
  });
  for (let n = 0; n < IMAGES; n++) await picture.clone().toFile(path.join(folder, `pictures/${n}.jpg`));
  s3 = await startS3Server({ buckets: { pictures: place('pictures'), work: place('work') } });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    WORK_BUCKET: 'work',
    OUTPUT_BUCKET: 'work',
  });
  handlers = await loadHandlers();
});

afterAll(async () => {
  await s3?.close();
  await rm(folder, { recursive: true, force: true });
});

function contextWith(remainingMs: number): Context {
  return { memoryLimitInMB: '1769', getRemainingTimeInMillis: () => remainingMs } as Context;
}

async function plan(jobId: string): Promise<BatchRef> {
  const event = { jobId, startedAt: '2026-01-01T00:00:00.000Z', input: { fileList: 's3://pictures/' } };
  await handlers.plan(event, contextWith(900_000));
  return JSON.parse(await readFile(path.join(folder, 'work/jobs', jobId, 'batches.jsonl'), 'utf8'));
}

describe('the handlers of a job', () => {
  it('hand back what they had no time for, and finish it at the next call', async () => {
    const batch = await plan('short-of-time');
    const first = await handlers.compress(batch, contextWith(0));
    expect(first.remaining).toBeGreaterThan(0);
    const second = await handlers.compress(batch, contextWith(900_000));
    expect(second).toMatchObject({ compressed: IMAGES, failed: 0, remaining: 0 });
    const event = { jobId: 'short-of-time', startedAt: '2026-01-01T00:00:00.000Z', executionState: {} };
    const report = await handlers.report(event, contextWith(900_000));
    expect(report).toMatchObject({ status: 'SUCCEEDED', planned: IMAGES, compressed: IMAGES, lost: 0 });
  });

  it.each([
    'executionState',
    'course',
  ])('report a job whose map failed with the error of the state machine, passed as %s', async (field) => {
    await plan(`map-failed-${field}`);
    const failure = { Error: 'States.ItemReaderFailed', Cause: 'no such file' };
    const state = { [field]: { failure } };
    const event = { jobId: `map-failed-${field}`, startedAt: '2026-01-01T00:00:00.000Z', ...state };
    const report = await handlers.report(event, contextWith(900_000));
    expect(report).toMatchObject({ status: 'FAILED', lost: IMAGES });
    expect(report.cause).toContain('States.ItemReaderFailed');
  });

  it('name a missing environment variable', async () => {
    const { WORK_BUCKET } = process.env;
    delete process.env.WORK_BUCKET;
    try {
      const event = {
        jobId: 'a',
        startedAt: '2026-01-01T00:00:00.000Z',
        input: { fileList: 's3://pictures/' },
      };
      await expect(handlers.plan(event, contextWith(900_000))).rejects.toThrow(
        'Expected the environment variable WORK_BUCKET, but it is not set',
      );
    } finally {
      process.env.WORK_BUCKET = WORK_BUCKET;
    }
  });
});
