import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type S3Server, startS3Server } from '../../local/s3/s3-server.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { type FaultPlan, injectFaults } from '../support/s3-faults.ts';

const BUCKET = 'pictures';
let folder: string;
let server: S3Server;
let store: ObjectStore;
/** Faults of requests by key; each test uses keys of its own. */
const faults = new Map<string, FaultPlan>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3-store-'));
  server = await startS3Server({
    buckets: { [BUCKET]: { folder: join(folder, 'bucket'), state: join(folder, 'state') } },
    beforeRequest: injectFaults((request) => faults.get(request.key)?.(request)),
  });
  store = createS3Store(clientFor(server));
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

function clientFor({ endpoint }: S3Server, attempts = 10) {
  return createS3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    attempts,
  });
}

const at = (key: string) => ({ bucket: BUCKET, key });
const text = (body: Uint8Array) => Buffer.from(body).toString('utf8');

async function getObject(key: string) {
  const object = await store.get(at(key));
  if (object === undefined || object === 'not-modified') throw new Error(`Expected an object at ${key}`);
  return object;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

describe('attributes', () => {
  test('are returned by HEAD and GET as PUT sent them', async () => {
    const attributes = {
      contentType: 'image/jpeg',
      cacheControl: 'max-age=60, immutable',
      contentDisposition: 'attachment; filename="a b.jpg"',
      contentEncoding: 'identity',
      contentLanguage: 'de-AT',
      expires: 'Thu, 01 Jan 2032 00:00:00 GMT',
      metadata: { camera: 'left', note: 'a=b; c' },
      storageClass: 'STANDARD_IA',
      serverSideEncryption: 'aws:kms',
      kmsKeyId: 'arn:aws:kms:us-east-1:111122223333:key/abc',
      bucketKeyEnabled: true,
      websiteRedirect: '/elsewhere.html',
    };
    await store.put(at('attributes'), Buffer.from('x'), { attributes, tags: { 'a&b': 'ä=+ c', empty: '' } });
    expect(await store.head(at('attributes'))).toMatchObject(attributes);
    expect(await getObject('attributes')).toMatchObject({ ...attributes, tagCount: 2, archived: false });
    expect(await store.tags(at('attributes'))).toEqual({ 'a&b': 'ä=+ c', empty: '' });
  });

  test.each(['0', 'never', 'Thu, 1 Jan 2032 00:00:00 GMT'])('keep the Expires text %j', async (expires) => {
    await store.put(at('expires'), Buffer.from('x'), { attributes: { expires } });
    expect(await store.head(at('expires'))).toMatchObject({ expires });
  });

  test('have defaults when none were set', async () => {
    const { etag } = await store.put(at('plain'), Buffer.from('x'));
    const head = await store.head(at('plain'));
    expect(head).toMatchObject({ etag, size: 1, metadata: {}, storageClass: 'STANDARD', tagCount: 0 });
    expect(head?.websiteRedirect).toBeUndefined();
    expect(head?.objectLock).toBeUndefined();
  });

  test('include the SHA-256 that S3 checked at upload', async () => {
    await store.put(at('checksum'), Buffer.from('hello'));
    expect(await store.head(at('checksum'))).toMatchObject({
      checksumAlgorithm: 'SHA256',
      checksumSha256: 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=',
    });
    const wrong = { attributes: { checksumSha256: 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=' } };
    await expect(store.put(at('checksum'), Buffer.from('hallo'), wrong)).rejects.toMatchObject({
      name: 'ObjectStoreError',
    });
  });

  test('include Object Lock', async () => {
    await fetch(`${server.endpoint}/${BUCKET}/locked`, {
      method: 'PUT',
      body: 'x',
      headers: {
        'x-amz-object-lock-mode': 'GOVERNANCE',
        'x-amz-object-lock-retain-until-date': '2040-01-01T00:00:00.000Z',
      },
    });
    const head = await store.head(at('locked'));
    expect(head?.objectLock).toMatchObject({
      mode: 'GOVERNANCE',
      retainUntil: new Date('2040-01-01T00:00:00Z'),
    });
  });

  test('an ACL is sent only when asked for', async () => {
    await store.put(at('acl'), Buffer.from('x'), { acl: 'bucket-owner-full-control' });
    await expect(store.put(at('acl'), Buffer.from('x'), { acl: 'public-read' })).rejects.toThrow('ACL');
  });
});

describe('conditions', () => {
  test('absent writes only where there is no object', async () => {
    await store.put(at('once'), Buffer.from('first'), { condition: 'absent' });
    const second = store.put(at('once'), Buffer.from('second'), { condition: 'absent' });
    await expect(second).rejects.toMatchObject({ code: 'PreconditionFailed' });
    expect(text((await getObject('once')).body)).toBe('first');
  });

  test('an ETag writes only over that very object', async () => {
    const { etag } = await store.put(at('etag'), Buffer.from('first'));
    await store.put(at('etag'), Buffer.from('second'), { condition: { etag } });
    const third = store.put(at('etag'), Buffer.from('third'), { condition: { etag } });
    await expect(third).rejects.toMatchObject({ code: 'PreconditionFailed' });
    const gone = store.put(at('gone'), Buffer.from('x'), { condition: { etag } });
    await expect(gone).rejects.toMatchObject({ code: 'PreconditionFailed' });
  });

  test('a known ETag saves reading the body', async () => {
    const { etag } = await store.put(at('known'), Buffer.from('x'));
    expect(await store.get(at('known'), { ifNoneMatch: etag })).toBe('not-modified');
    expect(await store.get(at('known'), { ifNoneMatch: 'other' })).toMatchObject({ etag });
  });
});

describe('an object that does not exist or may not be read', () => {
  test('a missing object is undefined, a missing bucket an error', async () => {
    expect(await store.head(at('missing'))).toBeUndefined();
    expect(await store.get(at('missing'))).toBeUndefined();
    const call = store.get({ bucket: 'no-such-bucket', key: 'x' });
    await expect(call).rejects.toThrow('GetObject s3://no-such-bucket/x: no such bucket');
    await expect(collect(store.read(at('missing')))).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('an archived object is recognised by HEAD, and its GET fails with Archived', async () => {
    await store.put(at('cold'), Buffer.from('x'), { attributes: { storageClass: 'DEEP_ARCHIVE' } });
    await store.put(at('cool'), Buffer.from('x'), { attributes: { storageClass: 'GLACIER_IR' } });
    expect(await store.head(at('cold'))).toMatchObject({ archived: true });
    expect(await store.head(at('cool'))).toMatchObject({ archived: false });
    await expect(store.get(at('cold'))).rejects.toMatchObject({ code: 'Archived' });
    expect(text((await getObject('cool')).body)).toBe('x');
  });

  test.each([
    ['GET', 403, 'AccessDenied', 'the role needs s3:GetObject'],
    ['GET', 400, 'KMS.DisabledException', 'KMS key cannot be used: KMS.DisabledException'],
    ['HEAD', 403, 'AccessDenied', 'kms:Decrypt'],
    ['PUT', 403, 'AccessDenied', 'kms:GenerateDataKey'],
  ])('%s answered with %i %s is AccessDenied and names the permission', async (method, status, code, permission) => {
    const key = `denied-${method}-${code}`;
    faults.set(key, () => ({ status, code }));
    const call = () => {
      if (method === 'PUT') return store.put(at(key), Buffer.from('x'));
      return method === 'GET' ? store.get(at(key)) : store.head(at(key));
    };
    const error = await call().then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ name: 'ObjectStoreError', code: 'AccessDenied' });
    expect(error.message).toContain(permission);
    expect(error.message).toContain(`s3://${BUCKET}/${key}`);
  });

  test.each([
    ['AccessDenied', 'The file system refuses access to /photos/a.jpg (EACCES).', ''],
    ['InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', 'InvalidAccessKeyId: '],
  ])('%s with a stated reason is reported with it, not with a permission that would not help', async (code, message, name) => {
    faults.set('reason', () => ({ status: 403, code, message }));
    await expect(store.get(at('reason'))).rejects.toMatchObject({
      code: 'AccessDenied',
      message: `GetObject s3://${BUCKET}/reason: access denied; ${name}${message}`,
    });
  });

  test('a body above maxBytes is not read', async () => {
    await store.put(at('big'), Buffer.alloc(1000));
    await expect(store.get(at('big'), { maxBytes: 999 })).rejects.toMatchObject({ code: 'TooLarge' });
    expect(await store.get(at('big'), { maxBytes: 1000 })).toMatchObject({ size: 1000 });
  });
});

describe('faults', () => {
  test('SlowDown is retried, and after the last attempt it is Throttled', async () => {
    await store.put(at('slow'), Buffer.from('x'));
    faults.set('slow', ({ count }) => (count < 3 ? { status: 503, code: 'SlowDown' } : undefined));
    expect(text((await getObject('slow')).body)).toBe('x');
    faults.set('slow', () => ({ status: 503, code: 'SlowDown' }));
    const twoAttempts = createS3Store(clientFor(server, 2));
    await expect(twoAttempts.get(at('slow'))).rejects.toMatchObject({ code: 'Throttled' });
    await expect(twoAttempts.get(at('slow'))).rejects.toThrow('after 2 attempts');
  });

  test('a body cut short is read again', async () => {
    const body = randomBytes(300_000);
    await store.put(at('cut'), body);
    faults.set('cut', ({ method, count }) => (method === 'GET' && count < 3 ? 'cut-body' : undefined));
    expect(Buffer.compare((await getObject('cut')).body, body)).toBe(0);
  });

  test('a body that is always cut short fails after the last attempt', async () => {
    await store.put(at('always-cut'), randomBytes(1000));
    faults.set('always-cut', ({ method }) => (method === 'GET' ? 'cut-body' : undefined));
    await expect(store.get(at('always-cut'))).rejects.toMatchObject({
      name: 'ObjectStoreError',
      code: 'Unexpected',
    });
  });

  test('a stream cut short resumes where it stopped', async () => {
    const body = randomBytes(500_000);
    await store.put(at('cut-stream'), body);
    faults.set('cut-stream', ({ count }) => (count < 6 ? 'cut-body' : undefined));
    expect(Buffer.compare(await collect(store.read(at('cut-stream'))), body)).toBe(0);
  });

  test('a stream is not resumed with another object', async () => {
    await store.put(at('swapped'), randomBytes(500_000));
    faults.set('swapped', ({ method, count }) => (method === 'GET' && count === 1 ? 'cut-body' : undefined));
    const reading = async () => {
      for await (const _ of store.read(at('swapped'))) await store.put(at('swapped'), Buffer.from('other'));
    };
    await expect(reading()).rejects.toMatchObject({ name: 'ObjectStoreError' });
  });

  test('a server that cannot be reached is an ObjectStoreError that names the object', async () => {
    const nowhere = createS3Store(clientFor({ ...server, endpoint: 'http://127.0.0.1:1' }, 1));
    await expect(nowhere.head(at('x'))).rejects.toThrow(`HeadObject s3://${BUCKET}/x: `);
    await expect(nowhere.head(at('x'))).rejects.toMatchObject({ code: 'Unexpected' });
  });
});

describe('streams', () => {
  test('a range includes both its ends', async () => {
    await store.put(at('range'), Buffer.from('0123456789'));
    expect(text(await collect(store.read(at('range'), { start: 2, end: 4 })))).toBe('234');
    expect(text(await collect(store.read(at('range'))))).toBe('0123456789');
  });

  test('uploads of unknown length are complete, below and above the size of a part', async () => {
    for (const [key, chunks] of [
      ['small', 3],
      ['large', 20],
      ['none', 0],
    ] as const) {
      const chunk = randomBytes(1_000_000);
      async function* body() {
        for (let n = 0; n < chunks; n++) yield chunk;
        yield 'end';
      }
      await store.upload(at(key), body(), 'application/x-ndjson');
      const arrived = await getObject(key);
      expect(arrived).toMatchObject({ contentType: 'application/x-ndjson' });
      const sent = Buffer.concat([...Array.from({ length: chunks }, () => chunk), Buffer.from('end')]);
      expect(Buffer.compare(arrived.body, sent)).toBe(0);
    }
  });

  test('an empty upload is an empty object', async () => {
    async function* nothing(): AsyncGenerator<string> {}
    await store.upload(at('empty'), nothing(), 'text/plain');
    expect(await store.head(at('empty'))).toMatchObject({ size: 0 });
  });

  test('an upload whose source fails writes nothing and throws the source’s own error', async () => {
    const failure = new Error('line 7 is no JSON');
    async function* broken() {
      yield randomBytes(9_000_000);
      throw failure;
    }
    await expect(store.upload(at('broken'), broken(), 'text/plain')).rejects.toBe(failure);
    expect(await store.head(at('broken'))).toBeUndefined();
  });
});

describe('keys', () => {
  const ODD_KEYS = [
    'odd/a b+c%20d.jpg',
    'odd//double.jpg',
    'odd/ünï/写真 🙂.png',
    'odd/(parentheses) \'quotes\' "double";&=?#@.jpg',
    'odd/ leading and trailing ',
    'odd/<xml>&amp;.jpg',
    `odd/${'k'.repeat(1020)}`,
  ];

  test('are raw in every call', async () => {
    for (const key of ODD_KEYS) await store.put(at(key), Buffer.from(key));
    for (const key of ODD_KEYS) expect(text((await getObject(key)).body)).toBe(key);
    const listed: string[] = [];
    for await (const { key } of store.list(BUCKET, 'odd/')) listed.push(key);
    expect(new Set(listed)).toEqual(new Set(ODD_KEYS));
  });

  test('are listed in order over several pages, with size and ETag', async () => {
    const keys = Array.from({ length: 1_203 }, (_, n) => `many/${String(n).padStart(5, '0')}`);
    const [first = '', ...others] = keys;
    await store.put(at(first), Buffer.from('x'));
    for (const key of others) writeFileSync(join(folder, 'bucket', key), 'x');
    const listed = [];
    for await (const object of store.list(BUCKET, 'many/')) listed.push(object);
    expect(listed.map(({ key }) => key)).toEqual(keys);
    expect(listed[0]).toMatchObject({ size: 1, etag: '9dd4e461268c8034f5c8564e155c67a6' });
  });
});
