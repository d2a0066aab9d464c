import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { serveBucket, statusOf, temporaryFolder } from '../../support/served-bucket.ts';

const Bucket = 'photos';

async function serveVersioned() {
  const root = await temporaryFolder();
  const place = { folder: path.join(root, 'photos'), state: path.join(root, 'state'), versioned: true };
  const served = await serveBucket({ buckets: { photos: place } });
  await writeFile(path.join(place.folder, 'old.jpg'), 'there before');
  return served;
}

async function put(client: S3Client, Key: string, Body: string, more: object = {}): Promise<string> {
  return (await client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))).VersionId!;
}

async function read(client: S3Client, Key: string, VersionId?: string): Promise<string> {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  if (VersionId) expect(answer.VersionId).toBe(VersionId);
  return answer.Body!.transformToString();
}

function remove(client: S3Client, Key: string, VersionId?: string) {
  return client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
}

async function keys(client: S3Client): Promise<string[]> {
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket }));
  return (Contents ?? []).map((one) => one.Key!);
}

describe('a versioned bucket', () => {
  it('keeps what is overwritten, with all its attributes, under its version id', async () => {
    const { client, events } = await serveVersioned();
    const first = await put(client, 'a/b.jpg', 'first', { Metadata: { nr: '1' }, Tagging: 't=1' });
    const second = await put(client, 'a/b.jpg', 'second', { StorageClass: 'GLACIER_IR' });
    const third = await put(client, 'a/b.jpg', 'third');
    expect(new Set([first, second, third]).size).toBe(3);
    expect([await read(client, 'a/b.jpg'), await read(client, 'a/b.jpg', third)]).toEqual(['third', 'third']);
    expect([await read(client, 'a/b.jpg', first), await read(client, 'a/b.jpg', second)]).toEqual(['first', 'second']);
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'a/b.jpg', VersionId: first }));
    expect(head).toMatchObject({ Metadata: { nr: '1' }, TagCount: 1, VersionId: first, ContentLength: 5 });
    const tags = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'a/b.jpg', VersionId: first }));
    expect(tags.TagSet).toEqual([{ Key: 't', Value: '1' }]);
    expect(events.map((event) => event.s3.object.versionId)).toEqual([first, second, third]);
    expect(await keys(client)).toEqual(['a/b.jpg', 'old.jpg']);
    const versioning = await client.send(new GetBucketVersioningCommand({ Bucket }));
    expect(versioning.Status).toBe('Enabled');
  });

  it('keeps a file that was not written through the server as version null', async () => {
    const { client } = await serveVersioned();
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'old.jpg' }))).VersionId).toBe('null');
    const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key: 'old.jpg' }));
    await put(client, 'old.jpg', 'smaller', { IfMatch: ETag });
    expect(await read(client, 'old.jpg', 'null')).toBe('there before');
    expect(await read(client, 'old.jpg')).toBe('smaller');
  });

  it('restores an earlier version by copying it, unless the object changed since', async () => {
    const { client } = await serveVersioned();
    const first = await put(client, 'a+b.jpg', 'original', { Metadata: { who: 'me' } });
    await put(client, 'a+b.jpg', 'compressed');
    const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key: 'a+b.jpg' }));
    const restore = (IfMatch?: string) => {
      const CopySource = `photos/${encodeURIComponent('a+b.jpg')}?versionId=${first}`;
      return client.send(new CopyObjectCommand({ Bucket, Key: 'a+b.jpg', CopySource, IfMatch }));
    };
    expect(await statusOf(restore('"00"'))).toBe(412);
    const restored = await restore(ETag);
    expect(restored).toMatchObject({ CopySourceVersionId: first });
    expect(restored.VersionId).not.toBe(first);
    expect(await read(client, 'a+b.jpg')).toBe('original');
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'a+b.jpg' }));
    expect(head).toMatchObject({ Metadata: { who: 'me' }, VersionId: restored.VersionId });
  });

  it('replaces a deleted object by a marker, whose removal restores it', async () => {
    const { client, events } = await serveVersioned();
    const first = await put(client, 'a', 'first');
    const gone = await remove(client, 'a');
    expect(gone).toMatchObject({ DeleteMarker: true });
    expect(events.at(-1)).toMatchObject({
      eventName: 'ObjectRemoved:DeleteMarkerCreated',
      s3: { object: { versionId: gone.VersionId } },
    });
    expect(await statusOf(client.send(new GetObjectCommand({ Bucket, Key: 'a' })))).toBe(404);
    expect(await keys(client)).toEqual(['old.jpg']);
    expect(await read(client, 'a', first)).toBe('first');
    const marker = new GetObjectCommand({ Bucket, Key: 'a', VersionId: gone.VersionId });
    expect(await statusOf(client.send(marker))).toBe(405);
    await remove(client, 'a', gone.VersionId);
    expect(await read(client, 'a')).toBe('first');
    expect(await read(client, 'a', first)).toBe('first');
  });

  it('removes one version for good and falls back to the one below', async () => {
    const { client } = await serveVersioned();
    const ids = [await put(client, 'a', '0'), await put(client, 'a', '1'), await put(client, 'a', '2')];
    await remove(client, 'a', ids[1]);
    expect(await read(client, 'a')).toBe('2');
    await expect(read(client, 'a', ids[1])).rejects.toMatchObject({ name: 'NoSuchVersion' });
    await remove(client, 'a', ids[2]);
    expect([await read(client, 'a'), await read(client, 'a', ids[0])]).toEqual(['0', '0']);
    await remove(client, 'a', ids[0]);
    expect(await statusOf(client.send(new HeadObjectCommand({ Bucket, Key: 'a' })))).toBe(404);
  });

  it('versions odd keys and uploads in parts, too', async () => {
    const { client } = await serveVersioned();
    const first = await put(client, 'odd//key/', 'first');
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'odd//key/' }));
    const part = { Bucket, Key: 'odd//key/', UploadId, PartNumber: 1 };
    const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'second' }));
    const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] };
    const done = await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key: 'odd//key/', UploadId, MultipartUpload }),
    );
    expect(await read(client, 'odd//key/', done.VersionId)).toBe('second');
    expect(await read(client, 'odd//key/', first)).toBe('first');
  });

  it('has no other version, and none at all in an unversioned bucket', async () => {
    const { client } = await serveVersioned();
    await put(client, 'a', 'x');
    for (const id of ['0123', '../../etc', 'null']) {
      await expect(read(client, 'a', id)).rejects.toMatchObject({ name: 'NoSuchVersion' });
    }
    const { client: plain } = await serveBucket();
    expect(await put(plain, 'a', 'x')).toBeUndefined();
    expect(await statusOf(plain.send(new GetObjectCommand({ Bucket, Key: 'a', VersionId: '0123' })))).toBe(404);
  });
});
