import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DeleteObjectCommand, PutObjectTaggingCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type S3Server, startS3Server } from '../../local/s3/s3-server.ts';
import type { Job } from '../../src/core/job.ts';
import type { ObjectStore, PutOptions } from '../../src/core/object-store.ts';
import type { UndoEntry } from '../../src/core/undo.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { restoreObject } from '../../src/undo/restore-object.ts';
import { recompressUploads } from '../../src/uploads/recompress-upload.ts';
import { IN_PLACE, runImage } from '../support/image-jobs.ts';
import { messageFor, uploadEvent, uploadHost } from '../support/upload-bucket.ts';

let folder: string;
let server: S3Server;
let client: S3Client;
let store: ObjectStore;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'restore-'));
  const place = (name: string) => ({
    folder: path.join(folder, name),
    state: path.join(folder, `${name}-state`),
  });
  server = await startS3Server({
    buckets: {
      versioned: { ...place('versioned'), versioned: true },
      plain: place('plain'),
      backups: place('backups'),
    },
  });
  client = createS3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  store = createS3Store(client);
});

afterAll(async () => {
  client.destroy();
  await server.close();
  await rm(folder, { recursive: true });
});

const BODY = 'original '.repeat(100);
const OPTIONS: PutOptions = {
  attributes: {
    contentType: 'image/jpeg',
    cacheControl: 'no-cache',
    metadata: { camera: 'left' },
    storageClass: 'STANDARD_IA',
    websiteRedirect: '/x',
  },
  tags: { set: 'train' },
};
const BACKED_UP: Job = { ...IN_PLACE, backup: 's3://backups/' };

/** A new image in that bucket, replaced by a job. */
async function replaced(bucket: string, job: Job, key = `${Math.random()}.jpg`) {
  const image = { bucket, key };
  await store.put(image, Buffer.from(BODY), OPTIONS);
  const before = (await store.head(image))!;
  const undone: UndoEntry[] = [];
  const onUndo = (entry: UndoEntry) => void undone.push(entry);
  expect(await runImage(store, `s3://${bucket}/${key}`, { job, onUndo })).toMatchObject({ bytesOut: 450 });
  return { image, before, entry: undone[0]! };
}

async function textOf(image: { bucket: string; key: string }): Promise<string | undefined> {
  const object = await store.get(image);
  return object && object !== 'not-modified' ? Buffer.from(object.body).toString() : undefined;
}

describe('an original', () => {
  test.each([
    ['its version', 'versioned', IN_PLACE, /^version \S+$/],
    ['its backup', 'plain', BACKED_UP, /^s3:\/\/backups\/plain\//],
  ])('is restored from %s, with every attribute that it had', async (_from, bucket, job, from) => {
    const { image, before, entry } = await replaced(bucket, job);
    expect(await restoreObject(entry, store)).toEqual({
      status: 'restored',
      from: expect.stringMatching(from),
    });
    expect(await textOf(image)).toBe(BODY);
    const { lastModified: _before, versionId: _version, ...attributes } = before;
    expect(await store.head(image)).toMatchObject(attributes);
    expect((await store.head(image))?.metadata).toEqual({ camera: 'left' });
    expect(await store.tags(image)).toEqual({ set: 'train' });
  });

  test('from before versioning was enabled is restored as well', async () => {
    const image = { bucket: 'versioned', key: 'old.jpg' };
    await writeFile(path.join(folder, 'versioned', image.key), BODY);
    expect((await store.head(image))?.versionId).toBe('null');
    const undone: UndoEntry[] = [];
    const onUndo = (entry: UndoEntry) => void undone.push(entry);
    await runImage(store, 's3://versioned/old.jpg', { job: IN_PLACE, onUndo });
    expect(undone).toMatchObject([{ versionId: 'null' }]);
    expect(await restoreObject(undone[0]!, store)).toEqual({ status: 'restored', from: 'version null' });
    expect(await textOf(image)).toBe(BODY);
  });

  test('is not written when it is restored already', async () => {
    const { entry } = await replaced('versioned', IN_PLACE);
    await restoreObject(entry, store);
    expect(await restoreObject(entry, store)).toEqual({ status: 'already-original' });
  });

  test('is restored from the backup when the version is gone', async () => {
    const { image, entry } = await replaced('versioned', BACKED_UP);
    await client.send(new DeleteObjectCommand({ Bucket: image.bucket, Key: image.key, VersionId: entry.versionId }));
    expect(await restoreObject(entry, store)).toMatchObject({ from: entry.backup });
    expect(await textOf(image)).toBe(BODY);
  });

  test('keeps tags that were changed since', async () => {
    const { image, entry } = await replaced('versioned', IN_PLACE);
    await client.send(
      new PutObjectTaggingCommand({
        Bucket: image.bucket,
        Key: image.key,
        Tagging: { TagSet: [{ Key: 'set', Value: 'test' }] },
      }),
    );
    expect(await restoreObject(entry, store)).toMatchObject({ status: 'restored' });
    expect(await store.tags(image)).toEqual({ set: 'test' });
  });

  test('is found but not written in a dry run', async () => {
    const { image, entry } = await replaced('versioned', IN_PLACE);
    expect(await restoreObject(entry, store, { dryRun: true })).toMatchObject({ status: 'restored' });
    expect((await store.head(image))?.size).toBe(450);
  });
});

describe('nothing is restored', () => {
  test('over an object that has changed since', async () => {
    const { image, entry } = await replaced('versioned', IN_PLACE);
    await store.put(image, Buffer.from('newer'));
    expect(await restoreObject(entry, store)).toEqual({
      status: 'refused',
      reason: 'it has changed since it was compressed',
    });
    expect(await textOf(image)).toBe('newer');
  });

  test('over an object that changes during the restoration', async () => {
    const { image, entry } = await replaced('versioned', IN_PLACE);
    const racing: ObjectStore = {
      ...store,
      tags: async (location) => {
        await store.put(image, Buffer.from('newer'));
        return store.tags(location);
      },
    };
    expect(await restoreObject(entry, racing)).toMatchObject({ status: 'refused' });
    expect(await textOf(image)).toBe('newer');
  });

  test('when the object was deleted since', async () => {
    const { image, entry } = await replaced('versioned', IN_PLACE);
    await client.send(new DeleteObjectCommand({ Bucket: image.bucket, Key: image.key }));
    expect(await restoreObject(entry, store)).toMatchObject({ status: 'refused' });
    expect(await store.head(image)).toBeUndefined();
  });

  test('when neither a version nor a backup exists', async () => {
    const { image, entry } = await replaced('plain', IN_PLACE);
    expect(await restoreObject(entry, store)).toMatchObject({
      status: 'refused',
      reason: 'neither a version nor a backup has its original any more',
    });
    expect((await store.head(image))?.size).toBe(450);
  });

  test('from a backup whose content has changed', async () => {
    const { entry } = await replaced('plain', BACKED_UP);
    const [, key] = /^s3:\/\/backups\/(.+)$/.exec(entry.backup!)!;
    await store.put({ bucket: 'backups', key: key! }, Buffer.from('tampered'));
    expect(await restoreObject(entry, store)).toMatchObject({ status: 'refused' });
  });

  test('without permission: the message names the missing one', async () => {
    const { entry } = await replaced('versioned', IN_PLACE);
    const { ObjectStoreError } = await import('../../src/core/object-store.ts');
    const denied: ObjectStore = {
      ...store,
      put: async () => {
        throw new ObjectStoreError('AccessDenied', 'the role needs s3:PutObject');
      },
    };
    expect(await restoreObject(entry, denied)).toEqual({
      status: 'failed',
      reason: 'the role needs s3:PutObject',
    });
  });
});

test('a bug of ours is a failure that keeps the error with its stack', async () => {
  const { entry } = await replaced('versioned', IN_PLACE);
  const bug = new TypeError('x is not a function');
  const broken: ObjectStore = { ...store, head: () => Promise.reject(bug) };
  expect(await restoreObject(entry, broken)).toEqual({
    status: 'failed',
    reason: 'Unexpected error: x is not a function',
    cause: bug,
  });
});

test('a write whose answer was lost counts as restored', async () => {
  const { image, entry } = await replaced('versioned', IN_PLACE);
  const deaf: ObjectStore = {
    ...store,
    put: async (...args) => {
      await store.put(...args);
      return store.put(...args);
    },
  };
  expect(await restoreObject(entry, deaf)).toMatchObject({ status: 'restored' });
  expect(await textOf(image)).toBe(BODY);
});

test('a restored upload is not recompressed by its own event, and a new upload is', async () => {
  const image = { bucket: 'versioned', key: 'uploaded.jpg' };
  const { host, lines } = uploadHost({ store });
  const deliver = () => recompressUploads({ Records: [messageFor(uploadEvent(image))] }, host);
  await store.put(image, Buffer.from(BODY), OPTIONS);
  await deliver();
  const { undo } = lines[0]!.details as { undo: UndoEntry };
  expect(await restoreObject(undo, store)).toMatchObject({ status: 'restored' });
  await deliver();
  expect(lines.at(-1)?.details).toMatchObject({ status: 'skipped', reason: 'restored' });
  expect(await textOf(image)).toBe(BODY);
  expect((await store.head(image))?.metadata).toMatchObject({ camera: 'left' });
  await store.put(image, Buffer.from(BODY), OPTIONS);
  await deliver();
  expect((await store.head(image))?.size).toBe(450);
});
