import { describe, expect, test } from 'vitest';
import { compressImage } from '../../src/compress/compress-image.ts';
import type { Job, PlannedImage } from '../../src/core/job.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { halve, IN_PLACE, JOB, NO_LOG } from '../support/image-jobs.ts';
import { serveStore } from '../support/served-store.ts';

const LISTED: PlannedImage = { n: 0, bucket: 'photos', key: 'a.jpg', size: 1000, etag: 'e' };
const NAMED: PlannedImage = { n: 0, bucket: 'photos', key: 'a.jpg' };
const ELSEWHERE: Job = { ...JOB, output: 's3://photos/out/' };

const compress = (image: PlannedImage, job: Job, store: ObjectStore) =>
  compressImage(image, { job, batchId: 'batch_1', store, log: NO_LOG, compress: halve });

describe.each([
  ['in place', IN_PLACE],
  ['elsewhere', ELSEWHERE],
] as const)('an image that is not there, %s', (_, job) => {
  test('is gone where S3 listed it', async () => {
    const { store } = await serveStore();
    expect(await compress(LISTED, job, store)).toEqual({ status: 'skipped', reason: 'gone', bytesIn: 1000 });
    const ofInventory = { ...job, fileList: 's3://lists/2026-11-28T01-00Z/manifest.json' };
    expect(await compress(NAMED, ofInventory, store)).toMatchObject({ status: 'skipped', reason: 'gone' });
  });

  test('is gone, too, where it is deleted between two calls', async () => {
    const { store } = await serveStore();
    await store.put(LISTED, Buffer.from('x'.repeat(1000)), { tags: { a: 'b' } });
    const { NotFound } = await notFound(store);
    const deleting: ObjectStore = { ...store, tags: () => Promise.reject(NotFound) };
    expect(await compress(LISTED, job, deleting)).toMatchObject({ status: 'skipped', reason: 'gone' });
  });

  test('is a failure where only the list of the user names it: its key may be wrong', async () => {
    const { store } = await serveStore();
    expect(await compress(NAMED, job, store)).toMatchObject({ status: 'failed', code: 'NotFound' });
  });
});

test('a bucket that does not exist is a failure, also of an image that was listed', async () => {
  const { store } = await serveStore();
  const outcome = await compress({ ...LISTED, bucket: 'nowhere' }, ELSEWHERE, store);
  expect(outcome).toMatchObject({
    status: 'failed',
    code: 'NotFound',
    message: expect.stringContaining('no such bucket'),
  });
});

async function notFound(store: ObjectStore) {
  const NotFound: unknown = await store.tags({ bucket: 'photos', key: 'none' }).catch((error: unknown) => error);
  return { NotFound };
}
