import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUploadOutcomes, deadLetterLine } from '../../../local/cli/upload-outcomes.ts';
import { PROBE_KEY } from '../../../src/store/endpoint-check.ts';
import { start } from '../../support/run-command.ts';

const root = path.resolve(import.meta.dirname, '../../..');
let cwd: string;
let server: ReturnType<typeof spawn>;
let printed = '';
let s3: S3Client;
let endpoint: string;
let photo: Buffer;

async function until<T>(look: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
  for (let tries = 0; tries < 1200; tries++) {
    const seen = await look();
    if (seen) return seen as NonNullable<T>;
    await sleep(100);
  }
  throw new Error(`Waited in vain for ${what}. The output:\n${printed}`);
}

const put = (Bucket: string, Key: string, Body: Buffer | string) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const sizeOf = async (Bucket: string, Key: string) =>
  (await s3.send(new HeadObjectCommand({ Bucket, Key })).catch(() => undefined))?.ContentLength;

function restore(list: string, endpoint: string): Promise<string> {
  const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
  const env = { ...process.env, AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: 'us-east-1', ...credentials };
  const script = path.join(root, 'local/cli/restore.ts');
  return new Promise((resolve) => {
    execFile(process.execPath, [script, list], { env }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'image-press-serve-'));
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  photo = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#888', noise } })
    .jpeg({ quality: 95, optimiseCoding: false })
    .toBuffer();
  server = spawn(process.execPath, [path.join(root, 'local/cli/main.ts'), 'serve', '--port', '0'], { cwd });
  for (const stream of [server.stdout!, server.stderr!]) {
    stream.on('data', (chunk) => {
      printed += chunk;
    });
  }
  [endpoint] = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(printed), 'the endpoint');
  s3 = new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    forcePathStyle: true,
  });
});
afterAll(async () => {
  server.kill('SIGKILL');
  s3?.destroy();
  await rm(cwd, { recursive: true, force: true });
});

it('says nothing of the object that shows what this server supports', () => {
  const line = (key: string) =>
    JSON.stringify({
      message: 'upload skipped',
      source: `s3://local-uploads/${key}`,
      status: 'skipped',
      reason: 'empty',
    });
  const outcomeOf = createUploadOutcomes();
  expect(outcomeOf(line(PROBE_KEY))).toBeUndefined();
  expect(outcomeOf(line('a.jpg'))).toMatch(/^local-uploads\/a\.jpg skipped: /);
});

it('names an upload that cannot be processed, without control characters, and the log', () => {
  const object = { key: 'shop/a+b%1B%5B2J.jpg' };
  const record = { eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'local-uploads' }, object } };
  expect(deadLetterLine(JSON.stringify({ Records: [record] }), '/home/log.jsonl')).toMatch(
    /^local-uploads\/shop\/a b\P{Cc}*\.jpg: failed 5 times, see \/home\/log\.jsonl$/u,
  );
});

describe('npm start -- serve', () => {
  it('recompresses an upload in place, once, without losing a pixel', async () => {
    const key = 'shop/a b+ä.jpg';
    await put('local-uploads', key, photo);
    await until(async () => ((await sizeOf('local-uploads', key)) ?? photo.length) < photo.length, 'a smaller upload');
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'local-uploads', Key: key }));
    const pixels = (bytes: Uint8Array) => sharp(bytes).raw().toBuffer();
    expect(Buffer.compare(await pixels(await Body!.transformToByteArray()), await pixels(photo))).toBe(0);
    await sleep(500);
    const outcomes = printed.split('\n').filter((line) => line.startsWith(`local-uploads/${key}`));
    expect(outcomes).toEqual([expect.stringMatching(/ compressed: .* kB → .* kB, [\d.]+ % smaller$/)]);
  });

  it('keeps the original of an upload as a version, which restore brings back', async () => {
    await put('local-uploads', 'undo.jpg', photo);
    const log = path.join(cwd, '.image-press', 'log.jsonl');
    const line = await until(
      async () =>
        (await readFile(log, 'utf8')).split('\n').find((one) => one.includes('undo.jpg') && one.includes('"undo"')),
      'the undo line in the log',
    );
    const list = path.join(cwd, 'undo.jsonl');
    await writeFile(list, JSON.stringify(JSON.parse(line).undo));
    const restored = await restore(list, endpoint);
    expect(restored).toMatch(/^restored s3:\/\/local-uploads\/undo\.jpg from version \S+\n1 restored, /);
    await until(() => printed.includes('undo.jpg skipped: restored, not compressed again\n'), 'why it is left');
    expect(await sizeOf('local-uploads', 'undo.jpg')).toBe(photo.length);
  });

  it('says what became of an upload that is kept, and of one that failed', async () => {
    await put('local-uploads', 'tiny.gif', await sharp(photo).resize(8).gif().toBuffer());
    await put('local-uploads', 'cut.jpg', photo.subarray(0, photo.length / 2));
    await put('local-uploads', 'page.jpg', '<!doctype html>');
    await until(() => /^local-uploads\/tiny\.gif kept: /m.test(printed), 'the kept one');
    await until(() => /^local-uploads\/cut\.jpg failed: CorruptImage: /m.test(printed), 'the failed one');
    await until(() => /^local-uploads\/page\.jpg skipped: not an image/m.test(printed), 'the skipped one');
  });

  it('starts a job for a list that is dropped, and a failed one for a list that is none', async () => {
    await put('local-input', 'photos/one.jpg', photo);
    await put('local-input', 'lists/my list+1.txt', 's3://local-input/photos/one.jpg\n');
    await until(() => /job my-list-1-txt-\w+ done: 1 compressed/.test(printed), 'the job');
    expect(await sizeOf('local-output', 'photos/one.jpg')).toBeLessThan(photo.length);
    await put('local-input', 'lists/bad.json', '{"batch_1": [');
    await until(() => /job bad-json-\w+ FAILED: .*JSON/.test(printed), 'the failed job');
  });

  it('knows no bucket of the S3 that its own AWS settings name', async () => {
    await expect(put('my-bucket', 'a.jpg', photo)).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });

  it('ends with exit code 2 where its port is taken, and names a way out', async () => {
    const { port } = new URL(endpoint);
    const { code, stderr } = await start(cwd, ['serve', '--port', port]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `Expected a free port but ${port} is taken by another program. Choose another, e.g. --port 0 for any that is free\n`,
    );
  });

  it('completes images in flight at Ctrl-C and exits with 0', async () => {
    for (let n = 0; n < 20; n++) await put('local-input', `many/${n}.jpg`, photo);
    const list = Array.from({ length: 20 }, (_, n) => `s3://local-input/many/${n}.jpg`).join('\n');
    await put('local-input', 'lists/many.txt', list);
    await until(() => /job many-txt-\w+ started/.test(printed), 'the start');
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(printed).toMatch(/Stopping: images in flight are completed first/);
    // Whole files only, under their own names.
    const outputs = await readdir(path.join(cwd, 'compressed', 'many')).catch(() => []);
    for (const name of outputs) await sharp(path.join(cwd, 'compressed', 'many', name)).stats();
  });
});
