import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { startS3Server } from '../../../local/s3/s3-server.ts';
import { injectFaults } from '../../support/s3-faults.ts';
import { clientOf, rawRequest, serveBucket, statusOf, temporaryFolder } from '../../support/served-bucket.ts';

const Bucket = 'photos';

function put(
  client: S3Client,
  Key: string,
  Body: PutObjectCommandInput['Body'],
  more: Partial<PutObjectCommandInput> = {},
) {
  return client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
}

async function bytesOf(client: S3Client, Key: string, more: object = {}): Promise<Buffer> {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await answer.Body!.transformToByteArray());
}

async function textOf(client: S3Client, Key: string, more: object = {}): Promise<string> {
  return (await bytesOf(client, Key, more)).toString();
}

function head(client: S3Client, Key: string, more: object = {}) {
  return client.send(new HeadObjectCommand({ Bucket, Key, ...more }));
}

function bucketsIn(root: string, names: readonly string[]) {
  const place = (name: string) => ({ folder: path.join(root, name), state: path.join(root, 'state', name) });
  return Object.fromEntries(names.map((name) => [name, place(name)]));
}

function md5(bytes: string | Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

describe('objects and files', () => {
  it('serves files in the folder and writes objects as plain files', async () => {
    const { client, folder } = await serveBucket();
    await mkdir(path.join(folder, 'cam 1+α'));
    await writeFile(path.join(folder, 'cam 1+α/frame 0.jpg'), 'pixels');
    expect(await textOf(client, 'cam 1+α/frame 0.jpg')).toBe('pixels');
    await put(client, 'new/ünder/b.jpg', 'more');
    expect(readFileSync(path.join(folder, 'new/ünder/b.jpg'), 'utf8')).toBe('more');
    expect(readdirSync(folder).sort()).toEqual(['cam 1+α', 'new']);
  });

  it('gives an untouched file an ETag that is not an MD5, needs no reading, and changes with the file', async () => {
    const { client, folder } = await serveBucket();
    const file = path.join(folder, 'a.jpg');
    await writeFile(file, 'one');
    const first = await head(client, 'a.jpg');
    expect(first.ETag).toMatch(/^"[0-9a-f]{32}-1"$/);
    expect(first.ContentType).toBe('image/jpeg');
    expect((await head(client, 'a.jpg')).ETag).toBe(first.ETag);
    await writeFile(file, 'two');
    await utimes(file, new Date(), new Date(Date.now() + 5000));
    expect((await head(client, 'a.jpg')).ETag).not.toBe(first.ETag);
  });

  it('gives a written object its MD5 as ETag, until somebody edits the file', async () => {
    const { client, folder } = await serveBucket();
    const { ETag } = await put(client, 'a.jpg', 'hello', { Metadata: { who: 'me' } });
    expect(ETag).toBe(`"${md5('hello')}"`);
    await writeFile(path.join(folder, 'a.jpg'), 'edited by hand');
    const edited = await head(client, 'a.jpg');
    expect(edited.ETag).toMatch(/-1"$/);
    expect(edited.Metadata).toEqual({});
    expect(edited.ContentLength).toBe(14);
  });

  it('keeps attributes, tags and ETags across a restart', async () => {
    const root = await temporaryFolder();
    const place = { folder: path.join(root, 'b'), state: path.join(root, 's') };
    const run = async <T>(work: (client: S3Client) => Promise<T>) => {
      const server = await startS3Server({ buckets: { photos: place } });
      const client = clientOf(server.endpoint);
      try {
        return await work(client);
      } finally {
        client.destroy();
        await server.close();
      }
    };
    for (const key of ['a.jpg', 'odd//a.jpg', 'a.jpg/below']) {
      await run((client) => put(client, key, key, { Metadata: { key: 'x' }, Tagging: 't=1' }));
    }
    for (const key of ['a.jpg', 'odd//a.jpg', 'a.jpg/below']) {
      const found = await run((client) => head(client, key));
      expect(found).toMatchObject({ ETag: `"${md5(key)}"`, Metadata: { key: 'x' }, TagCount: 1 });
      expect(await run((client) => textOf(client, key))).toBe(key);
    }
  });

  it('passes large bodies through in both directions', async () => {
    const { client, folder } = await serveBucket();
    const size = 20 * 1024 * 1024 + 17;
    const body = Buffer.alloc(size, 'image');
    await put(client, 'large.tif', Readable.from([body.subarray(0, 5_000_000), body.subarray(5_000_000)]), {
      ContentLength: size,
    });
    expect((await stat(path.join(folder, 'large.tif'))).size).toBe(size);
    expect((await bytesOf(client, 'large.tif')).equals(body)).toBe(true);
  });

  it('reads a file no faster than the client does', async () => {
    const { folder, server } = await serveBucket();
    await writeFile(path.join(folder, 'huge.tif'), '');
    await truncate(path.join(folder, 'huge.tif'), 512 * 1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    const socket = connect(server.port, '127.0.0.1', () =>
      socket.write('GET /photos/huge.tif HTTP/1.1\r\nhost: x\r\n\r\n'),
    );
    socket.pause();
    await setTimeout(300);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
    socket.destroy();
  });

  it('keeps the old object when a client disconnects during a write', async () => {
    const { client, server, state } = await serveBucket();
    await put(client, 'a.jpg', 'old');
    const sent = request({
      port: server.port,
      method: 'PUT',
      path: '/photos/a.jpg',
      headers: { 'content-length': '1000' },
    });
    sent.on('error', () => {});
    sent.write('only the beginning');
    const temporary = path.join(state, 'temporary');
    await expect.poll(() => readdirSync(temporary).length).toBe(1);
    sent.destroy();
    await expect.poll(() => readdirSync(temporary).length).toBe(0);
    expect(await textOf(client, 'a.jpg')).toBe('old');
  });

  it('shows every reader a whole object while it is being overwritten', async () => {
    const { client } = await serveBucket();
    const versions = ['a', 'b', 'c'].map((letter) => Buffer.alloc(3_000_000, letter));
    await put(client, 'a.bin', versions[0]);
    const writing = (async () => {
      for (const version of [...versions, ...versions]) await put(client, 'a.bin', version);
    })();
    for (let read = 0; read < 8; read++) {
      const answer = await client.send(new GetObjectCommand({ Bucket, Key: 'a.bin' }));
      const body = Buffer.from(await answer.Body!.transformToByteArray());
      expect(answer.ETag).toBe(`"${md5(body)}"`);
    }
    await writing;
  });

  it('follows a link to a file of the same bucket, and hides what leads out or round in circles', async () => {
    const { client, folder, state } = await serveBucket();
    const outside = path.join(path.dirname(state), 'secret.txt');
    await writeFile(outside, 'secret');
    await writeFile(path.join(folder, 'real.jpg'), 'real');
    await symlink('real.jpg', path.join(folder, 'link.jpg'));
    await symlink(outside, path.join(folder, 'out.txt'));
    await symlink(path.dirname(outside), path.join(folder, 'outside'));
    await symlink('.', path.join(folder, 'loop'));
    await symlink('nowhere', path.join(folder, 'dangling'));
    expect(await textOf(client, 'link.jpg')).toBe('real');
    for (const key of ['out.txt', 'outside/secret.txt', 'loop/real.jpg', 'dangling', 'outside', 'loop']) {
      expect([key, await statusOf(head(client, key))]).toEqual([key, 404]);
    }
    await put(client, 'outside/written.txt', 'inside the bucket');
    await put(client, 'loop/deeper/written.txt', 'inside the bucket');
    await put(client, 'out.txt', 'replaced');
    expect(await textOf(client, 'outside/written.txt')).toBe('inside the bucket');
    expect(await textOf(client, 'out.txt')).toBe('replaced');
    expect(readFileSync(outside, 'utf8')).toBe('secret');
    expect((await readdir(path.dirname(outside))).sort()).toEqual(['photos', 'secret.txt', 'state']);
    expect(existsSync(path.join(folder, 'deeper'))).toBe(false);
  });

  it('refuses a state folder inside the served folder, and a read-only folder that is not there', async () => {
    const root = await temporaryFolder();
    const inside = { folder: root, state: path.join(root, 'state') };
    await expect(startS3Server({ buckets: { photos: inside } })).rejects.toThrow(/outside/);
    const missing = { folder: path.join(root, 'none'), state: path.join(root, 's'), readOnly: true };
    await expect(startS3Server({ buckets: { photos: missing } })).rejects.toThrow(
      /Expected a folder for bucket "photos" but found none at .*none/,
    );
  });
});

describe('a read-only bucket', () => {
  it('refuses every write with 403 and creates nothing in the folder', async () => {
    const root = await temporaryFolder();
    const folder = path.join(root, 'originals');
    await mkdir(folder);
    await writeFile(path.join(folder, 'a.jpg'), 'original');
    const before = await stat(folder);
    const place = { folder, state: path.join(root, 'state'), readOnly: true };
    const { client, server, events } = await serveBucket({ buckets: { photos: place } });
    const writes = [
      ['PUT', '/photos/b.jpg'],
      ['PUT', '/photos/sub/b.jpg'],
      ['PUT', '/photos/a.jpg?tagging'],
      ['DELETE', '/photos/a.jpg'],
      ['POST', '/photos/b.jpg?uploads'],
      ['POST', '/photos?delete'],
    ];
    for (const [method, url] of writes) {
      expect(await rawRequest(server, method!, url!)).toMatchObject({ status: 403, code: 'AccessDenied' });
    }
    const copy = new CopyObjectCommand({ Bucket, Key: 'c.jpg', CopySource: 'photos/a.jpg' });
    expect(await statusOf(client.send(copy))).toBe(403);
    expect(await textOf(client, 'a.jpg')).toBe('original');
    expect(await readdir(folder)).toEqual(['a.jpg']);
    expect((await stat(folder)).mtimeMs).toBe(before.mtimeMs);
    expect(events).toEqual([]);
  });
});

describe('conditions', () => {
  it('lets exactly one of many writers create an object with If-None-Match: *', async () => {
    const { client } = await serveBucket();
    const writers = Array.from({ length: 12 }, (_, index) =>
      statusOf(put(client, 'one', `${index}`, { IfNoneMatch: '*' })),
    );
    const answers = await Promise.all(writers);
    expect(answers.filter((status) => status === 200)).toHaveLength(1);
    expect(answers.filter((status) => status === 412)).toHaveLength(11);
  });

  it('lets exactly one of many writers replace the ETag that all have read', async () => {
    const { client } = await serveBucket();
    const { ETag } = await put(client, 'one', 'first');
    const writers = Array.from({ length: 12 }, (_, index) =>
      statusOf(put(client, 'one', `${index}`, { IfMatch: ETag })),
    );
    const answers = await Promise.all(writers);
    expect(answers.filter((status) => status === 200)).toHaveLength(1);
  });

  it.each([
    ['If-Match of another ETag', 'there', { 'if-match': '"00"' }, 412, 'PreconditionFailed'],
    ['If-Match of a missing key', 'missing', { 'if-match': '"00"' }, 404, 'NoSuchKey'],
    ['If-Match: *', 'there', { 'if-match': '*' }, 501, 'NotImplemented'],
    ['If-None-Match of an ETag', 'there', { 'if-none-match': '"00"' }, 501, 'NotImplemented'],
    ['both', 'there', { 'if-match': '"00"', 'if-none-match': '*' }, 501, 'NotImplemented'],
    ['If-None-Match: * of an object', 'there', { 'if-none-match': '*' }, 412, 'PreconditionFailed'],
  ])('answers a PUT with %s as S3 does', async (_, key, headers, status, code) => {
    const { client, server } = await serveBucket();
    await put(client, 'there', 'old');
    expect(await rawRequest(server, 'PUT', `/photos/${key}`, headers, 'new')).toMatchObject({ status, code });
    expect(await textOf(client, 'there')).toBe('old');
    expect(await statusOf(head(client, 'missing'))).toBe(404);
  });

  it('answers conditional reads with 304 and 412', async () => {
    const { client } = await serveBucket();
    const { ETag } = await put(client, 'a', 'x');
    const past = new Date(Date.now() - 60_000);
    const future = new Date(Date.now() + 60_000);
    const read = (more: object) => statusOf(client.send(new GetObjectCommand({ Bucket, Key: 'a', ...more })));
    expect(await read({ IfNoneMatch: ETag })).toBe(304);
    expect(await read({ IfNoneMatch: '"00"' })).toBe(200);
    expect(await read({ IfMatch: ETag })).toBe(200);
    expect(await read({ IfMatch: '"00"' })).toBe(412);
    expect(await read({ IfModifiedSince: future })).toBe(304);
    expect(await read({ IfModifiedSince: past })).toBe(200);
    expect(await read({ IfUnmodifiedSince: past })).toBe(412);
    expect(await read({ IfUnmodifiedSince: past, IfMatch: ETag })).toBe(200);
    expect(await read({ IfModifiedSince: future, IfNoneMatch: '"00"' })).toBe(200);
    expect(await statusOf(head(client, 'a', { IfNoneMatch: ETag }))).toBe(304);
  });

  it('deletes only what If-Match names', async () => {
    const { client } = await serveBucket();
    const { ETag } = await put(client, 'a', 'x');
    const remove = (IfMatch?: string) => client.send(new DeleteObjectCommand({ Bucket, Key: 'a', IfMatch }));
    expect(await statusOf(remove('"00"'))).toBe(412);
    expect(await textOf(client, 'a')).toBe('x');
    expect(await statusOf(remove(ETag))).toBe(204);
    expect(await statusOf(remove(ETag))).toBe(404);
    expect(await statusOf(remove())).toBe(204);
  });
});

describe('checksums', () => {
  const body = '123456789';
  // The check values that the definitions of the algorithms give for this text.
  const known: [string, string][] = [
    ['crc32', Buffer.from('cbf43926', 'hex').toString('base64')],
    ['crc32c', Buffer.from('e3069283', 'hex').toString('base64')],
    ['crc64nvme', Buffer.from('ae8b14860a799888', 'hex').toString('base64')],
    ['sha1', createHash('sha1').update(body).digest('base64')],
    ['sha256', createHash('sha256').update(body).digest('base64')],
  ];

  it.each(known)('verifies %s from the header, stores it, and returns it on request', async (name, value) => {
    const { server } = await serveBucket();
    const header = `x-amz-checksum-${name}`;
    const written = await rawRequest(server, 'PUT', '/photos/a', { [header]: value }, body);
    expect(written).toMatchObject({ status: 200, headers: { [header]: value } });
    const asked = await rawRequest(server, 'GET', '/photos/a', { 'x-amz-checksum-mode': 'ENABLED' });
    expect(asked.headers).toMatchObject({ [header]: value, 'x-amz-checksum-type': 'FULL_OBJECT' });
    expect((await rawRequest(server, 'HEAD', '/photos/a')).headers[header]).toBeUndefined();
    const wrong = await rawRequest(server, 'PUT', '/photos/b', { [header]: value }, `${body}0`);
    expect(wrong).toMatchObject({ status: 400, code: 'BadDigest' });
    expect((await rawRequest(server, 'HEAD', '/photos/b')).status).toBe(404);
  });

  it.each(known)('verifies %s from the trailer of an aws-chunked body', async (name, value) => {
    const { server } = await serveBucket();
    const headers = {
      'content-encoding': 'gzip,aws-chunked',
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '9',
      'x-amz-trailer': `x-amz-checksum-${name}`,
    };
    const framed = (sum: string) =>
      `4;chunk-signature=00\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-${name}:${sum}\r\n\r\n`;
    expect((await rawRequest(server, 'PUT', '/photos/a', headers, framed(value))).status).toBe(200);
    const read = await rawRequest(server, 'GET', '/photos/a');
    expect([read.body.toString(), read.headers['content-encoding']]).toEqual([body, 'gzip']);
    const wrong = await rawRequest(server, 'PUT', '/photos/b', headers, framed('AAAAAA=='));
    expect(wrong).toMatchObject({ status: 400, code: 'BadDigest' });
  });

  it.each([
    ['a length that is no number', 'xyz\r\n1234\r\n0\r\n\r\n', 'InvalidRequest'],
    ['a chunk cut short', '9\r\n1234', 'IncompleteBody'],
    ['fewer bytes than announced', '4\r\n1234\r\n0\r\n\r\n', 'IncompleteBody'],
    ['no line end after a chunk', '4\r\n123456789\r\n0\r\n\r\n', 'InvalidRequest'],
  ])('refuses an aws-chunked body with %s', async (_, framed, code) => {
    const { server } = await serveBucket();
    const headers = { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '9' };
    expect(await rawRequest(server, 'PUT', '/photos/a', headers, framed)).toMatchObject({
      status: 400,
      code,
    });
    expect((await rawRequest(server, 'HEAD', '/photos/a')).status).toBe(404);
  });

  it('verifies Content-MD5', async () => {
    const { server } = await serveBucket();
    const digest = createHash('md5').update(body).digest('base64');
    const send = (value: string) => rawRequest(server, 'PUT', '/photos/a', { 'content-md5': value }, body);
    expect(await send(createHash('md5').update('other').digest('base64'))).toMatchObject({
      status: 400,
      code: 'BadDigest',
    });
    expect(await send('nonsense')).toMatchObject({ status: 400, code: 'InvalidDigest' });
    expect((await send(digest)).status).toBe(200);
  });

  it('refuses an algorithm that it does not know, and two checksums at once', async () => {
    const { server } = await serveBucket();
    const unknown = await rawRequest(server, 'PUT', '/photos/a', { 'x-amz-checksum-xxhash64': 'AAAAAAAAAAA=' }, body);
    expect(unknown).toMatchObject({ status: 501, code: 'NotImplemented' });
    const two = { 'x-amz-checksum-crc32': known[0]![1], 'x-amz-checksum-crc32c': known[1]![1] };
    expect(await rawRequest(server, 'PUT', '/photos/a', two, body)).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
    });
  });

  it.each([
    'CRC32',
    'CRC32C',
    'SHA1',
    'SHA256',
  ] as const)('agrees with the SDK on %s, sent and read back', async (algorithm) => {
    const { client } = await serveBucket();
    await put(client, 'buffer', Buffer.alloc(100_000, 'x'), { ChecksumAlgorithm: algorithm });
    await put(client, 'stream', Readable.from([Buffer.alloc(100_000, 'x')]), {
      ChecksumAlgorithm: algorithm,
      ContentLength: 100_000,
    });
    const field = `Checksum${algorithm}` as const;
    const [buffer, stream] = [
      await head(client, 'buffer', { ChecksumMode: 'ENABLED' }),
      await head(client, 'stream', { ChecksumMode: 'ENABLED' }),
    ];
    expect(buffer[field]).toBeTruthy();
    expect(stream[field]).toBe(buffer[field]);
    expect((await bytesOf(client, 'stream', { ChecksumMode: 'ENABLED' })).length).toBe(100_000);
  });

  it('returns no whole-object checksum with a part of the object', async () => {
    const { client } = await serveBucket();
    await put(client, 'a', body);
    expect(await textOf(client, 'a', { Range: 'bytes=2-4', ChecksumMode: 'ENABLED' })).toBe('345');
  });
});

describe('attributes', () => {
  it('keeps and returns everything that a replacement has to carry over', async () => {
    const { client } = await serveBucket();
    const attributes = {
      ContentType: 'image/webp',
      CacheControl: 'public, max-age=31536000, immutable',
      ContentDisposition: `attachment; filename="a b.jpg"; filename*=UTF-8''%C3%BC.jpg`,
      ContentEncoding: 'gzip',
      ContentLanguage: 'de-AT, en',
      Metadata: { who: 'me', 'x-y': 'A b; c', utf: '=?UTF-8?B?w7w=?=' },
      StorageClass: 'STANDARD_IA',
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'arn:aws:kms:us-east-1:111122223333:key/1234',
      BucketKeyEnabled: true,
      WebsiteRedirectLocation: '/elsewhere.html',
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockLegalHoldStatus: 'ON',
    } as const;
    const until = new Date('2031-02-03T04:05:06.000Z');
    const answer = await put(client, 'a', 'x', {
      ...attributes,
      Expires: new Date('2030-01-01'),
      ObjectLockRetainUntilDate: until,
      Tagging: 'color=r%26b&empty=',
    });
    expect(answer).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: attributes.SSEKMSKeyId,
      BucketKeyEnabled: true,
    });
    for (const found of [await head(client, 'a'), await client.send(new GetObjectCommand({ Bucket, Key: 'a' }))]) {
      expect(found).toMatchObject({
        ...attributes,
        TagCount: 2,
        ExpiresString: 'Tue, 01 Jan 2030 00:00:00 GMT',
      });
      expect(found.ObjectLockRetainUntilDate).toEqual(until);
    }
    const tags = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'a' }));
    expect(tags.TagSet).toEqual([
      { Key: 'color', Value: 'r&b' },
      { Key: 'empty', Value: '' },
    ]);
  });

  it('forgets at a plain PUT what was not sent again', async () => {
    const { client } = await serveBucket();
    await put(client, 'a', 'x', {
      CacheControl: 'no-store',
      Metadata: { who: 'me' },
      StorageClass: 'GLACIER_IR',
      Tagging: 'a=1',
    });
    await put(client, 'a', 'y', { ContentType: 'image/png' });
    const found = await head(client, 'a');
    expect(found).toMatchObject({ ContentType: 'image/png', Metadata: {} });
    expect([found.CacheControl, found.StorageClass, found.TagCount]).toEqual([undefined, undefined, undefined]);
  });

  it('gives an object under KMS an ETag that is not an MD5', async () => {
    const { client } = await serveBucket();
    const { ETag } = await put(client, 'a', 'x', { ServerSideEncryption: 'aws:kms' });
    expect(ETag).not.toBe(`"${md5('x')}"`);
    expect((await head(client, 'a')).ETag).toBe(ETag);
  });

  it('refuses user metadata over 2 KB and takes it up to there', async () => {
    const { server } = await serveBucket();
    const send = (bytes: number) =>
      rawRequest(server, 'PUT', '/photos/a', { 'x-amz-meta-four': 'v'.repeat(bytes - 4) });
    expect((await send(2048)).status).toBe(200);
    expect(await send(2049)).toMatchObject({ status: 400, code: 'MetadataTooLarge' });
  });

  it.each([
    ['an unknown storage class', { 'x-amz-storage-class': 'SHINY' }, 400, 'InvalidStorageClass'],
    ['a public ACL', { 'x-amz-acl': 'public-read' }, 400, 'AccessControlListNotSupported'],
    ['customer keys', { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' }, 501, 'NotImplemented'],
    ['appending', { 'x-amz-write-offset-bytes': '1' }, 501, 'NotImplemented'],
    ['a lock mode without a date', { 'x-amz-object-lock-mode': 'GOVERNANCE' }, 400, 'InvalidArgument'],
    ['eleven tags', { 'x-amz-tagging': Array.from({ length: 11 }, (_, i) => `t${i}=1`).join('&') }, 400, 'BadRequest'],
  ])('refuses %s', async (_, headers, status, code) => {
    const { server } = await serveBucket();
    expect(await rawRequest(server, 'PUT', '/photos/a', headers as Record<string, string>, 'x')).toMatchObject({
      status,
      code,
    });
    expect((await rawRequest(server, 'HEAD', '/photos/a')).status).toBe(404);
  });

  it.each([
    ['GLACIER', 403],
    ['DEEP_ARCHIVE', 403],
    ['GLACIER_IR', 200],
    ['STANDARD_IA', 200],
  ] as const)('answers GET of an object in %s with %i, and HEAD always', async (StorageClass, status) => {
    const { client, server } = await serveBucket();
    await put(client, 'a', 'x', { StorageClass });
    const read = await rawRequest(server, 'GET', '/photos/a');
    expect([read.status, read.code]).toEqual([status, status === 403 ? 'InvalidObjectState' : undefined]);
    expect((await head(client, 'a')).StorageClass).toBe(StorageClass);
    const copy = new CopyObjectCommand({ Bucket, Key: 'b', CopySource: 'photos/a' });
    expect(await statusOf(client.send(copy))).toBe(status);
  });

  it('replaces and removes tags without touching the object, also on a file never written through it', async () => {
    const { client, folder } = await serveBucket();
    await writeFile(path.join(folder, 'a.jpg'), 'x');
    const before = await head(client, 'a.jpg');
    const TagSet = [{ Key: 'k <&>', Value: 'v "+ü' }];
    await client.send(new PutObjectTaggingCommand({ Bucket, Key: 'a.jpg', Tagging: { TagSet } }));
    expect((await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'a.jpg' }))).TagSet).toEqual(TagSet);
    const after = await head(client, 'a.jpg');
    expect(after).toMatchObject({ ETag: before.ETag, LastModified: before.LastModified, TagCount: 1 });
    await client.send(new PutObjectTaggingCommand({ Bucket, Key: 'a.jpg', Tagging: { TagSet: [] } }));
    expect((await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'a.jpg' }))).TagSet).toEqual([]);
    const missing = new GetObjectTaggingCommand({ Bucket, Key: 'none' });
    expect(await statusOf(client.send(missing))).toBe(404);
  });
});

describe('ranges', () => {
  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=8-100', 206, '89', 'bytes 8-9/10'],
    ['bytes=4-2', 200, '0123456789', undefined],
    ['bytes=0-1,4-5', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('answers %s with %i', async (range, status, text, contentRange) => {
    const { client, server } = await serveBucket();
    await put(client, 'a', '0123456789');
    const answer = await rawRequest(server, 'GET', '/photos/a', { range });
    expect([answer.status, answer.body.toString(), answer.headers['content-range']]).toEqual([
      status,
      text,
      contentRange,
    ]);
    expect(answer.headers['content-length']).toBe(String(text.length));
  });

  it('answers a range after the end with 416', async () => {
    const { client, server } = await serveBucket();
    await put(client, 'a', '0123456789');
    await put(client, 'empty', '');
    for (const [key, range] of [
      ['a', 'bytes=10-'],
      ['a', 'bytes=-0'],
      ['empty', 'bytes=0-0'],
    ]) {
      expect(await rawRequest(server, 'GET', `/photos/${key}`, { range: range! })).toMatchObject({
        status: 416,
        code: 'InvalidRange',
      });
    }
    expect(await textOf(client, 'empty')).toBe('');
  });
});

describe('copies', () => {
  const source = {
    ContentType: 'image/png',
    CacheControl: 'no-cache',
    Metadata: { a: '1' },
    StorageClass: 'STANDARD_IA',
    Tagging: 'a=1',
  } as const;
  const copy = (client: S3Client, Key: string, more: object = {}) =>
    client.send(
      new CopyObjectCommand({ Bucket, Key, CopySource: encodeURIComponent('photos/src a+b ü.png'), ...more }),
    );

  it('takes bytes, content headers, metadata and tags along, but not the storage class', async () => {
    const { client } = await serveBucket();
    await put(client, 'src a+b ü.png', 'pixels', source);
    const { CopyObjectResult } = await copy(client, 'copy.png');
    expect(CopyObjectResult?.ETag).toBe(`"${md5('pixels')}"`);
    const found = await head(client, 'copy.png', { ChecksumMode: 'ENABLED' });
    expect(found).toMatchObject({
      ContentType: 'image/png',
      CacheControl: 'no-cache',
      Metadata: { a: '1' },
      TagCount: 1,
    });
    expect(found.StorageClass).toBeUndefined();
    expect(found.ChecksumCRC32).toBeTruthy();
  });

  it('replaces metadata and tags on request', async () => {
    const { client } = await serveBucket();
    await put(client, 'src a+b ü.png', 'pixels', source);
    await copy(client, 'copy.png', {
      MetadataDirective: 'REPLACE',
      Metadata: { z: '9' },
      TaggingDirective: 'REPLACE',
      Tagging: 'b=2',
      StorageClass: 'GLACIER_IR',
    });
    const found = await head(client, 'copy.png');
    expect(found).toMatchObject({ Metadata: { z: '9' }, StorageClass: 'GLACIER_IR' });
    expect(found.CacheControl).toBeUndefined();
    const tags = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'copy.png' }));
    expect(tags.TagSet).toEqual([{ Key: 'b', Value: '2' }]);
  });

  it('obeys the conditions of source and target', async () => {
    const { client } = await serveBucket();
    const { ETag } = await put(client, 'src a+b ü.png', 'pixels', source);
    expect(await statusOf(copy(client, 'copy.png', { CopySourceIfMatch: '"00"' }))).toBe(412);
    expect(await statusOf(copy(client, 'copy.png', { CopySourceIfNoneMatch: ETag }))).toBe(412);
    expect(await statusOf(copy(client, 'copy.png', { IfMatch: '"00"' }))).toBe(404);
    expect(await statusOf(copy(client, 'copy.png', { CopySourceIfMatch: ETag, IfNoneMatch: '*' }))).toBe(200);
    expect(await statusOf(copy(client, 'copy.png', { IfNoneMatch: '*' }))).toBe(412);
  });

  it('changes attributes in place, and refuses a copy onto itself that would change nothing', async () => {
    const { client } = await serveBucket();
    await put(client, 'src a+b ü.png', 'pixels', source);
    expect(await statusOf(copy(client, 'src a+b ü.png'))).toBe(400);
    await copy(client, 'src a+b ü.png', { MetadataDirective: 'REPLACE', ContentType: 'image/webp' });
    expect((await head(client, 'src a+b ü.png')).ContentType).toBe('image/webp');
    expect(await textOf(client, 'src a+b ü.png')).toBe('pixels');
  });

  it('copies between buckets and reports a missing source', async () => {
    const root = await temporaryFolder();
    const { client } = await serveBucket({ buckets: bucketsIn(root, ['photos', 'backup']) });
    await put(client, 'a/b.png', Buffer.alloc(3_000_000, 'p'));
    const to = (CopySource: string) =>
      client.send(new CopyObjectCommand({ Bucket: 'backup', Key: 'deep/er/b.png', CopySource }));
    await to('/photos/a/b.png');
    expect((await stat(path.join(root, 'backup/deep/er/b.png'))).size).toBe(3_000_000);
    await expect(to('photos/none')).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(to('nobody/none')).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});

describe('events', () => {
  it('reports each creation and removal in the format of S3, with form-encoded keys', async () => {
    const { client, events } = await serveBucket();
    const key = 'in put/a+b&ü=%20(1).jpg';
    await put(client, key, 'pixels');
    await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: encodeURIComponent(`photos/${key}`) }));
    await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'never there' }));
    expect(events.map((event) => event.eventName)).toEqual([
      'ObjectCreated:Put',
      'ObjectCreated:Copy',
      'ObjectRemoved:Delete',
    ]);
    expect(events[0]).toMatchObject({
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: 'us-east-1',
      s3: {
        bucket: { name: 'photos', arn: 'arn:aws:s3:::photos' },
        object: { key: 'in+put/a%2Bb%26%C3%BC%3D%2520%281%29.jpg', size: 6, eTag: md5('pixels') },
      },
    });
    const encoded = events[0]!.s3.object.key;
    expect(decodeURIComponent(encoded.replaceAll('+', ' '))).toBe(key);
    expect(events[2]!.s3.object).not.toHaveProperty('size');
    expect(events[2]!.s3.object).not.toHaveProperty('eTag');
  });

  it('gives later events of a key greater sequencers, and none to refused writes', async () => {
    const { client, events } = await serveBucket();
    for (let round = 0; round < 20; round++) await put(client, 'a', `${round}`);
    await statusOf(put(client, 'a', 'x', { IfNoneMatch: '*' }));
    const sequencers = events.map((event) => event.s3.object.sequencer);
    expect(sequencers).toHaveLength(20);
    expect([...sequencers].sort()).toEqual(sequencers);
    expect(new Set(sequencers).size).toBe(20);
  });
});

describe('what it does not do', () => {
  it.each([
    ['GET', '/photos/a?acl'],
    ['PUT', '/photos/a?acl'],
    ['GET', '/photos/a?attributes'],
    ['POST', '/photos/a?restore'],
    ['POST', '/photos/a?select&select-type=2'],
    ['PUT', '/photos/a?retention'],
    ['PUT', '/photos/a?legal-hold'],
    ['PUT', '/photos/a?renameObject'],
    ['GET', '/photos?lifecycle'],
    ['PUT', '/photos?lifecycle'],
    ['PUT', '/photos?notification'],
    ['PUT', '/photos?versioning'],
    ['GET', '/photos?versions'],
    ['GET', '/photos?uploads'],
    ['DELETE', '/photos'],
    ['PUT', '/new-bucket'],
    ['GET', '/photos/a?some-future-subresource'],
    ['POST', '/photos/a'],
    ['PATCH', '/photos/a'],
  ])('refuses %s %s with 501 and leaves the object alone', async (method, url) => {
    const { client, server } = await serveBucket();
    await put(client, 'a', 'untouched');
    expect(await rawRequest(server, method, url)).toMatchObject({
      status: 501,
      code: 'NotImplemented',
    });
    expect(await textOf(client, 'a')).toBe('untouched');
  });

  it('names what is missing and answers malformed addresses', async () => {
    const { client, server } = await serveBucket();
    await expect(client.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(head(client, 'none')).rejects.toMatchObject({ name: 'NotFound' });
    await expect(client.send(new GetObjectCommand({ Bucket: 'nobody', Key: 'a' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
    expect(await rawRequest(server, 'GET', '/photos/%zz')).toMatchObject({ status: 400, code: 'InvalidURI' });
    expect(await rawRequest(server, 'PUT', `/photos/${'k'.repeat(1025)}`)).toMatchObject({
      status: 400,
      code: 'KeyTooLongError',
    });
    expect(await rawRequest(server, 'POST', '/photos?delete', {}, 'no xml')).toMatchObject({
      status: 400,
      code: 'MalformedXML',
    });
  });
});

describe('buckets', () => {
  it('lists its buckets and answers for them', async () => {
    const buckets = bucketsIn(await temporaryFolder(), ['photos', 'other']);
    const { client } = await serveBucket({ buckets });
    const listed = await client.send(new ListBucketsCommand({}));
    expect(listed.Buckets?.map((bucket) => bucket.Name)).toEqual(['photos', 'other']);
    expect((await client.send(new HeadBucketCommand({ Bucket }))).BucketRegion).toBe('us-east-1');
    expect(await statusOf(client.send(new HeadBucketCommand({ Bucket: 'nobody' })))).toBe(404);
  });

  it('deletes many keys in one request', async () => {
    const { client, events } = await serveBucket();
    const keys = ['a & b', 'c/d', 'e//f'];
    for (const key of keys) await put(client, key, 'x');
    const remove = (Quiet: boolean) =>
      client.send(
        new DeleteObjectsCommand({
          Bucket,
          Delete: { Quiet, Objects: [...keys, 'none'].map((Key) => ({ Key })) },
        }),
      );
    expect((await remove(false)).Deleted?.map((one) => one.Key)).toEqual([...keys, 'none']);
    for (const key of keys) expect(await statusOf(head(client, key))).toBe(404);
    expect((await remove(true)).Deleted).toBeUndefined();
    expect(events.filter((event) => event.eventName === 'ObjectRemoved:Delete')).toHaveLength(3);
  });
});

describe('faults that a test injects', () => {
  it('answers 503 until the SDK has tried often enough', async () => {
    const { client } = await serveBucket({
      beforeRequest: injectFaults(({ method, count }) =>
        method === 'PUT' && count <= 2 ? { status: 503, code: 'SlowDown' } : undefined,
      ),
    });
    await put(client, 'a', 'x');
    expect(await textOf(client, 'a')).toBe('x');
  });

  it.each([10, 3_000_000])('cuts a GET of %i bytes short after half of them', async (size) => {
    const { client, server } = await serveBucket({
      beforeRequest: injectFaults(({ method }) => (method === 'GET' ? 'cut-body' : undefined)),
    });
    await put(client, 'a', Buffer.alloc(size, 'x'));
    await expect(rawRequest(server, 'GET', '/photos/a')).rejects.toThrow(/aborted|hang up/);
  });

  it('performs a PUT whose answer is lost', async () => {
    const { client, server } = await serveBucket({
      beforeRequest: injectFaults(({ method }) => (method === 'PUT' ? 'lose-answer' : undefined)),
    });
    await expect(rawRequest(server, 'PUT', '/photos/a', {}, 'x')).rejects.toThrow(/hang up|reset/);
    expect(await textOf(client, 'a')).toBe('x');
  });
});
