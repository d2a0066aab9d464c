import fs, { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { serveBucket, statusOf, temporaryFolder } from '../../support/served-bucket.ts';

const Bucket = 'photos';

async function put(client: S3Client, Key: string, Body: string) {
  return client.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { of: encodeURIComponent(Key) } }));
}

async function read(client: S3Client, Key: string): Promise<[string, string | undefined]> {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key }));
  return [await answer.Body!.transformToString(), answer.Metadata?.of];
}

async function listed(client: S3Client): Promise<string[]> {
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket }));
  return (Contents ?? []).map((one) => one.Key!);
}

it('serves a folder on another disk than its state', async () => {
  const folder = temporaryFolderOnAnotherDisk();
  const { client, state } = await serveBucket({
    buckets: { photos: { folder, state: path.join(await temporaryFolder(), 'state') } },
  });
  for (const key of ['a', 'b/c.jpg', 'b//c.jpg', 'a/b']) await put(client, key, 'first');
  for (const key of ['a', 'b/c.jpg', 'b//c.jpg', 'a/b']) {
    await put(client, key, `of ${key}`);
    expect(await read(client, key)).toEqual([`of ${key}`, encodeURIComponent(key)]);
  }
  expect(await listed(client)).toEqual(['a', 'a/b', 'b//c.jpg', 'b/c.jpg']);
  expect([readdirSync(folder), existsSync(path.join(state, 'temporary'))]).toEqual([['a', 'b'], false]);
});

function temporaryFolderOnAnotherDisk(): string {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
  const folder = mkdtempSync(path.join(parent, 's3-server-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

it('stores keys that differ only in case or accents on a disk that ignores both', async () => {
  ignoreCaseOfNames();
  const { client, folder } = await serveBucket();
  const keys = ['Photos/IMG.JPG', 'Photos/img.jpg', 'photos/IMG.JPG', 'photos', 'Other.png', 'ü.jpg', 'u\u0308.jpg'];
  for (const key of keys) await put(client, key, 'first');
  for (const key of keys) await put(client, key, `of ${key}`);
  for (const key of keys) expect(await read(client, key)).toEqual([`of ${key}`, encodeURIComponent(key)]);
  expect(new Set(await listed(client))).toEqual(new Set(keys));
  expect(await statusOf(client.send(new GetObjectCommand({ Bucket, Key: 'OTHER.PNG' })))).toBe(404);
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'photos/img.jpg' }));
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'Photos/img.jpg' }));
  expect(await listed(client)).toEqual([
    'Other.png',
    'Photos/IMG.JPG',
    'photos',
    'photos/IMG.JPG',
    'u\u0308.jpg',
    'ü.jpg',
  ]);
  expect(readdirSync(path.join(folder, 'Photos'))).toEqual(['IMG.JPG']);
});

const BY_NAME = ['lstatSync', 'statSync', 'openSync', 'mkdirSync', 'unlinkSync', 'rmSync', 'copyFileSync'] as const;

/**
 * Lets the file calls behave as on an HFS+ disk of macOS: names are found in whatever case and with whatever accents,
 * and kept in the case in which they were made, with letters and accents apart.
 */
function ignoreCaseOfNames(): void {
  const { realpathSync, renameSync, existsSync, lstatSync, readdirSync } = fs;
  const { native } = realpathSync;
  const own = Object.fromEntries(BY_NAME.map((name) => [name, fs[name]]));
  onTestFinished(() => {
    Object.assign(fs, own, { renameSync });
    realpathSync.native = native;
    syncBuiltinESMExports();
  });
  const folded = (name: string) => name.normalize('NFD').toLowerCase();
  const spelled = (file: unknown): string => {
    const { root, dir, base } = path.parse(String(file));
    if (base === '') return root;
    const parent = spelled(dir);
    const names = existsSync(parent) && lstatSync(parent).isDirectory() ? readdirSync(parent) : [];
    return path.join(parent, names.find((name) => folded(name) === folded(base)) ?? base.normalize('NFD'));
  };
  for (const name of BY_NAME) {
    const call = own[name] as (...args: unknown[]) => unknown;
    Object.assign(fs, { [name]: (file: unknown, ...rest: unknown[]) => call(spelled(file), ...rest) });
  }
  fs.renameSync = (from, to) => renameSync(spelled(from), spelled(to));
  realpathSync.native = ((file: string) => native(spelled(file))) as typeof native;
  syncBuiltinESMExports();
}
