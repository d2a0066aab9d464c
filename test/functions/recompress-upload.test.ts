import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Context, SQSEvent } from 'aws-lambda';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { startS3Server } from '../../local/s3/s3-server.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { messageFor, uploadEvent } from '../support/upload-bucket.ts';

const context = {
  functionName: 'recompress-upload',
  memoryLimitInMB: '1769',
  awsRequestId: 'request-1',
  getRemainingTimeInMillis: () => 300_000,
} as unknown as Context;

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

async function openFunction(settings = '') {
  const root = await mkdtemp(path.join(os.tmpdir(), 'function-'));
  const server = await startS3Server({
    buckets: { uploads: { folder: path.join(root, 'uploads'), state: path.join(root, 'state') } },
  });
  onTestFinished(async () => {
    await server.close();
    await rm(root, { recursive: true });
  });
  vi.stubEnv('AWS_ENDPOINT_URL_S3', server.endpoint);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  vi.stubEnv('UPLOAD_SETTINGS', settings);
  vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'image-press-dev-recompress-upload');
  vi.resetModules();
  const { handler } = await import('../../functions/recompress-upload.ts');
  return { handler, store: createS3Store(createS3Client()) };
}

/** The lines that the function logs. */
function captureLog(): string[] {
  const lines: string[] = [];
  const take = (text: string | Uint8Array) => {
    lines.push(...String(text).split('\n'));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  return lines;
}

test('an upload event leaves a smaller picture, an answer without failures and one set of metrics', async () => {
  const lines = captureLog();
  const { handler, store } = await openFunction();
  const photo = await makeJpeg({ width: 640, height: 480, quality: 90 });
  const image = { bucket: 'uploads', key: 'a b/photo.jpg' };
  await store.put(image, photo, { attributes: { contentType: 'image/jpeg' } });
  const event = { Records: [messageFor(uploadEvent(image)), messageFor('hello', { id: 'm2' })] };
  const answer = await handler(event as unknown as SQSEvent, context);
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'm2' }] });
  expect((await store.head(image))!.size).toBeLessThan(photo.length);
  const metrics = lines.filter((line) => line.includes('"CloudWatchMetrics"')).map((line) => JSON.parse(line));
  expect(metrics).toHaveLength(1);
  expect(metrics[0]).toMatchObject({
    service: 'image-press-dev-recompress-upload',
    UploadsCompressed: 1,
    UnreadableMessages: 1,
    BytesIn: photo.length,
  });
});

test('a broken image is logged with its code and the reason', async () => {
  const lines = captureLog();
  const { handler, store } = await openFunction();
  const photo = await makeJpeg({ width: 640, height: 480 });
  const image = { bucket: 'uploads', key: 'broken.jpg' };
  await store.put(image, photo.subarray(0, photo.length / 2));
  const event = { Records: [messageFor(uploadEvent(image))] };
  expect(await handler(event as unknown as SQSEvent, context)).toEqual({ batchItemFailures: [] });
  const logged = lines.filter((line) => /"level":"(WARN|ERROR)"/.test(line)).map((line) => JSON.parse(line));
  expect(logged).toMatchObject([
    {
      level: 'ERROR',
      message: 'upload failed',
      source: 's3://uploads/broken.jpg',
      code: 'CorruptImage',
      reason: expect.stringMatching(/\w+ \w+/),
    },
  ]);
});

test('wrong settings stop the function at its start, with their name and value', async () => {
  await expect(openFunction('{"encoding":{"quality":700}}')).rejects.toThrow(
    "'encoding.quality' must be 1 to 100, '700' given",
  );
});
