import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { forwardRequest } from '../../../local/cloud/upstream-s3.ts';
import type { Upstream } from '../../../local/s3/s3-server.ts';
import { injectFaults } from '../../support/s3-faults.ts';
import {
  clientOf,
  rawRequest,
  type ServedBucket,
  serveBucket,
  statusOf,
  temporaryFolder,
} from '../../support/served-bucket.ts';

const Bucket = 'archive';
const accessKeyId = 'local';
const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260131/us-east-1/s3/aws4_request`;

function upstreamOf(client: S3Client): Upstream {
  return { accessKeyId, answer: (...request) => forwardRequest(client, ...request) };
}

/** A server that knows only `photos`, before one that has `archive` as well. */
async function serveWithUpstream(
  options?: Parameters<typeof serveBucket>[0],
): Promise<{ far: ServedBucket; near: ServedBucket }> {
  const root = await temporaryFolder();
  const place = { folder: path.join(root, 'archive'), state: path.join(root, 'archive-state') };
  const far = await serveBucket({ buckets: { archive: place }, ...options });
  const near = await serveBucket({
    upstream: upstreamOf(clientOf(far.server.endpoint)),
  });
  return { far: { ...far, folder: place.folder }, near };
}

describe('buckets that are not local', () => {
  it('are read from the upstream S3, with every header, range and condition', async () => {
    const { far, near } = await serveWithUpstream();
    const Key = 'cam 1/a+b ü.jpg';
    const attributes = {
      ContentType: 'image/webp',
      CacheControl: 'no-cache',
      Metadata: { who: 'me' },
      StorageClass: 'GLACIER_IR',
    } as const;
    const { ETag } = await far.client.send(
      new PutObjectCommand({ Bucket, Key, Body: 'pixels', Tagging: 'a=1', ...attributes }),
    );
    const read = (more: object = {}) => near.client.send(new GetObjectCommand({ Bucket, Key, ...more }));
    const whole = await read();
    expect(whole).toMatchObject({ ...attributes, ETag, TagCount: 1, ContentLength: 6 });
    expect(await whole.Body!.transformToString()).toBe('pixels');
    expect(await (await read({ Range: 'bytes=2-3' })).Body!.transformToString()).toBe('xe');
    expect(await statusOf(read({ IfNoneMatch: ETag }))).toBe(304);
    expect(await statusOf(read({ IfMatch: '"00"' }))).toBe(412);
    const head = await near.client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(head).toMatchObject({ ...attributes, ContentLength: 6 });
    expect(head.ChecksumCRC32).toBeTruthy();
    const tags = await near.client.send(new GetObjectTaggingCommand({ Bucket, Key }));
    expect(tags.TagSet).toEqual([{ Key: 'a', Value: '1' }]);
  });

  it('are listed page by page', async () => {
    const { far, near } = await serveWithUpstream();
    await mkdir(path.join(far.folder, 'a b'));
    for (let index = 0; index < 9; index++) await writeFile(path.join(far.folder, `a b/${index}+.jpg`), 'x');
    const keys: string[] = [];
    for await (const page of paginateListObjectsV2({ client: near.client, pageSize: 4 }, { Bucket, Prefix: 'a b/' })) {
      keys.push(...page.Contents!.map((one) => one.Key!));
    }
    expect(keys).toEqual(Array.from({ length: 9 }, (_, index) => `a b/${index}+.jpg`));
    const first = await near.client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2, StartAfter: 'a b/1+.jpg' }));
    expect(first.Contents?.map((one) => one.Key)).toEqual(['a b/2+.jpg', 'a b/3+.jpg']);
  });

  it('take a PutObject with its headers and conditions, from memory and as a stream', async () => {
    const { far, near } = await serveWithUpstream();
    const put = (Key: string, more: object) => near.client.send(new PutObjectCommand({ Bucket, Key, ...more }));
    const attributes = {
      ContentType: 'image/png',
      ContentEncoding: 'gzip',
      Metadata: { who: 'me' },
      CacheControl: 'no-store',
    };
    const { ETag } = await put('a', {
      Body: 'pixels',
      Tagging: 'a=1',
      IfNoneMatch: '*',
      ChecksumAlgorithm: 'SHA256',
      ...attributes,
    });
    const found = await far.client.send(new HeadObjectCommand({ Bucket, Key: 'a', ChecksumMode: 'ENABLED' }));
    expect(found).toMatchObject({ ...attributes, ETag, TagCount: 1 });
    expect(found.ChecksumSHA256).toBeTruthy();
    expect(await statusOf(put('a', { Body: 'other', IfNoneMatch: '*' }))).toBe(412);
    expect(await statusOf(put('a', { Body: 'other', IfMatch: ETag }))).toBe(200);
    const chunks = Array.from({ length: 20 }, (_, index) => Buffer.alloc(300_000, String(index)));
    await put('stream', { Body: Readable.from(chunks), ContentLength: 6_000_000 });
    const stored = await far.client.send(new GetObjectCommand({ Bucket, Key: 'stream' }));
    expect(Buffer.concat(chunks).equals(Buffer.from(await stored.Body!.transformToByteArray()))).toBe(true);
  });

  it('refuse everything else, and pass on the errors of the upstream S3', async () => {
    const { near } = await serveWithUpstream();
    const { client } = near;
    expect(await statusOf(client.send(new DeleteObjectCommand({ Bucket, Key: 'a' })))).toBe(501);
    expect(await statusOf(client.send(new CopyObjectCommand({ Bucket, Key: 'a', CopySource: 'photos/a' })))).toBe(501);
    expect(await rawRequest(near.server, 'PUT', '/archive/a?tagging', { authorization })).toMatchObject({
      status: 501,
    });
    await expect(client.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    await expect(client.send(new GetObjectCommand({ Bucket: 'nobody', Key: 'a' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
  });

  it('need no request while local ones are served', async () => {
    const { far, near } = await serveWithUpstream();
    await near.client.send(new PutObjectCommand({ Bucket: 'photos', Key: 'a', Body: 'local' }));
    expect(near.events).toHaveLength(1);
    expect(far.events).toHaveLength(0);
  });

  it.each([
    ['no key', {}],
    ['another key', { authorization: authorization.replace(accessKeyId, 'guessed') }],
  ])('are closed to a request that brings %s, and so are the local ones beside them', async (_case, headers) => {
    const { far, near } = await serveWithUpstream();
    const refused = { status: 403, code: 'InvalidAccessKeyId' };
    expect(await rawRequest(near.server, 'GET', '/archive/?list-type=2', headers)).toMatchObject(refused);
    expect(await rawRequest(near.server, 'PUT', '/archive/a', headers, 'x')).toMatchObject(refused);
    expect(await rawRequest(near.server, 'GET', '/photos/a', headers)).toMatchObject(refused);
    expect(far.events).toEqual([]);
  });

  it('do not exist without an upstream', async () => {
    const { server } = await serveBucket();
    expect(await rawRequest(server, 'PUT', '/archive/a', {}, 'x')).toMatchObject({
      status: 404,
      code: 'NoSuchBucket',
    });
  });

  it('stream a body, and break the connection when it breaks', async () => {
    const { far, near } = await serveWithUpstream({
      beforeRequest: injectFaults(({ method }) => (method === 'GET' ? 'cut-body' : undefined)),
    });
    await far.client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: Buffer.alloc(3_000_000) }));
    await expect(rawRequest(near.server, 'GET', '/archive/a', { authorization })).rejects.toThrow(/aborted|hang up/);
  });

  it('report missing credentials and an upstream that does not answer', async () => {
    const credentials = async () => {
      throw Object.assign(new Error('Could not load credentials from any providers'), {
        name: 'CredentialsProviderError',
      });
    };
    const upstream = new S3Client({
      endpoint: 'http://127.0.0.1:9',
      region: 'us-east-1',
      credentials,
      maxAttempts: 1,
    });
    const { server } = await serveBucket({ upstream: upstreamOf(upstream) });
    const answer = await rawRequest(server, 'GET', '/archive/a', { authorization });
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(answer.body.toString()).toContain('Could not load credentials');
    const { server: other } = await serveBucket({
      upstream: upstreamOf(clientOf('http://127.0.0.1:9', { maxAttempts: 1 })),
    });
    expect(await rawRequest(other, 'GET', '/archive/a', { authorization })).toMatchObject({
      status: 400,
      code: 'S3Unreachable',
    });
  });
});
