import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { compressMkBatch } from '../../src/mindkosh/mk-batch.ts';
import { EnvironmentError, type MkBatch } from '../../src/mindkosh/mk-environment.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { photoPixels } from '../support/fixtures/pixels.ts';
import { NO_LOG } from '../support/image-jobs.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';

const MK: MkBatch = {
  batch: 'batch_1',
  fileList: 's3://lists/files.json',
  outputBucket: 'images',
  output: 's3://images/compressed/',
  byCamera: false,
  region: 'us-east-2',
};

const HOST = {
  concurrency: 2,
  closing: new AbortController().signal,
  memoryBytes: 1e9,
  startedAt: '2026-11-21T10:00:00.000Z',
  log: NO_LOG,
  now: () => new Date('2026-11-21T10:01:00.000Z'),
};

function seedList(store: MemoryStore, list: Record<string, readonly string[]>) {
  store.seed(MK.fileList, JSON.stringify(list));
}

const photograph = (seed = 1) => makeJpeg({ width: 320, height: 240, quality: 97, seed });

function photographAsPng(channels: 3 | 4) {
  const pixels = photoPixels(160, 120, channels);
  return sharp(pixels, { raw: { width: 160, height: 120, channels } })
    .png()
    .toBuffer();
}

describe('the name of such a job', () => {
  it('is different for batches whose names differ only at their end, and for starts within one second', async () => {
    const long = '批次'.repeat(30);
    const store = createMemoryStore();
    seedList(store, { [`${long}1`]: ['s3://cameras/a.jpg'], [`${long}2`]: ['s3://cameras/b.jpg'] });
    const nameOf = async (batch: string, startedAt: string) => {
      const summary = await compressMkBatch({ ...MK, batch }, { ...HOST, store, startedAt });
      return /jobs\/(.+)\/report\.json$/.exec(summary!.report)![1]!;
    };
    const names = [
      await nameOf(`${long}1`, '2026-11-21T10:00:00.100Z'),
      await nameOf(`${long}2`, '2026-11-21T10:00:00.100Z'),
      await nameOf(`${long}2`, '2026-11-21T10:00:00.900Z'),
    ];
    expect(new Set(names).size).toBe(3);
    // The limit of an execution's name, which the job files share.
    for (const name of names) expect(name.length).toBeLessThanOrEqual(80);
  });
});

describe("a batch under Mindkosh's contract", () => {
  it('compresses only the images of its batch, under their own names and as JPEG', async () => {
    const store = createMemoryStore();
    seedList(store, {
      batch_1: ['s3://cameras/a/one.jpg', 's3://cameras/b/two.PNG'],
      batch_2: ['s3://cameras/a/other.jpg'],
    });
    store.seed('s3://cameras/a/one.jpg', await photograph());
    store.seed('s3://cameras/b/two.PNG', await photographAsPng(3));
    store.seed('s3://cameras/a/other.jpg', await photograph());

    const summary = await compressMkBatch(MK, { ...HOST, store });

    expect(summary).toMatchObject({ status: 'SUCCEEDED', planned: 2, compressed: 2, failed: 0, lost: 0 });
    const outputs = store.uris().filter((uri) => uri.startsWith('s3://images/compressed/'));
    expect(outputs).toEqual(['s3://images/compressed/one.jpg', 's3://images/compressed/two.jpeg']);
    for (const uri of outputs) {
      expect((await sharp(store.bytes(uri)!).metadata()).format).toBe('jpeg');
      expect(store.object(uri)!.contentType).toBe('image/jpeg');
    }
    expect(summary!.report).toMatch(
      /^s3:\/\/images\/jobs\/mindkosh-batch_1-[0-9a-f]{8}-20261121T100000000Z\/report\.json$/,
    );
  });

  it('divides by camera: left, right, front and the others', async () => {
    const store = createMemoryStore();
    const keys = ['0001_left.jpg', '0001_right.jpg', 'x_y_front.jpg', 'plain.jpg', 'not_leftish.jpg'];
    seedList(store, { batch_1: keys.map((key) => `s3://cameras/${key}`) });
    const bytes = await photograph();
    for (const key of keys) store.seed(`s3://cameras/${key}`, bytes);
    await compressMkBatch({ ...MK, byCamera: true }, { ...HOST, store });
    expect(store.uris().filter((uri) => uri.startsWith('s3://images/compressed/'))).toEqual(
      [
        'front/x_y_front.jpg',
        'left/0001_left.jpg',
        'others/not_leftish.jpg',
        'others/plain.jpg',
        'right/0001_right.jpg',
      ].map((key) => `s3://images/compressed/${key}`),
    );
  });

  it('counts what Mindkosh only printed: an image that cannot be read makes the batch fail', async () => {
    const store = createMemoryStore();
    seedList(store, { batch_1: ['s3://cameras/good.jpg', 's3://cameras/cut.jpg', 's3://cameras/gone.jpg'] });
    const bytes = await photograph();
    store.seed('s3://cameras/good.jpg', bytes);
    store.seed('s3://cameras/cut.jpg', bytes.subarray(0, bytes.length / 2));
    const summary = await compressMkBatch(MK, { ...HOST, store });
    expect(summary).toMatchObject({ status: 'FAILED', compressed: 1, failed: 2 });
    expect(store.bytes('s3://images/compressed/cut.jpg')).toBeUndefined();
  });

  it('keeps transparency, which made Mindkosh give up', async () => {
    const store = createMemoryStore();
    seedList(store, { batch_1: ['s3://cameras/glass.png'] });
    const glass = await photographAsPng(4);
    store.seed('s3://cameras/glass.png', glass);
    expect(await compressMkBatch(MK, { ...HOST, store })).toMatchObject({ failed: 0, lost: 0 });
    const output = store.bytes('s3://images/compressed/glass.png')!;
    expect((await sharp(output).metadata()).hasAlpha).toBe(true);
  });

  it('refuses two sources of one name before anything is written, where Mindkosh overwrote the first', async () => {
    const store = createMemoryStore();
    seedList(store, { batch_1: ['s3://cameras/a/x.jpg', 's3://cameras/b/x.jpg'] });
    await expect(compressMkBatch(MK, { ...HOST, store })).rejects.toThrow(/s3:\/\/cameras\/a\/x\.jpg.*x\.jpg/s);
    expect(store.uris().filter((uri) => uri.startsWith('s3://images/compressed/'))).toEqual([]);
  });

  it('names the batches of the list when its own is missing', async () => {
    const store = createMemoryStore();
    seedList(store, { batch_1: ['s3://cameras/a.jpg'], batch_2: ['s3://cameras/b.jpg'] });
    const error = await compressMkBatch({ ...MK, batch: 'batch_9' }, { ...HOST, store }).catch((e) => e);
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toContain('"batch_9", in s3://lists/files.json, but it has images in batch_1, batch_2');
  });

  it('continues where it stopped when the container restarts its worker', async () => {
    const store = createMemoryStore();
    seedList(store, { batch_1: ['s3://cameras/a.jpg', 's3://cameras/b.jpg'] });
    const bytes = await photograph();
    store.seed('s3://cameras/a.jpg', bytes);
    store.seed('s3://cameras/b.jpg', bytes);
    const closed = AbortSignal.abort();
    expect(await compressMkBatch(MK, { ...HOST, store, closing: closed })).toBeUndefined();
    const plans = () => store.calls.filter((call) => call.startsWith('UPLOAD') && call.endsWith('batches.jsonl'));
    expect(plans()).toHaveLength(1);
    expect(await compressMkBatch(MK, { ...HOST, store })).toMatchObject({ compressed: 2, lost: 0 });
    expect(plans()).toHaveLength(1);
  });

  it('does not compress again what an earlier container finished', async () => {
    const store = createMemoryStore();
    seedList(store, { batch_1: ['s3://cameras/a.jpg'] });
    store.seed('s3://cameras/a.jpg', await photograph());
    await compressMkBatch(MK, { ...HOST, store });
    const later = { ...HOST, store, startedAt: '2026-11-22T10:00:00.000Z' };
    expect(await compressMkBatch(MK, later)).toMatchObject({ compressed: 0, skipped: 1, failed: 0 });
  });
});
