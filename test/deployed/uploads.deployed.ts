import { DeleteObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MARK_KEY } from '../../src/core/compression-mark.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { client, deleteRun, head, put, RUN, store, UPLOAD_BUCKET, waitUntilIdle, writesByKey } from './stack.ts';

afterAll(() => deleteRun(UPLOAD_BUCKET));

describe('an upload with attributes', () => {
  /** The rows of docs/object-attributes.md that can be tested in any bucket. */
  const ROWS = {
    'Content-Type, unchanged': { ContentType: 'image/jpeg; x=1' },
    'Cache-Control': { CacheControl: 'public, max-age=31536000' },
    'Content-Disposition': { ContentDisposition: 'attachment; filename="a b.jpg"' },
    'Content-Encoding': { ContentEncoding: 'identity' },
    'Content-Language': { ContentLanguage: 'de-AT, en' },
    Expires: { Expires: new Date('2032-01-01T00:00:00Z') },
    'user metadata': { Metadata: { camera: 'left', 'taken-at': '2026-11-21' } },
    tags: { Tagging: 'project=a%20b&owner=%C3%A4' },
    'storage class STANDARD_IA': { StorageClass: 'STANDARD_IA' },
    'Glacier Instant Retrieval': { StorageClass: 'GLACIER_IR' },
    'SSE-S3': { ServerSideEncryption: 'AES256' },
    'SSE-KMS with bucket key': { ServerSideEncryption: 'aws:kms', BucketKeyEnabled: true },
    'website redirect': { WebsiteRedirectLocation: '/new.jpg' },
    'CRC32 as checksum': { ChecksumAlgorithm: 'CRC32' },
  } as const;
  type Row = keyof typeof ROWS;
  const KEPT = [
    'ContentType',
    'CacheControl',
    'ContentDisposition',
    'ContentEncoding',
    'ContentLanguage',
    'ExpiresString',
    'StorageClass',
    'ServerSideEncryption',
    'SSEKMSKeyId',
    'BucketKeyEnabled',
    'WebsiteRedirectLocation',
  ] as const;
  const rows = Object.keys(ROWS) as Row[];
  const keyOf = (row: Row) => `attributes/${row.replaceAll(/\W+/g, '-')}.jpg`;
  const before = new Map<Row, HeadObjectCommandOutput>();
  let photo: Uint8Array;

  beforeAll(async () => {
    photo = await makeJpeg({ width: 640, height: 480 });
    await Promise.all(
      rows.map(async (row) => {
        const set = { ContentType: 'image/jpeg', ...ROWS[row] };
        await put(UPLOAD_BUCKET, keyOf(row), photo, set);
        before.set(row, await head(UPLOAD_BUCKET, keyOf(row)));
      }),
    );
    await waitUntilIdle(UPLOAD_BUCKET);
  });

  test.each(rows)('becomes smaller and keeps its %s', async (row) => {
    const was = before.get(row)!;
    const is = await head(UPLOAD_BUCKET, keyOf(row));
    // Compared with the photo, not with the first HEAD: a warm function may have finished before that.
    expect(is.ContentLength).toBeLessThan(photo.length);
    for (const attribute of KEPT) expect([attribute, is[attribute]]).toEqual([attribute, was[attribute]]);
    expect(is.Metadata).toEqual({ ...was.Metadata, [MARK_KEY]: expect.any(String) });
    const tags = await store.tags({ bucket: UPLOAD_BUCKET, key: RUN + keyOf(row) });
    expect(tags).toEqual(row === 'tags' ? { project: 'a b', owner: 'ä' } : {});
  });
});

describe('many uploads at the same time', () => {
  const UNUSUAL = [
    'crowd/a b.jpg',
    'crowd/a+b.jpg',
    'crowd/100%.jpg',
    'crowd/%20.jpg',
    'crowd/Grüße-写真-📷.jpg',
    'crowd//two slashes.jpg',
    `crowd/${'l'.repeat(1024 - RUN.length - 'crowd/.jpg'.length)}.jpg`,
    "crowd/!-_.*'()&$@=;:,?#[].jpg",
  ];
  const plain = Array.from({ length: Number(process.env.IMAGES ?? 40) }, (_, at) => `crowd/${at}.jpg`);
  const unchanged = ['crowd/corrupt.jpg', 'crowd/empty.jpg', 'crowd/folder/', 'crowd/text.jpg', 'crowd/again.jpg'];

  beforeAll(async () => {
    const photo = await makeJpeg({ width: 320, height: 240 });
    // No lossless pass makes it smaller: it is already encoded by mozjpeg.
    const smallest = await sharp(photo).jpeg({ mozjpeg: true }).toBuffer();
    await Promise.all([
      ...[...UNUSUAL, ...plain].map((key) => put(UPLOAD_BUCKET, key, photo)),
      put(UPLOAD_BUCKET, 'crowd/corrupt.jpg', photo.subarray(0, photo.length / 2)),
      put(UPLOAD_BUCKET, 'crowd/empty.jpg', NO_BYTES),
      put(UPLOAD_BUCKET, 'crowd/folder/', NO_BYTES),
      put(UPLOAD_BUCKET, 'crowd/text.jpg', 'not a picture'),
      put(UPLOAD_BUCKET, 'crowd/again.jpg', smallest),
    ]);
    await waitUntilIdle(UPLOAD_BUCKET);
  });

  test('are written once if they can be improved, otherwise never', async () => {
    const writes = await writesByKey(UPLOAD_BUCKET);
    const expected = [
      ...[...UNUSUAL, ...plain].map((key) => [key, 2] as const),
      ...unchanged.map((key) => [key, 1] as const),
    ];
    const crowd = [...writes].filter(([key]) => key.startsWith('crowd/'));
    expect(new Map(crowd)).toEqual(new Map(expected));
  });
});

describe('an upload that changes while it is compressed', () => {
  const keys = Array.from({ length: 10 }, (_, at) => `moving/${at}.jpg`);

  beforeAll(async () => {
    const [first, last] = await Promise.all([1, 2].map((seed) => makeJpeg({ width: 1600, height: 1200, seed })));
    const change = async (key: string, at: number) => {
      await put(UPLOAD_BUCKET, key, first!);
      await new Promise((later) => setTimeout(later, at * 100));
      const gone = { Bucket: UPLOAD_BUCKET, Key: RUN + key };
      if (at % 2) await store.put({ bucket: UPLOAD_BUCKET, key: RUN + key }, last!);
      else await client.send(new DeleteObjectCommand(gone));
    };
    await Promise.all(keys.map(change));
    await waitUntilIdle(UPLOAD_BUCKET);
  });

  test('stays deleted, or remains the last upload', async () => {
    const last = await makeJpeg({ width: 1600, height: 1200, seed: 2 });
    for (const [at, key] of keys.entries()) {
      const object = await store.get({ bucket: UPLOAD_BUCKET, key: RUN + key });
      if (at % 2 === 0) expect([key, object]).toEqual([key, undefined]);
      else expect(await pixels((object as { body: Uint8Array }).body)).toEqual(await pixels(last));
    }
  });
});

const NO_BYTES = Buffer.alloc(0);
const pixels = (image: Uint8Array) => sharp(image).raw().toBuffer();
