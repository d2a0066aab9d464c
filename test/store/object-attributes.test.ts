import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PutObjectCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type S3Server, startS3Server } from '../../local/s3/s3-server.ts';
import { MARK_KEY } from '../../src/core/compression-mark.ts';
import type { Job } from '../../src/core/job.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { IN_PLACE, JOB, runImage } from '../support/image-jobs.ts';

/** The rows of docs/object-attributes.md, each against the local S3 server. */

let folder: string;
let server: S3Server;
let client: S3Client;
let store: ObjectStore;
let sentHeaders: Record<string, string>[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'attributes-'));
  const place = (name: string) => ({
    folder: path.join(folder, name),
    state: path.join(folder, `${name}-state`),
  });
  server = await startS3Server({
    buckets: { photos: place('photos'), outputs: place('outputs'), backups: place('backups') },
  });
  client = createS3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  client.middlewareStack.add(
    (next) => (args) => {
      const { method, headers } = args.request as { method: string; headers: Record<string, string> };
      if (method === 'PUT') sentHeaders.push({ ...headers });
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  store = createS3Store(client);
});

afterAll(async () => {
  client.destroy();
  await server.close();
  await rm(folder, { recursive: true });
});

const IMAGE = { bucket: 'photos', key: 'a/photo.jpg' };
const OUTPUT = { bucket: 'outputs', key: 'a/photo.jpg' };
const URI = 's3://photos/a/photo.jpg';

async function upload(input: Partial<PutObjectCommandInput>): Promise<void> {
  await client.send(
    new PutObjectCommand({
      Bucket: IMAGE.bucket,
      Key: IMAGE.key,
      Body: Buffer.alloc(1000, 'x'),
      ContentType: 'image/jpeg',
      ...input,
    }),
  );
}

async function compressedInPlace(input: Partial<PutObjectCommandInput>, job: Job = IN_PLACE) {
  await upload(input);
  sentHeaders = [];
  const outcome = await runImage(store, URI, { job });
  const object = (await store.head(IMAGE))!;
  return { outcome, object, sent: sentHeaders.at(-1) };
}

async function compressedElsewhere(input: Partial<PutObjectCommandInput>) {
  await upload(input);
  await fetch(`${server.endpoint}/outputs/a/photo.jpg`, { method: 'DELETE' });
  await runImage(store, URI, { job: JOB });
  return (await store.head(OUTPUT))!;
}

const KMS = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd';

describe('in place', () => {
  test.each([
    ['Cache-Control', { CacheControl: 'public, max-age=31536000' }, { cacheControl: 'public, max-age=31536000' }],
    ['Content-Disposition', { ContentDisposition: 'attachment' }, { contentDisposition: 'attachment' }],
    ['Content-Encoding', { ContentEncoding: 'identity' }, { contentEncoding: 'identity' }],
    ['Content-Language', { ContentLanguage: 'de-AT, en' }, { contentLanguage: 'de-AT, en' }],
    ['Expires', { Expires: new Date('2032-01-01T00:00:00Z') }, { expires: 'Thu, 01 Jan 2032 00:00:00 GMT' }],
    ['storage class', { StorageClass: 'STANDARD_IA' }, { storageClass: 'STANDARD_IA' }],
    ['Glacier Instant Retrieval', { StorageClass: 'GLACIER_IR' }, { storageClass: 'GLACIER_IR' }],
    [
      'SSE-KMS with its key and bucket key',
      { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: KMS, BucketKeyEnabled: true },
      { serverSideEncryption: 'aws:kms', kmsKeyId: KMS, bucketKeyEnabled: true },
    ],
    ['SSE-S3', { ServerSideEncryption: 'AES256' }, { serverSideEncryption: 'AES256' }],
    ['website redirect', { WebsiteRedirectLocation: '/new.jpg' }, { websiteRedirect: '/new.jpg' }],
  ] as const)('%s is kept', async (_row, input, expected) => {
    const { outcome, object } = await compressedInPlace(input);
    expect(outcome).toMatchObject({ status: 'compressed', bytesOut: 500 });
    expect(object).toMatchObject({ ...expected, size: 500 });
  });

  test('every user metadata key is kept, and the mark is added', async () => {
    const Metadata = { camera: 'left', 'taken-at': '2026-11-21', empty: '' };
    const { object } = await compressedInPlace({ Metadata });
    expect(object.metadata).toEqual({ ...Metadata, [MARK_KEY]: expect.any(String) });
  });

  test('metadata in RFC 2047 is written back unchanged', async () => {
    const Metadata = { title: '=?UTF-8?B?RsO8w59l?=' };
    expect((await compressedInPlace({ Metadata })).object.metadata).toMatchObject(Metadata);
  });

  test('metadata too long for a mark leaves the object unchanged', async () => {
    const Metadata = { note: 'n'.repeat(2000) };
    const { outcome, object } = await compressedInPlace({ Metadata });
    expect(outcome).toMatchObject({ status: 'kept', reason: 'metadata-limit' });
    expect(object).toMatchObject({ size: 1000, metadata: Metadata });
  });

  test('tags are kept', async () => {
    await compressedInPlace({ Tagging: 'project=a%20b&owner=%C3%A4' });
    expect(await store.tags(IMAGE)).toEqual({ project: 'a b', owner: 'ä' });
  });

  test('a correct Content-Type is kept exactly', async () => {
    const { object } = await compressedInPlace({ ContentType: 'image/jpeg; x=1' });
    expect(object.contentType).toBe('image/jpeg; x=1');
  });

  test('a wrong Content-Type is reported, and corrected only when asked', async () => {
    const kept = await compressedInPlace({ ContentType: 'image/png' });
    expect(kept.outcome).toMatchObject({ detail: expect.stringContaining('image/png') });
    expect(kept.object.contentType).toBe('image/png');
    const asked = await compressedInPlace({ ContentType: 'image/png' }, { ...IN_PLACE, correctContentType: true });
    expect(asked.object.contentType).toBe('image/jpeg');
  });

  test('the checksum becomes SHA-256, so that HEAD can confirm the mark', async () => {
    const { object } = await compressedInPlace({ ChecksumAlgorithm: 'CRC32' });
    expect(object).toMatchObject({ checksumAlgorithm: 'SHA256', checksumSha256: expect.any(String) });
  });

  test.each([
    { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date('2999-01-01') },
    { ObjectLockLegalHoldStatus: 'ON' },
  ] as const)('an object under Object Lock is left alone: %j', async (lock) => {
    const { outcome, object } = await compressedInPlace(lock);
    expect(outcome).toMatchObject({ status: 'kept', reason: 'object-lock' });
    expect(object.size).toBe(1000);
    expect(sentHeaders).toEqual([]);
  });

  test('an archived object is left unchanged after HEAD', async () => {
    const { outcome, object } = await compressedInPlace({ StorageClass: 'DEEP_ARCHIVE' });
    expect(outcome).toMatchObject({ status: 'skipped', reason: 'archived' });
    expect(object.size).toBe(1000);
  });

  test('an ACL is sent only when asked for', async () => {
    const { sent } = await compressedInPlace({});
    expect(Object.keys(sent!).filter((header) => /acl|grant/.test(header))).toEqual([]);
    const asked = await compressedInPlace({}, { ...IN_PLACE, acl: 'bucket-owner-full-control' });
    expect(asked.sent).toMatchObject({ 'x-amz-acl': 'bucket-owner-full-control' });
  });

  test('the write is conditional on the ETag that was read', async () => {
    await upload({});
    const { etag } = (await store.head(IMAGE))!;
    const { sent } = await compressedInPlace({});
    expect(sent?.['if-match']).toBe(`"${etag}"`);
  });
});

describe('elsewhere', () => {
  test('headers, metadata and tags are copied', async () => {
    const output = await compressedElsewhere({
      CacheControl: 'no-cache',
      ContentDisposition: 'inline',
      ContentLanguage: 'de',
      Expires: new Date('2032-01-01T00:00:00Z'),
      Metadata: { camera: 'left' },
      Tagging: 'project=a',
    });
    expect(output).toMatchObject({
      size: 500,
      cacheControl: 'no-cache',
      contentDisposition: 'inline',
      contentLanguage: 'de',
      expires: 'Thu, 01 Jan 2032 00:00:00 GMT',
      metadata: { camera: 'left' },
    });
    expect(await store.tags(OUTPUT)).toEqual({ project: 'a' });
  });

  test('the Content-Type is that of the bytes', async () => {
    expect((await compressedElsewhere({ ContentType: 'image/png' })).contentType).toBe('image/jpeg');
  });

  test('storage class and encryption are those of the output bucket', async () => {
    const output = await compressedElsewhere({
      StorageClass: 'STANDARD_IA',
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: KMS,
      WebsiteRedirectLocation: '/x',
    });
    expect(output.storageClass).toBe('STANDARD');
    expect([output.serverSideEncryption, output.kmsKeyId, output.websiteRedirect]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('a backup is the original with its headers, metadata and tags', async () => {
  await upload({ CacheControl: 'no-cache', Metadata: { camera: 'left' }, Tagging: 'project=a' });
  const { etag } = (await store.head(IMAGE))!;
  await runImage(store, URI, { job: { ...IN_PLACE, backup: 's3://backups/2026/' } });
  const backup = { bucket: 'backups', key: `2026/photos/a/photo.jpg.${etag}` };
  expect(await store.head(backup)).toMatchObject({
    size: 1000,
    contentType: 'image/jpeg',
    cacheControl: 'no-cache',
    metadata: { camera: 'left' },
  });
  expect(await store.tags(backup)).toEqual({ project: 'a' });
});
