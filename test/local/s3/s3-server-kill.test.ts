import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs, { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { type BucketFolder, startS3Server } from '../../../local/s3/s3-server.ts';
import { clientOf, rawRequest, serveBucket, temporaryFolder } from '../../support/served-bucket.ts';

const SERVER = new URL('../../../local/s3/s3-server.ts', import.meta.url).href;
const Bucket = 'photos';

it('keeps the old object, its ETag and its metadata when the server is killed in the middle of an overwrite', async () => {
  const place = await newPlace();
  const before = await spawnServer(place);
  const old = randomBytes(3_000_000);
  const { ETag } = await before.client.send(
    new PutObjectCommand({ Bucket, Key: 'a b/c.jpg', Body: old, Metadata: { version: 'old' } }),
  );
  const headers = { 'content-length': '8000000', 'x-amz-meta-version': 'new' };
  const sent = request({ port: before.port, method: 'PUT', path: '/photos/a%20b/c.jpg', headers });
  sent.on('error', () => {});
  sent.write(randomBytes(4_000_000));
  const temporary = path.join(place.state, 'temporary');
  await expect
    .poll(() => readdirSync(temporary).map((name) => statSync(path.join(temporary, name)).size > 0))
    .toEqual([true]);
  await before.kill();
  const after = await startAgain(place);
  const found = await after.send(new GetObjectCommand({ Bucket, Key: 'a b/c.jpg' }));
  expect(found).toMatchObject({ ETag, Metadata: { version: 'old' } });
  expect(Buffer.from(await found.Body!.transformToByteArray()).equals(old)).toBe(true);
});

it('finds the record of an object whose writer was killed between moving the object and its record', async () => {
  const place = await newPlace();
  const before = await spawnServer(place);
  await before.client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', Metadata: { version: 'new' } }));
  await before.kill();
  const sidecars = path.join(place.state, 'sidecars');
  const [record] = readdirSync(sidecars).filter((name) => name.endsWith('.json'));
  fs.renameSync(path.join(sidecars, record!), path.join(sidecars, 'prepared', record!));
  const after = await startAgain(place);
  expect(readdirSync(path.join(sidecars, 'prepared'))).toEqual([]);
  const found = await after.send(new GetObjectCommand({ Bucket, Key: 'a' }));
  expect(found).toMatchObject({ Metadata: { version: 'new' }, ETag: `"${md5(Buffer.from('x'))}"` });
});

it('never shows a torn object or the metadata of another, wherever an overwrite is killed', async () => {
  const place = await newPlace();
  for (let round = 0; round < 6; round++) {
    const running = await spawnServer(place);
    const sendNext = (size: number) => {
      const Body = randomBytes(size);
      const digest = md5(Body);
      const Metadata = { md5: digest };
      return {
        digest,
        sent: running.client.send(new PutObjectCommand({ Bucket, Key: 'a', Body, Metadata })),
      };
    };
    const complete = sendNext(200_000);
    await complete.sent;
    const interrupted = sendNext(400_000);
    const outcome = interrupted.sent.catch(() => 'killed');
    // A few more turns of the event loop in every round, so that each kill interrupts the overwrite elsewhere.
    for (let turn = 0; turn < round * 8; turn++) await setImmediate();
    await running.kill();
    await outcome;
    const client = await startAgain(place);
    const found = await client.send(new GetObjectCommand({ Bucket, Key: 'a' }));
    const digest = md5(Buffer.from(await found.Body!.transformToByteArray()));
    expect([complete.digest, interrupted.digest]).toContain(digest);
    expect(found).toMatchObject({ ETag: `"${digest}"`, Metadata: { md5: digest } });
  }
});

it.each([
  ['ENOSPC', 3],
  ['ENOSPC', 8_000_000],
  ['EDQUOT', 8_000_000],
])('answers %s in a body of %i bytes with a clear error, gets no retry, and keeps the old object', async (code, size) => {
  const { client, server, state, folder } = await serveBucket();
  await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'old' }));
  const failures = failWritesWith(code);
  const answer = await rawRequest(server, 'PUT', '/photos/a', {}, Buffer.alloc(size));
  expect(answer).toMatchObject({ status: 400, code: 'NoSpaceLeft' });
  expect(answer.body.toString()).toContain('Free some space');
  const Body = Readable.from([Buffer.alloc(size)]);
  const streamed = client.send(new PutObjectCommand({ Bucket, Key: 'b/c', Body, ContentLength: size }));
  await expect(streamed).rejects.toMatchObject({ name: 'NoSpaceLeft' });
  const buffered = client.send(new PutObjectCommand({ Bucket, Key: 'b/c', Body: Buffer.alloc(size) }));
  await expect(buffered).rejects.toMatchObject({ name: 'NoSpaceLeft' });
  expect(failures.count).toBe(3);
  const left = await client.send(new GetObjectCommand({ Bucket, Key: 'a' }));
  expect(await left.Body!.transformToString()).toBe('old');
  expect([readdirSync(folder), readdirSync(path.join(state, 'temporary'))]).toEqual([['a'], []]);
});

/** Makes every writeSync fail, as on a full disk, until the test is over. */
function failWritesWith(code: string): { count: number } {
  const { writeSync } = fs;
  const failures = { count: 0 };
  onTestFinished(() => {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  });
  fs.writeSync = () => {
    failures.count++;
    throw Object.assign(new Error(`${code}: no space left on device, write`), { code });
  };
  syncBuiltinESMExports();
  return failures;
}

async function newPlace(): Promise<BucketFolder> {
  const root = await temporaryFolder();
  return { folder: path.join(root, 'photos'), state: path.join(root, 'state') };
}

interface RunningServer {
  readonly port: number;
  readonly client: S3Client;
  /** SIGKILL: the server cannot clean up. */
  kill(): Promise<void>;
}

async function spawnServer(place: BucketFolder): Promise<RunningServer> {
  const script = `
    const { startS3Server } = await import(${JSON.stringify(SERVER)});
    const { port } = await startS3Server({ buckets: { photos: ${JSON.stringify(place)} } });
    console.log(port);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const port = Number(String((await once(child.stdout!, 'data'))[0]));
  const client = clientOf(`http://127.0.0.1:${port}`, { maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return { port, client, kill: () => killed(child) };
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

async function startAgain(place: BucketFolder): Promise<S3Client> {
  const server = await startS3Server({ buckets: { photos: place } });
  const client = clientOf(server.endpoint);
  onTestFinished(async () => {
    client.destroy();
    await server.close();
  });
  return client;
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
