import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { describe, expect, it } from 'vitest';
import { rawRequest, serveBucket, statusOf } from '../../support/served-bucket.ts';

const Bucket = 'photos';
const Key = 'big ü+1.tif';
const MIB = 1024 * 1024;
const first = Buffer.alloc(5 * MIB, 'first');
const second = Buffer.from('the end');

async function start(client: S3Client, more: object = {}): Promise<string> {
  const answer = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
  return answer.UploadId!;
}

async function upload(client: S3Client, UploadId: string, PartNumber: number, Body: Buffer, more: object = {}) {
  const part = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ...more });
  const { ETag, ChecksumCRC32, ChecksumSHA256 } = await client.send(part);
  return { PartNumber, ETag, ChecksumCRC32, ChecksumSHA256 };
}

function complete(client: S3Client, UploadId: string, Parts: CompletedPart[], more: object = {}) {
  const MultipartUpload = { Parts };
  return client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload, ...more }));
}

async function bytesOf(client: S3Client): Promise<Buffer> {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from(await answer.Body!.transformToByteArray());
}

function digest(algorithm: string, bytes: Buffer): Buffer {
  return createHash(algorithm).update(bytes).digest();
}

describe('multipart uploads', () => {
  it('put the parts together under the attributes given at the start, with the ETag that S3 forms', async () => {
    const { client, events, state } = await serveBucket();
    const id = await start(client, {
      Metadata: { a: '1' },
      ContentType: 'image/tiff',
      Tagging: 't=1',
      CacheControl: 'no-cache',
    });
    const parts = [await upload(client, id, 2, second), await upload(client, id, 1, first)].reverse();
    expect(await statusOf(client.send(new HeadObjectCommand({ Bucket, Key })))).toBe(404);
    const { ETag } = await complete(client, id, parts);
    const md5OfParts = digest('md5', Buffer.concat([digest('md5', first), digest('md5', second)]));
    expect(ETag).toBe(`"${md5OfParts.toString('hex')}-2"`);
    expect((await bytesOf(client)).equals(Buffer.concat([first, second]))).toBe(true);
    const found = await client.send(new HeadObjectCommand({ Bucket, Key }));
    expect(found).toMatchObject({
      ETag,
      Metadata: { a: '1' },
      ContentType: 'image/tiff',
      TagCount: 1,
      CacheControl: 'no-cache',
    });
    expect(events.map((event) => event.eventName)).toEqual(['ObjectCreated:CompleteMultipartUpload']);
    expect(readdirSync(path.join(state, 'uploads'))).toEqual([]);
  });

  it('form the composite checksum of the parts', async () => {
    const { client } = await serveBucket();
    const id = await start(client, { ChecksumAlgorithm: 'SHA256' });
    const parts = [];
    for (const [index, body] of [first, second].entries()) {
      parts.push(await upload(client, id, index + 1, body, { ChecksumAlgorithm: 'SHA256' }));
    }
    const expected = digest('sha256', Buffer.concat([digest('sha256', first), digest('sha256', second)])).toString(
      'base64',
    );
    expect((await complete(client, id, parts)).ChecksumSHA256).toBe(`${expected}-2`);
    const found = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(found).toMatchObject({ ChecksumSHA256: `${expected}-2`, ChecksumType: 'COMPOSITE' });
  });

  it('compute the checksum of the whole object where it was requested', async () => {
    const { client } = await serveBucket();
    const id = await start(client, { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' });
    const parts = [await upload(client, id, 1, first), await upload(client, id, 2, second)];
    await complete(client, id, parts);
    const whole = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.concat([first, second]) }));
    const single = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(whole).toMatchObject({ ChecksumCRC32: single.ChecksumCRC32, ChecksumType: 'FULL_OBJECT' });
  });

  it('check conditions when they are completed', async () => {
    const { client } = await serveBucket();
    const ids = [await start(client), await start(client)] as const;
    const parts = [[await upload(client, ids[0], 1, second)], [await upload(client, ids[1], 1, second)]] as const;
    expect(await statusOf(complete(client, ids[0], [...parts[0]], { IfMatch: '"00"' }))).toBe(404);
    expect(await statusOf(complete(client, ids[0], [...parts[0]], { IfNoneMatch: '*' }))).toBe(200);
    expect(await statusOf(complete(client, ids[1], [...parts[1]], { IfNoneMatch: '*' }))).toBe(412);
  });

  it('copy parts from other objects, whole or by range', async () => {
    const { client } = await serveBucket();
    await client.send(new PutObjectCommand({ Bucket, Key: 'src +ü', Body: Buffer.concat([first, second]) }));
    const id = await start(client);
    const CopySource = encodeURIComponent('photos/src +ü');
    const copy = async (PartNumber: number, CopySourceRange?: string) => {
      const part = new UploadPartCopyCommand({
        Bucket,
        Key,
        UploadId: id,
        PartNumber,
        CopySource,
        CopySourceRange,
      });
      return { PartNumber, ETag: (await client.send(part)).CopyPartResult?.ETag };
    };
    const parts = [await copy(1), await copy(2, `bytes=${5 * MIB}-${5 * MIB + 2}`)];
    await complete(client, id, parts);
    expect((await bytesOf(client)).equals(Buffer.concat([first, second, second.subarray(0, 3)]))).toBe(true);
    const beyond = `bytes=0-${6 * MIB}`;
    await expect(copy(3, beyond)).rejects.toMatchObject({ name: 'NoSuchUpload' });
    const another = await start(client);
    const part = { Bucket, Key, UploadId: another, PartNumber: 1, CopySource, CopySourceRange: beyond };
    expect(await statusOf(client.send(new UploadPartCopyCommand(part)))).toBe(400);
  });

  it('are refused with parts missing, changed, out of order or too small', async () => {
    const { client } = await serveBucket();
    const id = await start(client);
    const parts = [await upload(client, id, 1, second), await upload(client, id, 2, second)] as const;
    const attempt = async (named: CompletedPart[]) => {
      return complete(client, id, named).then(
        () => 'done',
        (error) => error.name,
      );
    };
    expect(await attempt([parts[0], { ...parts[1], PartNumber: 3 }])).toBe('InvalidPart');
    expect(await attempt([{ ...parts[0], ETag: '"00"' }])).toBe('InvalidPart');
    expect(await attempt([parts[1], parts[0]])).toBe('InvalidPartOrder');
    expect(await attempt([...parts])).toBe('EntityTooSmall');
    expect(await attempt([])).toBe('MalformedXML');
    expect(await attempt([parts[1]])).toBe('done');
  });

  it('take the later of two parts of one number', async () => {
    const { client } = await serveBucket();
    const id = await start(client);
    const earlier = await upload(client, id, 7, first);
    const later = await upload(client, id, 7, second);
    await expect(complete(client, id, [earlier])).rejects.toMatchObject({ name: 'InvalidPart' });
    await complete(client, id, [later]);
    expect((await bytesOf(client)).equals(second)).toBe(true);
  });

  it('can be aborted, and have no part afterwards', async () => {
    const { client, server, state } = await serveBucket();
    const id = await start(client);
    await upload(client, id, 7, first);
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: id }));
    expect(readdirSync(path.join(state, 'uploads'))).toEqual([]);
    await expect(upload(client, id, 1, second)).rejects.toMatchObject({ name: 'NoSuchUpload' });
    const invalid = await rawRequest(server, 'DELETE', '/photos/a?uploadId=..%2F..');
    expect(invalid).toMatchObject({ status: 404, code: 'NoSuchUpload' });
    expect(await rawRequest(server, 'PUT', `/photos/a?uploadId=${id}&partNumber=0`)).toMatchObject({
      status: 404,
    });
  });

  it("serve the SDK's Upload of a stream of unknown length", async () => {
    const { client } = await serveBucket();
    async function* chunks() {
      for (let index = 0; index < 12; index++) yield Buffer.alloc(MIB, String(index));
    }
    const { Readable } = await import('node:stream');
    const done = new Upload({ client, params: { Bucket, Key, Body: Readable.from(chunks()) } }).done();
    expect((await done).ETag).toMatch(/-3"$/);
    expect((await bytesOf(client)).length).toBe(12 * MIB);
  });
});
