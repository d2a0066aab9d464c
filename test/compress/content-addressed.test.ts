import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { recompressUploads } from '../../src/uploads/recompress-upload.ts';
import { IN_PLACE, runImage } from '../support/image-jobs.ts';
import { serveStore } from '../support/served-store.ts';
import { messageFor, uploadEvent, uploadHost } from '../support/upload-bucket.ts';

const BYTES = Buffer.from('x'.repeat(1000));
const digest = (name: string, form: 'hex' | 'base64' | 'base64url') => createHash(name).update(BYTES).digest(form);
const [MD5, SHA1, SHA256] = ['md5', 'sha1', 'sha256'].map((name) => digest(name, 'hex')) as [string, string, string];

/** Where content-addressed stores put an object, and what uploaders write beside it. */
const ADDRESSED: readonly [string, string, Record<string, string>][] = [
  ['Git LFS', `lfs/objects/${SHA256.slice(0, 2)}/${SHA256.slice(2, 4)}/${SHA256}`, {}],
  ['DVC', `files/md5/${MD5.slice(0, 2)}/${MD5.slice(2)}`, {}],
  ['folders of two digits', `${SHA1.slice(0, 2)}/${SHA1.slice(2, 4)}/${SHA1.slice(4)}.jpg`, {}],
  ['an MD5', `${MD5}.jpg`, {}],
  ['a SHA-1 within a name', `assets/logo-${SHA1}.jpg`, {}],
  ['a SHA-256 in capitals', `${SHA256.toUpperCase()}.JPG`, {}],
  ['a SHA-512', `${digest('sha512', 'hex')}.jpg`, {}],
  ['a SHA-256 in base64url', `img/${digest('sha256', 'base64url')}.jpg`, {}],
  ['metadata in hex', 'photo.jpg', { md5: MD5 }],
  ['metadata in base64', 'photo.jpg', { 'content-md5': digest('md5', 'base64') }],
  ['metadata with the name of the hash', 'photo.jpg', { digest: `sha-256=${digest('sha256', 'base64')}` }],
  ['metadata in JSON', 'photo.jpg', { checks: `{"sha1":"${SHA1}","by":"rails"}` }],
];

const NOT_ADDRESSED: readonly [string, string, Record<string, string>][] = [
  ['a random name of 32 hex digits', `${MD5.split('').reverse().join('')}.jpg`, {}],
  ['a random name of 64 hex digits in folders', `ab/cd/${SHA256.slice(4)}abcd.jpg`, {}],
  [
    'the hash of other bytes',
    `${createHash('md5').update('other').digest('hex')}.jpg`,
    { sha256: SHA256.split('').reverse().join('') },
  ],
  ['a UUID', '123e4567-e89b-12d3-a456-426614174000.jpg', {}],
];

async function stored(key: string, metadata: Record<string, string>) {
  const served = await serveStore();
  await served.store.put({ bucket: 'photos', key }, BYTES, { attributes: { contentType: 'image/jpeg', metadata } });
  return { ...served, writes: () => served.events.length - 1 };
}

describe('bytes that others find by their hash stay as they are', () => {
  test.each(ADDRESSED)('in a job in place: %s', async (_, key, metadata) => {
    const { store, writes } = await stored(key, metadata);
    const outcome = await runImage(store, `s3://photos/${key}`, { job: IN_PLACE });
    expect(outcome).toMatchObject({
      status: 'kept',
      reason: 'content-addressed',
      detail: expect.stringMatching(/^its (key|metadata) holds the (md5|sha1|sha256|sha512) of its bytes$/),
    });
    expect(writes()).toBe(0);
  });

  test.each(ADDRESSED)('as an upload: %s', async (_, key, metadata) => {
    const { store, writes } = await stored(key, metadata);
    const { host, metrics } = uploadHost({ store });
    await recompressUploads({ Records: [messageFor(uploadEvent({ bucket: 'photos', key }))] }, host);
    expect(metrics).toEqual({ UploadsKept: 1 });
    expect(writes()).toBe(0);
  });

  test.each(NOT_ADDRESSED)('but not for a name that only looks so: %s', async (_, key, metadata) => {
    const { store, writes } = await stored(key, metadata);
    expect(await runImage(store, `s3://photos/${key}`, { job: IN_PLACE })).toMatchObject({ status: 'compressed' });
    expect(writes()).toBe(1);
  });
});

test('our own mark, which holds the hash of our own output, is no such hash', async () => {
  const { store } = await stored('photo.jpg', {});
  const uri = 's3://photos/photo.jpg';
  await runImage(store, uri, { job: { ...IN_PLACE, compression: { ...IN_PLACE.compression, mode: 'lossless' } } });
  const again = await runImage(store, uri, { job: { ...IN_PLACE, jobId: 'again' } });
  expect(again).toMatchObject({ status: 'compressed' });
});
