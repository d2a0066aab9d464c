import { describe, expect, test } from 'vitest';
import { MARK_KEY, readMark } from '../../src/core/compression-mark.ts';
import type { Job } from '../../src/core/job.ts';
import { ObjectStoreError } from '../../src/core/object-store.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { answering, halve, JOB, keep, LOSSLESS, NO_LOG, remark, runImage } from '../support/image-jobs.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const SOURCE = 's3://sources/a/photo.jpg';
const OUTPUT = 's3://outputs/a/photo.jpg';
const JOB_2: Job = { ...JOB, jobId: 'job-2' };
const withQuality = (job: Job, quality: number): Job => ({
  ...job,
  compression: { ...DEFAULT_COMPRESSION, quality },
});

function storeWith(body = 'x'.repeat(1000), options = {}) {
  const store = createMemoryStore();
  store.seed(SOURCE, body, options);
  return store;
}

describe('an image compressed to another place', () => {
  test('costs HEAD of the output, GET and PUT', async () => {
    const store = storeWith();
    const outcome = await runImage(store, SOURCE);
    expect(outcome).toEqual({
      status: 'compressed',
      output: OUTPUT,
      bytesIn: 1000,
      bytesOut: 500,
      encoding: { format: 'jpeg', lossless: false, quality: 74 },
    });
    expect(store.calls).toEqual([`HEAD ${OUTPUT}`, `GET ${SOURCE}`, `PUT ${OUTPUT}`]);
    expect(store.bytes(OUTPUT)).toHaveLength(500);
  });

  test('is reported with the detail of the codec', async () => {
    const outcome = await runImage(storeWith(), SOURCE, { compress: remark });
    expect(outcome).toMatchObject({
      status: 'compressed',
      detail: 'only its metadata was removed (no-gain)',
    });
  });

  test('keeps its headers, metadata and tags and gets the Content-Type of its bytes', async () => {
    const attributes = {
      contentType: 'binary/octet-stream',
      cacheControl: 'max-age=60',
      contentDisposition: 'inline',
      contentLanguage: 'de',
      expires: 'never',
      metadata: { camera: 'left' },
      storageClass: 'STANDARD_IA',
      websiteRedirect: '/x',
    };
    const store = storeWith('x'.repeat(1000), { attributes, tags: { set: 'train' } });
    await runImage(store, SOURCE);
    const output = store.object(OUTPUT);
    expect(output).toMatchObject({
      contentType: 'image/jpeg',
      cacheControl: 'max-age=60',
      contentDisposition: 'inline',
      contentLanguage: 'de',
      expires: 'never',
      metadata: { camera: 'left', [MARK_KEY]: expect.any(String) },
      storageClass: 'STANDARD',
      tagSet: { set: 'train' },
    });
    expect(output?.websiteRedirect).toBeUndefined();
    expect(store.calls).toContain(`TAGS ${SOURCE}`);
  });

  test('that is kept is copied, marked, under its own name', async () => {
    const store = storeWith();
    const job: Job = { ...JOB, compression: { ...DEFAULT_COMPRESSION, format: 'webp' } };
    const outcome = await runImage(store, SOURCE, { job, compress: keep });
    expect(outcome).toEqual({ status: 'kept', reason: 'no-gain', output: OUTPUT, bytesIn: 1000 });
    expect(store.text(OUTPUT)).toBe('x'.repeat(1000));
    expect(readMark(store.object(OUTPUT)!.metadata)).toMatchObject({ kept: 'no-gain', lossy: false });
  });

  test('that is kept stays where it is with copyKept false', async () => {
    const store = storeWith();
    const job = { ...JOB, copyKept: false };
    expect(await runImage(store, SOURCE, { job, compress: keep })).toEqual({
      status: 'kept',
      reason: 'no-gain',
      bytesIn: 1000,
    });
    expect(store.uris()).toEqual([SOURCE]);
  });

  test('changes its extension only when its format changes', async () => {
    const store = storeWith();
    const job: Job = { ...JOB, compression: { ...DEFAULT_COMPRESSION, format: 'webp' } };
    const webp = answering({
      status: 'compressed',
      bytes: Buffer.from('webp'),
      contentType: 'image/webp',
      encoding: { format: 'webp', lossless: false, quality: 75 },
    });
    expect(await runImage(store, SOURCE, { job, compress: webp })).toMatchObject({
      output: 's3://outputs/a/photo.webp',
    });
    expect(store.object('s3://outputs/a/photo.webp')?.contentType).toBe('image/webp');
    store.seed('s3://sources/a/glass.png', 'x'.repeat(1000));
    const png = answering({
      status: 'compressed',
      bytes: Buffer.from('png'),
      contentType: 'image/png',
      encoding: { format: 'png', lossless: true },
    });
    expect(await runImage(store, 's3://sources/a/glass.png', { job, compress: png })).toMatchObject({
      output: 's3://outputs/a/glass.png',
    });
  });

  test('is never larger than its source, whatever the codec returns', async () => {
    const store = storeWith('x');
    const larger = answering({
      status: 'compressed',
      bytes: Buffer.from('xx'),
      contentType: 'image/jpeg',
      encoding: { format: 'jpeg', lossless: false },
    });
    expect(await runImage(store, SOURCE, { compress: larger })).toMatchObject({
      status: 'kept',
      reason: 'no-gain',
    });
    expect(store.text(OUTPUT)).toBe('x');
  });

  test('is not written in a dry run', async () => {
    const store = storeWith();
    const outcome = await runImage(store, SOURCE, { job: { ...JOB, dryRun: true } });
    expect(outcome).toMatchObject({ status: 'compressed', bytesIn: 1000, bytesOut: 500 });
    expect(store.uris()).toEqual([SOURCE]);
  });
});

describe('an image that was compressed before', () => {
  test('is up to date without reading its body', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    store.calls.length = 0;
    const again = await runImage(store, SOURCE, { job: JOB_2 });
    expect(again).toEqual({ status: 'skipped', reason: 'up-to-date' });
    expect(store.calls).toEqual([`HEAD ${OUTPUT}`, `GET ${SOURCE}`]);
  });

  test('and kept is up to date as well, also when its format might have changed', async () => {
    const store = storeWith();
    const job: Job = { ...JOB, compression: { ...DEFAULT_COMPRESSION, format: 'webp' } };
    await runImage(store, SOURCE, { job, compress: keep });
    const again = await runImage(store, SOURCE, { job: { ...job, jobId: 'job-2' } });
    expect(again).toEqual({ status: 'skipped', reason: 'up-to-date' });
  });

  test('is compressed for the job whose worker crashed before it wrote the result, by the mark', async () => {
    const store = storeWith();
    const first = await runImage(store, SOURCE);
    store.calls.length = 0;
    expect(await runImage(store, SOURCE)).toEqual(first);
    expect(store.calls).toEqual([`HEAD ${OUTPUT}`]);
  });

  test('and kept is kept for the job whose worker crashed before it wrote the result', async () => {
    const store = storeWith();
    const first = await runImage(store, SOURCE, { compress: keep });
    expect(await runImage(store, SOURCE, { compress: halve })).toEqual(first);
  });

  test('is compressed again when the source changed', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    store.seed(SOURCE, 'y'.repeat(800));
    expect(await runImage(store, SOURCE, { job: JOB_2 })).toMatchObject({ bytesIn: 800, bytesOut: 400 });
    expect(store.text(OUTPUT)).toBe('y'.repeat(400));
  });

  test('is compressed again from its source when the settings changed, or by force', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    const changed = await runImage(store, SOURCE, { job: withQuality(JOB_2, 60) });
    expect(changed).toMatchObject({ status: 'compressed', bytesIn: 1000 });
    const forced = { ...withQuality(JOB_2, 60), jobId: 'job-3', force: true };
    expect(await runImage(store, SOURCE, { job: forced })).toMatchObject({ status: 'compressed' });
  });
});

describe('an object that exists at the output key', () => {
  test('is not overwritten when it is not ours, and the source is not even read', async () => {
    const store = storeWith();
    store.seed(OUTPUT, 'precious');
    const outcome = await runImage(store, SOURCE);
    expect(outcome).toMatchObject({ status: 'failed', code: 'OutputExists' });
    expect((outcome as { message: string }).message).toContain(`${OUTPUT} is an object that is not`);
    expect(store.text(OUTPUT)).toBe('precious');
    expect(store.calls).toEqual([`HEAD ${OUTPUT}`]);
  });

  test('is not overwritten when it is an edited output of ours that kept its mark', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    const { metadata } = store.object(OUTPUT)!;
    store.seed(OUTPUT, 'edited by hand', { attributes: { metadata } });
    expect(await runImage(store, SOURCE, { job: JOB_2 })).toMatchObject({ code: 'OutputExists' });
    expect(store.text(OUTPUT)).toBe('edited by hand');
  });

  test('is overwritten only by force when it is the output of another source', async () => {
    const store = storeWith();
    const flat: Job = { ...JOB, layout: 'flat' };
    await runImage(store, SOURCE, { job: flat });
    store.seed('s3://sources/b/photo.jpg', 'z'.repeat(600));
    const refused = await runImage(store, 's3://sources/b/photo.jpg', { job: { ...flat, jobId: 'job-2' } });
    expect(refused).toMatchObject({ status: 'failed', code: 'OutputExists' });
    expect((refused as { message: string }).message).toContain('the output of another source');
    const force = { ...flat, jobId: 'job-3', force: true };
    expect(await runImage(store, 's3://sources/b/photo.jpg', { job: force })).toMatchObject({
      status: 'compressed',
    });
  });

  test('is not overwritten when it is the source itself', async () => {
    const store = storeWith();
    const outcome = await runImage(store, SOURCE, { job: { ...JOB, output: 's3://sources/' } });
    expect(outcome).toMatchObject({ status: 'failed', code: 'OutputExists' });
    expect((outcome as { message: string }).message).toContain('is the source itself');
    expect(store.calls).not.toContain(`PUT ${SOURCE}`);
  });

  test('is kept when it was written while the image was being compressed', async () => {
    const store = storeWith();
    const outcome = await runImage(store, SOURCE, {
      compress: async (bytes, settings) => {
        store.seed(OUTPUT, 'written meanwhile');
        return halve(bytes, settings);
      },
    });
    expect(outcome).toMatchObject({ status: 'skipped', reason: 'changed-meanwhile' });
    expect(store.text(OUTPUT)).toBe('written meanwhile');
  });

  test('is confirmed by its content when S3 has no SHA-256 of it', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    const { body, metadata } = store.object(OUTPUT)!;
    store.seed(OUTPUT, body, { attributes: { metadata, checksumAlgorithm: 'CRC64NVME' } });
    expect(await runImage(store, SOURCE, { job: JOB_2 })).toMatchObject({ reason: 'up-to-date' });
    expect(store.calls.slice(-3)).toEqual([`HEAD ${OUTPUT}`, `READ ${OUTPUT}`, `GET ${SOURCE}`]);
  });
});

describe('metadata that is too long for a mark', () => {
  const metadata = { note: 'n'.repeat(1900) };

  test('leaves the image as it is, copied', async () => {
    const store = storeWith('x'.repeat(1000), { attributes: { metadata } });
    const outcome = await runImage(store, SOURCE);
    expect(outcome).toEqual({ status: 'kept', reason: 'metadata-limit', output: OUTPUT, bytesIn: 1000 });
    expect(store.object(OUTPUT)).toMatchObject({ metadata, size: 1000 });
  });

  test('but no metadata that had to go is copied with it', async () => {
    const store = createMemoryStore();
    store.seed(SOURCE, '<svg xmlns="http://www.w3.org/2000/svg"><metadata>Paris</metadata></svg>', {
      attributes: { metadata },
    });
    const strip = (metadataLeft: 'fail' | 'keep'): Job => ({
      ...JOB,
      compression: { ...DEFAULT_COMPRESSION, metadata: 'strip', metadataLeft },
    });
    expect(await runImage(store, SOURCE, { job: strip('fail') })).toMatchObject({
      status: 'failed',
      code: 'MetadataLeft',
      message: expect.stringContaining('a metadata element'),
    });
    expect(store.calls.some((call) => call.startsWith('PUT'))).toBe(false);
    expect(await runImage(store, SOURCE, { job: strip('keep') })).toMatchObject({
      status: 'kept',
      metadataLeft: 'a metadata element',
    });
  });

  test('and the copy counts also when the answer to its write was lost', async () => {
    const store = storeWith('x'.repeat(1000), { attributes: { metadata } });
    const put = store.put.bind(store);
    store.put = async (location, body, options) => {
      await put(location, body, options);
      // The SDK's own retry finds its first write.
      throw new ObjectStoreError('PreconditionFailed', 'PutObject: it is there already');
    };
    expect(await runImage(store, SOURCE)).toMatchObject({ status: 'kept', reason: 'metadata-limit' });
  });

  test('and its unmarked copy is recognised by its content in the next run', async () => {
    const store = storeWith('x'.repeat(1000), { attributes: { metadata } });
    await runImage(store, SOURCE);
    const puts = () => store.calls.filter((call) => call.startsWith('PUT')).length;
    expect(await runImage(store, SOURCE, { job: JOB_2 })).toMatchObject({ reason: 'metadata-limit' });
    expect(puts()).toBe(1);
  });
});

describe('a source that is an output of ours', () => {
  test('is skipped when it would be compressed lossily a second time, also by force', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    const job: Job = { ...withQuality(JOB_2, 60), output: 's3://second/', force: true };
    expect(await runImage(store, OUTPUT, { job })).toMatchObject({ status: 'skipped', reason: 'own-output' });
    expect(store.uris()).toEqual([OUTPUT, SOURCE]);
  });

  test('is compressed losslessly, and stays marked as lossy', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    const job: Job = { ...JOB_2, output: 's3://second/', compression: LOSSLESS };
    expect(await runImage(store, OUTPUT, { job })).toMatchObject({ status: 'compressed', bytesIn: 500 });
    expect(readMark(store.object('s3://second/a/photo.jpg')!.metadata)?.lossy).toBe(true);
    const third: Job = { ...withQuality(JOB_2, 60), jobId: 'job-3', output: 's3://third/' };
    expect(await runImage(store, 's3://second/a/photo.jpg', { job: third })).toMatchObject({
      reason: 'own-output',
    });
  });

  test('and was compressed in place is a source like any other: the outputs stay complete', async () => {
    const store = storeWith();
    await runImage(store, SOURCE, { job: { ...JOB, output: 'in-place' } });
    const outcome = await runImage(store, SOURCE, { job: withQuality(JOB_2, 60) });
    expect(outcome).toMatchObject({ status: 'kept', reason: 'already-compressed', output: OUTPUT });
    expect(store.text(OUTPUT)).toBe('x'.repeat(500));
  });

  test('that was edited since is an image like any other', async () => {
    const store = storeWith();
    await runImage(store, SOURCE);
    const { metadata } = store.object(OUTPUT)!;
    store.seed(OUTPUT, 'edited'.repeat(100), { attributes: { metadata } });
    const job: Job = { ...JOB_2, output: 's3://second/' };
    expect(await runImage(store, OUTPUT, { job })).toMatchObject({ status: 'compressed', bytesIn: 600 });
  });
});

describe('what cannot be compressed', () => {
  test('a missing source is failed: NotFound', async () => {
    expect(await runImage(createMemoryStore(), SOURCE)).toMatchObject({ status: 'failed', code: 'NotFound' });
  });

  test('an archived source is skipped', async () => {
    const store = storeWith('x', { attributes: { storageClass: 'GLACIER' } });
    expect(await runImage(store, SOURCE)).toEqual({ status: 'skipped', reason: 'archived' });
  });

  test('an empty source is skipped', async () => {
    expect(await runImage(storeWith(''), SOURCE)).toMatchObject({ status: 'skipped', reason: 'empty' });
  });

  test('a duplicate is skipped without a call', async () => {
    const store = storeWith();
    const context = { job: JOB, batchId: 'b', store, log: NO_LOG, compress: halve };
    const { compressImage } = await import('../../src/compress/compress-image.ts');
    const outcome = await compressImage({ n: 5, bucket: 'sources', key: 'a/photo.jpg', duplicateOf: 2 }, context);
    expect(outcome).toMatchObject({ status: 'skipped', reason: 'duplicate' });
    expect(store.calls).toEqual([]);
  });

  test.each([
    'AccessDenied',
    'Throttled',
    'TooLarge',
    'NotFound',
    'Unexpected',
  ] as const)('a store that answers %s is a failed result with its message', async (code) => {
    const store = storeWith('GIF89a');
    store.get = async () => {
      throw new ObjectStoreError(code, 'GetObject s3://sources/a/photo.jpg: words');
    };
    const message = 'GetObject s3://sources/a/photo.jpg: words';
    expect(await runImage(store, SOURCE)).toEqual({
      status: 'failed',
      code,
      message: code === 'Unexpected' ? `Unexpected error: ${message}` : message,
      // A larger host may have the memory.
      ...(code === 'TooLarge' && { hostTooSmall: true }),
    });
  });

  test('a bug is a failed result, not a failed batch', async () => {
    const compress = async () => {
      throw new TypeError('nonsense');
    };
    expect(await runImage(storeWith(), SOURCE, { compress })).toMatchObject({
      status: 'failed',
      code: 'Unexpected',
      message: 'Unexpected error: nonsense',
    });
  });

  test('a write whose answer was lost counts as written', async () => {
    const store = storeWith();
    const put = store.put.bind(store);
    store.put = async (location, body, options) => {
      await put(location, body, options);
      return put(location, body, options); // the SDK's retry finds its first write
    };
    expect(await runImage(store, SOURCE)).toMatchObject({ status: 'compressed' });
    const { put: _put, ...other } = storeWith();
    const refusing = Object.assign(other, {
      put: async () => {
        throw new ObjectStoreError('Unexpected', 'socket hang up');
      },
    });
    expect(await runImage(refusing, SOURCE)).toMatchObject({
      status: 'failed',
      message: 'Unexpected error: socket hang up',
    });
  });
});
