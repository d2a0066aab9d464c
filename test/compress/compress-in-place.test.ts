import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MARK_KEY, readMark } from '../../src/core/compression-mark.ts';
import type { Job } from '../../src/core/job.ts';
import { ObjectStoreError, type PutOptions } from '../../src/core/object-store.ts';
import type { UndoEntry } from '../../src/core/undo.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { answering, halve, IN_PLACE, keep, LOSSLESS, remark, runImage } from '../support/image-jobs.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { serveStore } from '../support/served-store.ts';

const IMAGE = 's3://photos/a/photo.jpg';
const JPEG: PutOptions = { attributes: { contentType: 'image/jpeg' } };
const JOB_2: Job = { ...IN_PLACE, jobId: 'job-2' };
const lossless = (job: Job): Job => ({ ...job, compression: LOSSLESS });
const withQuality = (job: Job, quality: number): Job => ({
  ...job,
  compression: { ...DEFAULT_COMPRESSION, quality },
});

function storeWith(body = 'x'.repeat(1000), options: PutOptions = JPEG) {
  const store = createMemoryStore();
  store.seed(IMAGE, body, options);
  return store;
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('an image replaced in place', () => {
  test('costs HEAD, GET and PUT, and the tags only where there are some', async () => {
    const store = storeWith();
    expect(await runImage(store, IMAGE, { job: IN_PLACE })).toEqual({
      status: 'compressed',
      output: IMAGE,
      bytesIn: 1000,
      bytesOut: 500,
      encoding: { format: 'jpeg', lossless: false, quality: 74 },
    });
    expect(store.calls).toEqual([`HEAD ${IMAGE}`, `GET ${IMAGE}`, `PUT ${IMAGE}`]);
    const tagged = storeWith('x'.repeat(1000), { ...JPEG, tags: { set: 'train' } });
    await runImage(tagged, IMAGE, { job: IN_PLACE });
    expect(tagged.calls).toEqual([`HEAD ${IMAGE}`, `GET ${IMAGE}`, `TAGS ${IMAGE}`, `PUT ${IMAGE}`]);
    expect(tagged.object(IMAGE)?.tagSet).toEqual({ set: 'train' });
  });

  test('keeps the tags of its user, but none that AWS reserves: nobody scanned the new bytes', async () => {
    const { store } = await serveStore();
    const place = { bucket: 'photos', key: 'a.jpg' };
    const tags = { set: 'train', GuardDutyMalwareScanStatus: 'NO_THREATS_FOUND', 'aws:cloudformation:stack': 'x' };
    await store.put(place, Buffer.from('x'.repeat(1000)), { ...JPEG, tags });
    const job = { ...IN_PLACE, backup: 's3://photos/backups/' };
    expect(await runImage(store, 's3://photos/a.jpg', { job })).toMatchObject({ status: 'compressed' });
    expect(await store.tags(place)).toEqual({ set: 'train' });
    const [backup] = await Array.fromAsync(store.list('photos', 'backups/'));
    expect(await store.tags({ bucket: 'photos', key: backup!.key })).toEqual({ set: 'train' });
  });

  test('is not written in a dry run', async () => {
    const store = storeWith();
    const undone: UndoEntry[] = [];
    const job = { ...IN_PLACE, dryRun: true, backup: 's3://backups/' };
    const outcome = await runImage(store, IMAGE, { job, onUndo: (entry) => void undone.push(entry) });
    expect(outcome).toMatchObject({ status: 'compressed', bytesOut: 500 });
    expect(store.calls).toEqual([`HEAD ${IMAGE}`, `GET ${IMAGE}`]);
    expect(undone).toEqual([]);
  });

  test('keeps its format whatever the settings say', async () => {
    let asked: string | undefined;
    await runImage(storeWith(), IMAGE, {
      job: { ...IN_PLACE, compression: { ...DEFAULT_COMPRESSION, format: 'webp' } },
      compress: (bytes, settings) => {
        asked = settings.format;
        return halve(bytes, settings);
      },
    });
    expect(asked).toBe('keep');
  });

  test('and kept is not written at all', async () => {
    const store = storeWith();
    const outcome = await runImage(store, IMAGE, { job: IN_PLACE, compress: keep });
    expect(outcome).toEqual({ status: 'kept', reason: 'no-gain', bytesIn: 1000 });
    expect(store.calls).not.toContain(`PUT ${IMAGE}`);
  });

  test('with a Content-Type that contradicts its bytes is reported, and corrected only when asked', async () => {
    const wrong = { attributes: { contentType: 'image/png' } };
    const store = storeWith('x'.repeat(1000), wrong);
    const detail = 'its Content-Type is image/png, its bytes are image/jpeg';
    expect(await runImage(store, IMAGE, { job: IN_PLACE })).toMatchObject({ status: 'compressed', detail });
    expect(store.object(IMAGE)?.contentType).toBe('image/png');
    const asked = storeWith('x'.repeat(1000), wrong);
    await runImage(asked, IMAGE, { job: { ...IN_PLACE, correctContentType: true } });
    expect(asked.object(IMAGE)?.contentType).toBe('image/jpeg');
    const kept = await runImage(storeWith('x', wrong), IMAGE, { job: IN_PLACE, compress: keep });
    expect(kept).toMatchObject({ status: 'kept', detail });
  });

  test('is reported with the detail of the codec, and with its Content-Type', async () => {
    const taken = 'only its metadata was removed (no-gain)';
    const options = { job: IN_PLACE, compress: remark };
    expect(await runImage(storeWith(), IMAGE, options)).toMatchObject({ detail: taken });
    const wrong = storeWith('x'.repeat(1000), { attributes: { contentType: 'image/png' } });
    const detail = `${taken}; its Content-Type is image/png, its bytes are image/jpeg`;
    expect(await runImage(wrong, IMAGE, options)).toMatchObject({ detail });
  });

  test.each([
    'image/jpeg',
    'image/JPEG; charset=binary',
    'image/jpg',
  ])('with the Content-Type %s has no remark', async (contentType) => {
    const store = storeWith('x'.repeat(1000), { attributes: { contentType } });
    expect(await runImage(store, IMAGE, { job: IN_PLACE })).not.toHaveProperty('detail');
    expect(store.object(IMAGE)?.contentType).toBe(contentType);
  });
});

describe('an object that must not be replaced', () => {
  test.each([
    ['archived', 'skipped', { storageClass: 'GLACIER' }],
    ['object-lock', 'kept', { objectLock: { mode: 'GOVERNANCE', retainUntil: new Date('2999-01-01') } }],
    ['object-lock', 'kept', { objectLock: { legalHold: true } }],
    ['metadata-limit', 'kept', { unreadableMetadata: 1 }],
  ])('%s is %s after HEAD alone', async (reason, status, attributes) => {
    const store = storeWith('x'.repeat(1000), { attributes });
    expect(await runImage(store, IMAGE, { job: IN_PLACE })).toMatchObject({ status, reason });
    expect(store.calls).toEqual([`HEAD ${IMAGE}`]);
  });

  test('is not one in Glacier Instant Retrieval or with an expired lock', async () => {
    const cool = storeWith('x'.repeat(1000), { attributes: { storageClass: 'GLACIER_IR' } });
    expect(await runImage(cool, IMAGE, { job: IN_PLACE })).toMatchObject({ status: 'compressed' });
    expect(cool.object(IMAGE)?.storageClass).toBe('GLACIER_IR');
    const objectLock = { mode: 'GOVERNANCE', retainUntil: new Date('2001-01-01') };
    const free = storeWith('x'.repeat(1000), { attributes: { objectLock } });
    expect(await runImage(free, IMAGE, { job: IN_PLACE })).toMatchObject({ status: 'compressed' });
  });

  test('an empty object and a folder marker are skipped after HEAD', async () => {
    const store = storeWith('');
    store.seed('s3://photos/folder/', '');
    for (const uri of [IMAGE, 's3://photos/folder/'])
      expect(await runImage(store, uri, { job: IN_PLACE })).toMatchObject({ reason: 'empty' });
    expect(store.calls).toEqual([`HEAD ${IMAGE}`, 'HEAD s3://photos/folder/']);
  });

  test('metadata too long for a mark leaves the image as it is', async () => {
    const metadata = { note: 'n'.repeat(1900) };
    const store = storeWith('x'.repeat(1000), { attributes: { metadata } });
    expect(await runImage(store, IMAGE, { job: IN_PLACE })).toMatchObject({ reason: 'metadata-limit' });
    expect(store.text(IMAGE)).toBe('x'.repeat(1000));
  });

  test('a missing image is failed: NotFound', async () => {
    const outcome = await runImage(createMemoryStore(), IMAGE, { job: IN_PLACE });
    expect(outcome).toMatchObject({ status: 'failed', code: 'NotFound' });
  });

  test('a replica is kept, and its body is not read', async () => {
    const { store, events } = await serveStore({
      beforeRequest: (_, response) => void response.setHeader('x-amz-replication-status', 'REPLICA'),
    });
    await store.put({ bucket: 'photos', key: 'a.jpg' }, Buffer.from('x'.repeat(1000)));
    const deaf = { ...store, get: () => Promise.reject(new Error('the body was read')) };
    const outcome = await runImage(deaf, 's3://photos/a.jpg', { job: IN_PLACE });
    expect(outcome).toEqual({ status: 'kept', reason: 'replica', bytesIn: 1000 });
    expect(events).toHaveLength(1);
  });
});

describe('a race', () => {
  test('with a newer upload: the newer object is kept', async () => {
    const store = storeWith();
    const outcome = await runImage(store, IMAGE, {
      job: IN_PLACE,
      compress: async (bytes, settings) => {
        store.seed(IMAGE, 'newer', JPEG);
        return halve(bytes, settings);
      },
    });
    expect(outcome).toEqual({ status: 'skipped', reason: 'changed-meanwhile', bytesIn: 1000 });
    expect(store.text(IMAGE)).toBe('newer');
  });

  test('with a deletion: the image is not brought back', async () => {
    const store = storeWith();
    const outcome = await runImage(store, IMAGE, {
      job: IN_PLACE,
      compress: async (bytes, settings) => {
        store.remove(IMAGE);
        return halve(bytes, settings);
      },
    });
    expect(outcome).toMatchObject({ status: 'skipped', reason: 'changed-meanwhile' });
    expect(store.uris()).toEqual([]);
  });

  test('between HEAD and GET: the newer object is examined again', async () => {
    const store = storeWith();
    const get = store.get.bind(store);
    store.get = async (location, options) => {
      store.seed(IMAGE, 'y'.repeat(600), { attributes: { objectLock: { legalHold: true } } });
      return get(location, options);
    };
    expect(await runImage(store, IMAGE, { job: IN_PLACE })).toMatchObject({
      status: 'kept',
      reason: 'object-lock',
    });
    expect(store.text(IMAGE)).toBe('y'.repeat(600));
  });

  test('with its own retry after a lost answer counts as written', async () => {
    const store = storeWith();
    const undone: UndoEntry[] = [];
    const put = store.put.bind(store);
    store.put = async (location, body, options) => {
      await put(location, body, options);
      return put(location, body, options);
    };
    const outcome = await runImage(store, IMAGE, {
      job: IN_PLACE,
      onUndo: (entry) => void undone.push(entry),
    });
    expect(outcome).toMatchObject({ status: 'compressed', bytesOut: 500 });
    expect(undone).toMatchObject([{ etagAfter: store.object(IMAGE)?.etag }]);
  });
});

describe('an image that was compressed in place before', () => {
  test('is up to date after one HEAD', async () => {
    const store = storeWith();
    await runImage(store, IMAGE, { job: IN_PLACE });
    store.calls.length = 0;
    const again = await runImage(store, IMAGE, { job: JOB_2 });
    expect(again).toEqual({ status: 'skipped', reason: 'up-to-date', bytesIn: 500 });
    expect(store.calls).toEqual([`HEAD ${IMAGE}`]);
  });

  test('is compressed for the job whose worker crashed before it wrote the result, with its undo entry', async () => {
    const store = storeWith('x'.repeat(1000), { attributes: { ...JPEG.attributes, versionId: 'v1' } });
    const undone: UndoEntry[] = [];
    const onUndo = (entry: UndoEntry) => void undone.push(entry);
    const first = await runImage(store, IMAGE, { job: IN_PLACE, onUndo });
    expect(await runImage(store, IMAGE, { job: IN_PLACE, onUndo })).toEqual(first);
    expect(undone[1]).toEqual(undone[0]);
  });

  test('is never compressed lossily a second time, neither by other settings nor by force', async () => {
    const store = storeWith();
    await runImage(store, IMAGE, { job: IN_PLACE });
    for (const force of [false, true]) {
      const job = { ...withQuality(JOB_2, 60), force };
      expect(await runImage(store, IMAGE, { job })).toMatchObject({ reason: 'own-output' });
    }
    expect(store.object(IMAGE)?.size).toBe(500);
  });

  test('is compressed again losslessly, and stays marked as lossy', async () => {
    const store = storeWith();
    await runImage(store, IMAGE, { job: IN_PLACE });
    expect(await runImage(store, IMAGE, { job: lossless(JOB_2) })).toMatchObject({ bytesIn: 500 });
    const third = { ...withQuality(JOB_2, 60), jobId: 'job-3' };
    expect(await runImage(store, IMAGE, { job: third })).toMatchObject({ reason: 'own-output' });
  });

  test('losslessly may be compressed lossily once', async () => {
    const store = storeWith();
    await runImage(store, IMAGE, { job: lossless(IN_PLACE) });
    expect(await runImage(store, IMAGE, { job: JOB_2 })).toMatchObject({ status: 'compressed' });
  });

  test('and edited since is compressed again: its mark is of another content', async () => {
    const store = storeWith();
    await runImage(store, IMAGE, { job: IN_PLACE });
    const { metadata } = store.object(IMAGE)!;
    store.seed(IMAGE, 'edited'.repeat(100), { attributes: { ...JPEG.attributes, metadata } });
    expect(await runImage(store, IMAGE, { job: JOB_2 })).toMatchObject({
      status: 'compressed',
      bytesIn: 600,
    });
  });

  test('is recognised by its content when S3 has no SHA-256 of it', async () => {
    const store = storeWith();
    await runImage(store, IMAGE, { job: IN_PLACE });
    const { body, metadata } = store.object(IMAGE)!;
    store.seed(IMAGE, body, { attributes: { metadata, checksumAlgorithm: 'CRC64NVME' } });
    expect(await runImage(store, IMAGE, { job: JOB_2 })).toMatchObject({ reason: 'up-to-date' });
  });
});

describe('undo', () => {
  const body = 'x'.repeat(1000);
  async function undoOf(options: PutOptions, job: Job) {
    const store = storeWith(body, options);
    const undone: UndoEntry[] = [];
    await runImage(store, IMAGE, { job, onUndo: (entry) => void undone.push(entry) });
    return { store, undone };
  }

  test('names the ETags, the content and the version of the original', async () => {
    const { store, undone } = await undoOf({ attributes: { versionId: 'v1' } }, IN_PLACE);
    const half = body.slice(500);
    expect(undone).toEqual([
      {
        bucket: 'photos',
        key: 'a/photo.jpg',
        etagBefore: md5(body),
        etagAfter: store.object(IMAGE)?.etag,
        versionId: 'v1',
        sha256: createHash('sha256').update(body).digest('base64'),
        before: { sha256: sha256(body), md5: md5(body), etag: md5(body), size: 1000 },
        after: { sha256: sha256(half), md5: md5(half), etag: md5(half), size: 500 },
      },
    ]);
    expect(readMark(store.object(IMAGE)!.metadata)).toMatchObject({ version: 'v1', job: 'job-1' });
  });

  test('leaves hashes out of a mark that has no space for them, and still names them', async () => {
    // Enough for the mark, but not for the hashes in it.
    const { store, undone } = await undoOf({ attributes: { metadata: { note: 'n'.repeat(1690) } } }, IN_PLACE);
    const mark = readMark(store.object(IMAGE)!.metadata);
    expect(mark).toMatchObject({ job: 'job-1' });
    expect(mark).not.toHaveProperty('md5');
    expect(undone[0]).toMatchObject({ before: { md5: md5(body) }, after: { size: 500 } });
  });

  test('names no version when suspended versioning does not keep it', async () => {
    const { undone } = await undoOf({ attributes: { versionId: 'null' } }, IN_PLACE);
    expect(undone[0]).not.toHaveProperty('versionId');
  });

  test('with backup the original is copied first, attributes and tags included', async () => {
    const attributes = { ...JPEG.attributes, cacheControl: 'no-cache', metadata: { camera: 'left' } };
    const job = { ...IN_PLACE, backup: 's3://backups/2026/' };
    const { store, undone } = await undoOf({ attributes, tags: { set: 'train' } }, job);
    const backup = `s3://backups/2026/photos/a/photo.jpg.${md5(body)}`;
    expect(undone).toMatchObject([{ backup }]);
    expect(store.object(backup)).toMatchObject({ ...attributes, tagSet: { set: 'train' } });
    expect(store.text(backup)).toBe(body);
    expect(store.calls.indexOf(`PUT ${backup}`)).toBeLessThan(store.calls.indexOf(`PUT ${IMAGE}`));
  });

  test('an image whose backup fails is not replaced', async () => {
    const store = storeWith(body);
    const put = store.put.bind(store);
    store.put = async (location, bytes, options) => {
      if (location.bucket === 'backups') throw new ObjectStoreError('AccessDenied', 'no');
      return put(location, bytes, options);
    };
    const job = { ...IN_PLACE, backup: 's3://backups/' };
    expect(await runImage(store, IMAGE, { job })).toMatchObject({ status: 'failed', code: 'AccessDenied' });
    expect(store.text(IMAGE)).toBe(body);
  });

  test('is not recorded for an image that was not replaced', async () => {
    const store = storeWith();
    const undone: UndoEntry[] = [];
    const context = { job: IN_PLACE, onUndo: (entry: UndoEntry) => void undone.push(entry) };
    await runImage(store, IMAGE, { ...context, compress: keep });
    const crash = answering({ status: 'failed', code: 'EncoderCrash', message: 'x' });
    await runImage(store, IMAGE, { ...context, compress: crash });
    expect(undone).toEqual([]);
    expect(store.object(IMAGE)?.metadata).not.toHaveProperty(MARK_KEY);
  });
});
