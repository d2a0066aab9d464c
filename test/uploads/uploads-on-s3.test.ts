import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { SQSRecord } from 'aws-lambda';
import sharp from 'sharp';
import { expect, onTestFinished, test } from 'vitest';
import { createQueue, type QueueSettings } from '../../local/cloud/queue.ts';
import { startS3Server } from '../../local/s3/s3-server.ts';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { readMark } from '../../src/core/compression-mark.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { recompressUploads, type UploadHost } from '../../src/uploads/recompress-upload.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { halve } from '../support/image-jobs.ts';
import { type FaultPlan, injectFaults } from '../support/s3-faults.ts';
import { uploadHost } from '../support/upload-bucket.ts';

/** Upload bucket, notifications, queue, dead-letter queue and the function, on the local S3 server. */
async function openUploads(
  options: {
    readonly faults?: FaultPlan;
    readonly host?: Partial<UploadHost>;
    readonly queue?: Partial<QueueSettings>;
    readonly deliveries?: number;
    /** A faulty store around the real one. */
    readonly wrap?: (store: ObjectStore) => ObjectStore;
  } = {},
) {
  const root = await mkdtemp(path.join(os.tmpdir(), 'uploads-'));
  const requests: string[] = [];
  const server = await startS3Server({
    buckets: { uploads: { folder: path.join(root, 'uploads'), state: path.join(root, 'state') } },
    onEvent: (record) => {
      for (let n = 0; n < (options.deliveries ?? 1); n++) queue.send(JSON.stringify({ Records: [record] }));
    },
    beforeRequest: injectFaults((request) => {
      requests.push(`${request.method} ${request.key}`);
      return options.faults?.(request);
    }),
  });
  const client = createS3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const store = createS3Store(client);
  const { host, lines, metrics } = uploadHost({ store: options.wrap?.(store) ?? store, ...options.host });
  const deadLetters: SQSRecord[] = [];
  const queue = createQueue({
    name: 'uploads',
    invoke: (event) => recompressUploads(event, host),
    batchSize: 10,
    concurrency: 2,
    maxReceiveCount: 5,
    retryDelayMs: 20,
    onDeadLetter: (record) => void deadLetters.push(record),
    ...options.queue,
  });
  onTestFinished(async () => {
    await queue.close();
    client.destroy();
    await server.close();
    await rm(root, { recursive: true });
  });
  const at = (key: string) => ({ bucket: 'uploads', key });
  const upload = (key: string, body: Uint8Array | string = 'x'.repeat(1000)) =>
    store.put(at(key), Buffer.from(body as string), { attributes: { contentType: 'image/jpeg' } });
  const sizeOf = async (key: string) => (await store.head(at(key)))?.size;
  return { store, at, upload, sizeOf, queue, requests, deadLetters, lines, metrics };
}

const calls = (requests: readonly string[], method: string) =>
  requests.filter((request) => request.startsWith(`${method} `)).length;

test('a real photograph is smaller and identical in every pixel after one write', async () => {
  const budget = createMemoryBudget(1e9);
  const uploads = await openUploads({
    host: { compress: (bytes, settings) => compressBytes(bytes, settings, { budget }) },
  });
  const photo = await makeJpeg({ width: 640, height: 480, quality: 90 });
  await uploads.upload('camera 1/photo+1.jpg', photo);
  await uploads.queue.idle();
  const object = await uploads.store.get(uploads.at('camera 1/photo+1.jpg'));
  if (object === undefined || object === 'not-modified') throw new Error('The photograph is gone');
  expect(object.size).toBeLessThan(photo.length * 0.97);
  const pixels = (bytes: Uint8Array) => sharp(bytes).raw().toBuffer();
  expect(Buffer.compare(await pixels(object.body), await pixels(photo))).toBe(0);
  expect(readMark(object.metadata)).toMatchObject({ bytesIn: photo.length, encoding: { lossless: true } });
  expect(uploads.metrics).toMatchObject({ UploadsCompressed: 1, UploadsSkipped: 1 });
});

test('a broken photograph stays as it is, is reported, and its message leaves the queue', async () => {
  const budget = createMemoryBudget(1e9);
  const uploads = await openUploads({
    host: { compress: (bytes, settings) => compressBytes(bytes, settings, { budget }) },
  });
  const photo = await makeJpeg({ width: 320, height: 240 });
  const broken = photo.subarray(0, photo.length / 2);
  await uploads.upload('broken.jpg', broken);
  await uploads.queue.idle();
  expect(await uploads.sizeOf('broken.jpg')).toBe(broken.length);
  expect(uploads.deadLetters).toEqual([]);
  expect(uploads.lines).toMatchObject([{ level: 'error', details: { code: 'CorruptImage' } }]);
});

test('200 uploads at once: one write each, at most four calls each, then no further event', async () => {
  const uploads = await openUploads();
  const keys = Array.from({ length: 200 }, (_, n) => `burst/${n}.jpg`);
  await Promise.all(keys.map((key) => uploads.upload(key)));
  await uploads.queue.idle();
  for (const key of keys) expect(await uploads.sizeOf(key)).toBe(500);
  const spent = uploads.requests.slice(0, -keys.length); // without the ones just made
  expect(calls(spent, 'PUT')).toBe(400);
  expect(calls(spent, 'GET')).toBe(200);
  // The upload and our own write of a key may be handled together, so at most two each.
  expect(calls(spent, 'HEAD')).toBeLessThanOrEqual(400);
  expect(uploads.metrics.UploadsCompressed).toBe(200);
});

test.each([
  'plain.jpg',
  'a b+c%20d%.jpg',
  'ünï/写真 🙂.jpg',
  'a//b///c.jpg',
  "(it's); 100% & more=?.jpg",
  `${'k'.repeat(250)}/${'k'.repeat(250)}/${'k'.repeat(250)}/${'k'.repeat(250)}/${'k'.repeat(20)}`,
])('the key %j is decoded from its event', async (key) => {
  const uploads = await openUploads();
  await uploads.upload(key);
  await uploads.queue.idle();
  expect(await uploads.sizeOf(key)).toBe(500);
});

test('every message delivered three times changes nothing', async () => {
  const uploads = await openUploads({ deliveries: 3, queue: { batchSize: 1, concurrency: 4 } });
  for (let n = 0; n < 10; n++) await uploads.upload(`${n}.jpg`);
  await uploads.queue.idle();
  for (let n = 0; n < 10; n++) expect(await uploads.sizeOf(`${n}.jpg`)).toBe(500);
  expect(uploads.metrics.UploadsCompressed).toBe(10);
  expect(uploads.deadLetters).toEqual([]);
});

test('503 SlowDown on every fifth call only costs time', async () => {
  let requests = 0;
  const uploads = await openUploads({
    faults: () => (++requests % 5 === 0 ? { status: 503, code: 'SlowDown' } : undefined),
    host: { concurrency: 10 },
  });
  const keys = Array.from({ length: 20 }, (_, n) => `${n}.jpg`);
  await Promise.all(keys.map((key) => uploads.upload(key)));
  await uploads.queue.idle();
  for (const key of keys) expect(await uploads.sizeOf(key)).toBe(500);
  expect(uploads.deadLetters).toEqual([]);
});

test('a body cut short is read again before it is compressed', async () => {
  const uploads = await openUploads({
    faults: ({ method, count }) => (method === 'GET' && count === 1 ? 'cut-body' : undefined),
  });
  await uploads.upload('cut.jpg');
  await uploads.queue.idle();
  expect(await uploads.sizeOf('cut.jpg')).toBe(500);
});

test('a write whose answer was lost counts once, and is recognised as our own', async () => {
  const uploads = await openUploads({
    faults: ({ method, count }) => (method === 'PUT' && count === 2 ? 'lose-answer' : undefined),
  });
  await uploads.upload('lost.jpg');
  await uploads.queue.idle();
  expect(await uploads.sizeOf('lost.jpg')).toBe(500);
  expect(uploads.metrics).toMatchObject({ UploadsCompressed: 1 });
  expect(uploads.metrics).not.toHaveProperty('UploadsFailed');
});

/** Stops at a given point, as a killed process does, while the queue sees its invocation fail. */
function killable() {
  let die: () => void = () => {};
  const killed = new Promise<never>((_, reject) => {
    die = () => reject(new Error('killed'));
  });
  killed.catch(() => {});
  return {
    killed,
    kill: () => {
      die();
      return new Promise<never>(() => {});
    },
  };
}

test('a host killed between GET and PUT leaves the upload as it was, and the next delivery compresses it', async () => {
  const { killed, kill } = killable();
  let compressions = 0;
  const compress: UploadHost['compress'] = (bytes, settings) =>
    ++compressions === 1 ? kill() : halve(bytes, settings);
  let first = true;
  const uploads = await openUploads({
    queue: {
      invoke: (event) => {
        const { host } = uploadHost({ store: uploads.store, compress });
        const work = recompressUploads(event, host);
        if (!first) return work;
        first = false;
        return Promise.race([work, killed]);
      },
    },
  });
  await uploads.upload('killed.jpg');
  await uploads.queue.idle();
  expect(compressions).toBe(2);
  expect(await uploads.sizeOf('killed.jpg')).toBe(500);
  expect(uploads.deadLetters).toEqual([]);
});

test('a host killed after PUT, before its message is deleted: the next delivery finds it compressed', async () => {
  const { killed, kill } = killable();
  let puts = 0;
  const uploads = await openUploads({
    queue: {
      invoke: (event) => {
        const dying: ObjectStore = {
          ...uploads.store,
          put: async (...args) => {
            await uploads.store.put(...args);
            puts += 1;
            return kill();
          },
        };
        return Promise.race([recompressUploads(event, uploadHost({ store: dying }).host), killed]);
      },
      // The killed promise stays rejected: later deliveries must not need it.
      concurrency: 1,
    },
  });
  await uploads.upload('killed.jpg');
  await uploads.queue.idle();
  expect(puts).toBe(1);
  expect(await uploads.sizeOf('killed.jpg')).toBe(500);
});

test('an event that arrives before its object is visible is tried again', async () => {
  const uploads = await openUploads({ queue: { retryDelayMs: 100 } });
  const record = {
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'uploads' }, object: { key: 'late.jpg' } },
  };
  uploads.queue.send(JSON.stringify({ Records: [record] }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(uploads.metrics).toEqual({ UploadsMissing: 1 });
  await uploads.upload('late.jpg');
  await uploads.queue.idle();
  expect(await uploads.sizeOf('late.jpg')).toBe(500);
});

test('an upload deleted before its event arrives is neither a dead letter nor restored', async () => {
  const uploads = await openUploads();
  const record = {
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'uploads' }, object: { key: 'gone.jpg' } },
  };
  uploads.queue.send(JSON.stringify({ Records: [record] }));
  await uploads.queue.idle();
  expect(uploads.deadLetters).toEqual([]);
  expect(await uploads.sizeOf('gone.jpg')).toBeUndefined();
});

test('an empty object and a folder marker are left as they are', async () => {
  const uploads = await openUploads();
  await uploads.upload('empty.jpg', '');
  await uploads.upload('folder/', '');
  await uploads.queue.idle();
  expect(calls(uploads.requests, 'GET')).toBe(0);
  expect(calls(uploads.requests, 'PUT')).toBe(2);
  expect(uploads.metrics).toEqual({ UploadsSkipped: 2 });
});

test('an object that may not be read becomes a dead letter after five tries, with the missing permission in the log', async () => {
  const uploads = await openUploads({
    faults: ({ method }) => (method === 'GET' ? { status: 403, code: 'AccessDenied' } : undefined),
    queue: { maxReceiveCount: 3 },
  });
  await uploads.upload('secret.jpg');
  await uploads.queue.idle();
  expect(uploads.deadLetters).toHaveLength(1);
  expect(calls(uploads.requests, 'GET')).toBe(3);
  const returned = uploads.lines.filter(({ level }) => level === 'warn');
  expect(returned.at(-1)).toMatchObject({
    details: { messageId: uploads.deadLetters[0]!.messageId, receives: 3, code: 'AccessDenied' },
  });
  expect(JSON.stringify(returned)).toContain('kms:Decrypt where it is encrypted with a KMS key');
});
