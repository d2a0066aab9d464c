import { describe, expect, test } from 'vitest';
import { getSource } from '../../src/compress/get-source.ts';
import { IN_PLACE, JOB, runImage } from '../support/image-jobs.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const MEGABYTE = 1_000_000;
const VIDEO = Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'latin1'), Buffer.alloc(MEGABYTE)]);
const JPEG = Buffer.concat([Buffer.from('\xff\xd8\xff\xe0', 'latin1'), Buffer.alloc(MEGABYTE)]);

function storeWith(key: string, body: Uint8Array) {
  const store = createMemoryStore();
  store.seed(`s3://sources/${key}`, body);
  return store;
}

describe('an object that is not an image is recognised by its first bytes', () => {
  test.each([
    ['a large one, however small the host', 'video.mp4', VIDEO, { maxBytes: 1000 }, {}],
    ['also when it is named like an image', 'really-a-video.jpg', VIDEO, { maxBytes: 1000 }, {}],
    ['without reading all of it when its size is known', 'video.mp4', VIDEO, {}, { size: VIDEO.length }],
  ])('%s', async (_title, key, body, limits, asked) => {
    const store = storeWith(key, body);
    const source = await getSource({ bucket: 'sources', key }, { store, ...limits }, asked);
    expect(source).toMatchObject({ status: 'skipped', reason: 'not-an-image' });
    expect(store.calls).toContain(`READ s3://sources/${key}`);
  });

  test('an image is read, whatever its name', async () => {
    const store = storeWith('scan.0001', JPEG);
    const source = await getSource({ bucket: 'sources', key: 'scan.0001' }, { store }, { size: JPEG.length });
    expect(source).toMatchObject({ size: JPEG.length });
  });

  test('an image above the limit is TooLarge', async () => {
    const store = storeWith('a.jpg', JPEG);
    await expect(getSource({ bucket: 'sources', key: 'a.jpg' }, { store, maxBytes: 1000 })).rejects.toMatchObject({
      code: 'TooLarge',
    });
  });

  test('an image that is named like one costs no further call', async () => {
    const store = storeWith('a.jpg', JPEG);
    await getSource({ bucket: 'sources', key: 'a.jpg' }, { store }, { size: JPEG.length });
    expect(store.calls).toEqual(['GET s3://sources/a.jpg']);
  });
});

describe.each([
  ['elsewhere', JOB],
  ['in place', IN_PLACE],
])('a job with its output %s', (_where, job) => {
  test('skips a video that is larger than the host', async () => {
    const store = storeWith('video.mp4', VIDEO);
    expect(await runImage(store, 's3://sources/video.mp4', { job, maxBytes: 1000 })).toMatchObject({
      status: 'skipped',
      reason: 'not-an-image',
    });
  });

  test('compresses a large image under the exclusive lock, and small ones without it', async () => {
    const locks: string[] = [];
    const exclusive = async <T>(work: () => Promise<T>) => {
      locks.push('exclusive');
      return work();
    };
    const large = { bytes: 1000, exclusive };
    expect(await runImage(storeWith('a.jpg', JPEG), 's3://sources/a.jpg', { job, maxBytes: 2e6, large })).toMatchObject(
      { status: 'compressed' },
    );
    expect(locks).toEqual(['exclusive']);
    await runImage(storeWith('b.jpg', JPEG.subarray(0, 999)), 's3://sources/b.jpg', {
      job,
      maxBytes: 2e6,
      large,
    });
    expect(locks).toEqual(['exclusive']);
  });

  test('reports an image above all limits as TooLarge, for a larger host to do', async () => {
    const large = { bytes: 1000, exclusive: <T>(work: () => Promise<T>) => work() };
    expect(
      await runImage(storeWith('a.jpg', JPEG), 's3://sources/a.jpg', { job, maxBytes: 2000, large }),
    ).toMatchObject({ status: 'failed', code: 'TooLarge', hostTooSmall: true });
  });
});
