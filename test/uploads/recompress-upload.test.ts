import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageContext } from '../../src/compress/image-context.ts';
import { MARK_KEY, readMark } from '../../src/core/compression-mark.ts';
import { type ObjectAttributes, type ObjectStore, ObjectStoreError } from '../../src/core/object-store.ts';
import { recompressUploads } from '../../src/uploads/recompress-upload.ts';
import { parseUploadSettings } from '../../src/uploads/upload-settings.ts';
import { createWriteRateLimit } from '../../src/uploads/write-rate-limit.ts';
import { answering, halve, IN_PLACE, runImage } from '../support/image-jobs.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createUploadBucket, messageFor, uploadEvent, uploadHost } from '../support/upload-bucket.ts';

const PHOTO = { bucket: 'uploads', key: 'a/photo.jpg' };
const URI = 's3://uploads/a/photo.jpg';

function photoStore(body = 'x'.repeat(1000)) {
  const store = createMemoryStore();
  store.seed(URI, body, { attributes: { contentType: 'image/jpeg' } });
  return store;
}

describe('an upload', () => {
  test('is recompressed losslessly in place, with HEAD, GET and PUT', async () => {
    const store = photoStore();
    const { host, metrics } = uploadHost({ store });
    const answer = await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO))] }, host);
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(store.calls).toEqual([`HEAD ${URI}`, `GET ${URI}`, `PUT ${URI}`]);
    expect(readMark(store.object(URI)!.metadata)).toMatchObject({
      encoding: { lossless: true },
      lossy: false,
    });
    expect(metrics).toEqual({ UploadsCompressed: 1, BytesIn: 1000, BytesOut: 500 });
  });

  test('of ours costs one HEAD', async () => {
    const store = photoStore();
    const { host } = uploadHost({ store });
    const event = { Records: [messageFor(uploadEvent(PHOTO))] };
    await recompressUploads(event, host);
    store.calls.length = 0;
    await recompressUploads(event, host);
    expect(store.calls).toEqual([`HEAD ${URI}`]);
  });

  test('is handled for every record of every message, each object once', async () => {
    const store = photoStore();
    store.seed('s3://uploads/b c.jpg', 'y'.repeat(400));
    const { host, metrics } = uploadHost({ store });
    const both = uploadEvent(PHOTO, { bucket: 'uploads', key: 'b c.jpg' });
    const Records = [
      messageFor(both, { id: 'm1' }),
      messageFor(uploadEvent(PHOTO), { id: 'm2' }),
      messageFor('{"Event":"s3:TestEvent"}', { id: 'm3' }),
    ];
    expect(await recompressUploads({ Records }, host)).toEqual({ batchItemFailures: [] });
    expect(metrics.UploadsCompressed).toBe(2);
    expect(store.calls.filter((call) => call.startsWith('HEAD'))).toHaveLength(2);
    expect(store.object('s3://uploads/b c.jpg')?.size).toBe(200);
  });

  test('by a job that writes with other settings is left as the job made it', async () => {
    const store = photoStore();
    await runImage(store, URI, { job: IN_PLACE });
    const { host } = uploadHost({ store });
    await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO))] }, host);
    expect(store.object(URI)?.size).toBe(500);
  });

  test('can be backed up before it is replaced, and its log line says how to undo it', async () => {
    const store = photoStore();
    const settings = parseUploadSettings('{"backup":"s3://originals/uploads/"}');
    const { host, lines } = uploadHost({ store, settings });
    await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO))] }, host);
    const backup = store.uris().find((uri) => uri.startsWith('s3://originals/uploads/uploads/a/photo.jpg.'))!;
    expect(store.text(backup)).toBe('x'.repeat(1000));
    expect(lines).toMatchObject([{ level: 'info', details: { undo: { ...PHOTO, backup } } }]);
  });
});

test('a backup below its prefix in the same bucket is no upload', async () => {
  const bucket = createUploadBucket();
  bucket.upload('a.jpg', 'x'.repeat(1000));
  const settings = parseUploadSettings('{"backup":"s3://uploads/originals/"}');
  expect(await bucket.settle({ settings })).toBe(2);
  const backup = bucket.store.uris().find((uri) => uri.startsWith('s3://uploads/originals/'))!;
  expect(bucket.store.text(backup)).toBe('x'.repeat(1000));
  expect(bucket.store.object('s3://uploads/a.jpg')?.size).toBe(500);
});

describe('a message', () => {
  const failing = async (code: string, receives = 1) => {
    const compress = answering({ status: 'failed', code: code as 'CorruptImage', message: 'words' });
    const { host, lines, metrics } = uploadHost({ store: photoStore(), compress });
    const Records = [messageFor(uploadEvent(PHOTO), { receives })];
    const answer = await recompressUploads({ Records }, host);
    return { again: answer.batchItemFailures.length === 1, lines, metrics };
  };

  test.each([
    'CorruptImage',
    'TooLarge',
    'MetadataLeft',
  ])('of an image that is %s leaves the queue, and is reported', async (code) => {
    const { again, lines, metrics } = await failing(code);
    expect(again).toBe(false);
    expect(metrics).toEqual({ UploadsFailed: 1 });
    expect(lines).toMatchObject([{ level: 'error', details: { source: URI, code, reason: 'words' } }]);
  });

  test('of a failure that a file causes never gets to the dead-letter queue, whose alarm anybody could raise', async () => {
    const tries = async (code: string) => {
      for (let receives = 1; receives < 5; receives++) if (!(await failing(code, receives)).again) return receives;
      return 5;
    };
    const codes = ['CorruptImage', 'TooLarge', 'MetadataLeft', 'EncoderCrash', 'Unexpected'];
    expect(await Promise.all(codes.map(tries))).toEqual([1, 1, 1, 2, 5]);
  });

  test.each([
    'EncoderCrash',
    'Unexpected',
  ])('of a first %s is tried again, with its reason in the log', async (code) => {
    const { again, lines } = await failing(code);
    expect(again).toBe(true);
    const reason = code === 'Unexpected' ? 'Unexpected error: words' : 'words';
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      details: { messageId: 'm1', receives: 1, source: URI, code, reason },
    });
  });

  test.each([
    'AccessDenied',
    'Throttled',
    'Unexpected',
  ] as const)('that S3 answered with %s is tried again, the others are not', async (code) => {
    const store = photoStore();
    store.seed('s3://uploads/good.jpg', 'y'.repeat(400));
    const get = store.get.bind(store);
    store.get = async (location, options) => {
      if (location.key === PHOTO.key) throw new ObjectStoreError(code, 'the role needs kms:Decrypt');
      return get(location, options);
    };
    const { host, lines } = uploadHost({ store });
    const Records = [
      messageFor(uploadEvent({ bucket: 'uploads', key: 'good.jpg' }), { id: 'good' }),
      messageFor(uploadEvent(PHOTO), { id: 'bad' }),
    ];
    expect(await recompressUploads({ Records }, host)).toEqual({
      batchItemFailures: [{ itemIdentifier: 'bad' }],
    });
    expect(store.object('s3://uploads/good.jpg')?.size).toBe(200);
    expect(JSON.stringify(lines)).toContain('the role needs kms:Decrypt');
  });

  test('that is no S3 event is tried again until it is in the dead-letter queue, with its reason in the log', async () => {
    const { host, lines, metrics } = uploadHost({ store: createMemoryStore() });
    const answer = await recompressUploads({ Records: [messageFor('hello')] }, host);
    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: 'm1' }]);
    expect(metrics).toEqual({ UnreadableMessages: 1 });
    expect(lines[0]).toMatchObject({ level: 'error', details: { messageId: 'm1' } });
  });

  test('of an object that is not readable yet is tried again, twice', async () => {
    const { host, metrics } = uploadHost({ store: createMemoryStore() });
    const failures = async (receives: number) =>
      (await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO), { receives })] }, host)).batchItemFailures
        .length;
    expect([await failures(1), await failures(2), await failures(3)]).toEqual([1, 1, 0]);
    expect(metrics).toEqual({ UploadsMissing: 3 });
  });

  test('of an image that was deleted or replaced meanwhile leaves the queue', async () => {
    const store = photoStore();
    const { host } = uploadHost({
      store,
      compress: async (bytes, settings) => {
        store.remove(URI);
        return halve(bytes, settings);
      },
    });
    const answer = await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO))] }, host);
    expect(answer.batchItemFailures).toEqual([]);
    expect(store.uris()).toEqual([]);
  });

  test('goes back unchanged when the host’s time is up', async () => {
    const store = photoStore();
    const { host, lines } = uploadHost({ store, closing: AbortSignal.abort() });
    const answer = await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO))] }, host);
    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: 'm1' }]);
    expect(store.calls).toEqual([]);
    expect(lines).toMatchObject([
      { message: 'message goes back to the queue', details: { messageId: 'm1', reason: /time/ } },
    ]);
  });

  test('that hangs holds up no other: at the end the rest is answered', async () => {
    const store = createMemoryStore();
    for (const key of ['hung', 'good']) store.seed(`s3://uploads/${key}`, 'x'.repeat(100));
    const ending = new AbortController();
    let inHand = 0;
    const { host } = uploadHost({
      store,
      ending: ending.signal,
      compress: (bytes, settings) => {
        if (++inHand === 1) return new Promise(() => setTimeout(() => ending.abort(), 50));
        return halve(bytes, settings);
      },
    });
    const Records = ['hung', 'good'].map((key) => messageFor(uploadEvent({ bucket: 'uploads', key }), { id: key }));
    expect(await recompressUploads({ Records }, host)).toEqual({
      batchItemFailures: [{ itemIdentifier: 'hung' }],
    });
    expect(store.object('s3://uploads/good')?.size).toBe(50);
  });

  test('that failed once comes after the new ones; later it comes first', async () => {
    const store = createMemoryStore();
    const received = { second: 2, fresh: 1, fourth: 4 };
    for (const key of Object.keys(received)) store.seed(`s3://uploads/${key}`, 'x'.repeat(100));
    const { host } = uploadHost({ store, concurrency: 1 });
    const Records = Object.entries(received).map(([key, receives]) =>
      messageFor(uploadEvent({ bucket: 'uploads', key }), { id: key, receives }),
    );
    await recompressUploads({ Records }, host);
    const heads = store.calls.filter((call) => call.startsWith('HEAD'));
    expect(heads).toEqual(['fourth', 'fresh', 'second'].map((key) => `HEAD s3://uploads/${key}`));
  });

  test('is compressed in the end, however many others there are', async () => {
    const store = createMemoryStore();
    const keys = Array.from({ length: 30 }, (_, n) => `u${n}`);
    for (const key of keys) store.seed(`s3://uploads/${key}`, 'x'.repeat(100));
    // Ten messages per call, of which only seven are compressed; the rest is delivered again with new ones.
    const receives = new Map<string, number>();
    const waiting = [...keys];
    let most = 0;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 10);
      const closing = new AbortController();
      let begun = 0;
      const { host } = uploadHost({
        store,
        concurrency: 1,
        closing: closing.signal,
        compress: (bytes, settings) => {
          if (++begun === 7) closing.abort();
          return halve(bytes, settings);
        },
      });
      const Records = batch.map((key) => {
        receives.set(key, (receives.get(key) ?? 0) + 1);
        most = Math.max(most, receives.get(key)!);
        return messageFor(uploadEvent({ bucket: 'uploads', key }), { id: key, receives: receives.get(key)! });
      });
      const { batchItemFailures } = await recompressUploads({ Records }, host);
      waiting.unshift(...batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    }
    // The queue gives up after five.
    expect(most).toBeLessThan(5);
  });

  test.each([
    ['empty', ''],
    ['folder/', ''],
  ])('of the marker %j costs one HEAD', async (key, body) => {
    const store = createMemoryStore();
    store.seed(`s3://uploads/${key}`, body);
    const { host } = uploadHost({ store });
    await recompressUploads({ Records: [messageFor(uploadEvent({ bucket: 'uploads', key }))] }, host);
    expect(store.calls).toEqual([`HEAD s3://uploads/${key}`]);
  });
});

/** Guard 1 off: no mark is visible. */
const withoutMarks = (store: ObjectStore): ObjectStore => {
  const hide = <Attributes extends ObjectAttributes>(object: Attributes): Attributes => {
    const { [MARK_KEY]: _mark, ...metadata } = object.metadata;
    return { ...object, metadata };
  };
  return {
    ...store,
    head: async (location) => {
      const object = await store.head(location);
      return object && hide(object);
    },
    get: async (location, options) => {
      const object = await store.get(location, options);
      return object === undefined || object === 'not-modified' ? object : hide(object);
    },
  };
};

/** Guard 2 off: every output seems smaller than its source. */
const withoutSizes = (store: ObjectStore): ObjectStore => ({
  ...store,
  get: async (location, options) => {
    const object = await store.get(location, options);
    return object === undefined || object === 'not-modified' ? object : { ...object, size: 1e9 };
  },
});

/** Guard 3 off: S3 ignores conditions. */
const withoutConditions = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: (location, body, options) => store.put(location, body, { ...options, condition: undefined }),
});

const lossless = { format: 'jpeg', lossless: true } as const;
/** A codec that never converges: other bytes at every call, as with a timestamp in them. */
function restless(length: (bytes: Uint8Array) => number): ImageContext['compress'] {
  let calls = 0;
  return async (bytes) => ({
    status: 'compressed',
    bytes: Buffer.from(`${++calls}`.padEnd(length(bytes), '.')),
    contentType: 'image/jpeg',
    encoding: lossless,
  });
}
/** A codec that converges and makes images larger: its own output stays as it is. */
const inflating: ImageContext['compress'] = async (bytes) => ({
  status: 'compressed',
  bytes: Buffer.from(
    `larger:${Buffer.from(bytes)
      .toString()
      .replace(/^(larger:)+/, '')}`,
  ),
  contentType: 'image/jpeg',
  encoding: lossless,
});

describe('no loop', () => {
  const images = Array.from({ length: 20 }, (_, n) => `img/${n}.jpg`);
  const dropAll = (bucket: ReturnType<typeof createUploadBucket>) => {
    for (const key of images) bucket.upload(key, `${key} `.repeat(40));
  };

  test('guard 1 alone: the mark ends it although every pass would be smaller and S3 ignores conditions', async () => {
    const bucket = createUploadBucket(
      withoutConditions,
      restless((bytes) => bytes.length - 1),
    );
    dropAll(bucket);
    expect(await bucket.settle()).toBe(2);
    expect([...bucket.writes.values()]).toEqual(images.map(() => 1));
  });

  test('guard 2 alone: nothing that is not smaller is written although marks are lost and S3 ignores conditions', async () => {
    const see = (store: ObjectStore) => withoutMarks(withoutConditions(store));
    const bucket = createUploadBucket(
      see,
      restless((bytes) => Math.max(200, bytes.length - 100)),
    );
    dropAll(bucket);
    await bucket.settle();
    for (const key of images) expect(bucket.store.object(`s3://uploads/${key}`)?.size).toBe(200);
    const same = createUploadBucket(
      see,
      restless((bytes) => bytes.length),
    );
    dropAll(same);
    expect(await same.settle()).toBe(1);
    expect(same.writes.size).toBe(0);
  });

  test('guard 3 alone: a write is conditional on a change although marks are lost and sizes are wrong', async () => {
    const bucket = createUploadBucket((store) => withoutMarks(withoutSizes(store)), inflating);
    dropAll(bucket);
    expect(await bucket.settle()).toBe(2);
    expect([...bucket.writes.values()]).toEqual(images.map(() => 1));
  });

  test('guard 3 alone: of several hosts with the same upload in flight one writes', async () => {
    const bucket = createUploadBucket((store) => withoutMarks(withoutSizes(store)), inflating);
    bucket.store.seed(URI, 'x'.repeat(100));
    const hosts = Array.from({ length: 5 }, () => uploadHost({ store: bucket.seen, compress: inflating }).host);
    const event = { Records: [messageFor(uploadEvent(PHOTO))] };
    await Promise.all(hosts.map((host) => recompressUploads(event, host)));
    expect(bucket.writes.get(URI)).toBe(1);
  });

  test('without any guard it would loop: the three tests above are needed', async () => {
    const see = (store: ObjectStore) => withoutMarks(withoutSizes(withoutConditions(store)));
    const bucket = createUploadBucket(
      see,
      restless((bytes) => bytes.length),
    );
    dropAll(bucket);
    await expect(bucket.settle({}, 30)).rejects.toThrow('Events are left after 30 rounds');
  });

  test('and even then the hourly limit ends it, with a metric for an alarm', async () => {
    const see = (store: ObjectStore) => withoutMarks(withoutSizes(withoutConditions(store)));
    const bucket = createUploadBucket(
      see,
      restless((bytes) => bytes.length),
    );
    bucket.upload('a.jpg', 'x'.repeat(100));
    let limitReached = 0;
    const count = (metric: string, value: number) => {
      if (metric === 'WriteLimitReached') limitReached += value;
    };
    await bucket.settle({ writeRateLimit: createWriteRateLimit(5), count });
    expect(bucket.writes.get('s3://uploads/a.jpg')).toBe(5);
    expect(limitReached).toBe(1);
  });

  test('two systems that undo each other’s work are stopped by the count in the mark', async () => {
    const bucket = createUploadBucket();
    bucket.upload('a.jpg', 'x'.repeat(1000));
    let stamps = 0;
    for (let round = 0; round < 20; round++) {
      // Each round is a new process: only the mark has the count.
      await bucket.settle({ writeRateLimit: createWriteRateLimit(5) });
      const { metadata, body } = bucket.store.object('s3://uploads/a.jpg')!;
      const stamped = `stamp ${++stamps} ${'x'.repeat(1000)}${body.length}`;
      bucket.upload('a.jpg', stamped);
      bucket.store.seed('s3://uploads/a.jpg', stamped, { attributes: { metadata } });
    }
    expect(bucket.writes.get('s3://uploads/a.jpg')).toBe(5);
  });

  test('200 uploads are written once each where they improve, and then no event follows', async () => {
    const improvable: ImageContext['compress'] = async (bytes, settings) =>
      bytes.length % 2 === 0
        ? halve(bytes, settings)
        : { status: 'kept', reason: 'no-gain', format: 'jpeg', contentType: 'image/jpeg' };
    const bucket = createUploadBucket(undefined, improvable);
    for (let n = 0; n < 200; n++) bucket.upload(`${n}.jpg`, 'x'.repeat(1000 + n));
    expect(await bucket.settle()).toBe(2);
    expect(bucket.writes.size).toBe(100);
    expect(new Set(bucket.writes.values())).toEqual(new Set([1]));
    const calls = bucket.store.calls;
    expect(calls.filter((call) => call.startsWith('HEAD'))).toHaveLength(300);
    expect(calls.filter((call) => call.startsWith('GET'))).toHaveLength(200);
    expect(calls.filter((call) => call.startsWith('PUT'))).toHaveLength(100);
    expect(calls).toHaveLength(600);
  });
});

describe('uploads, copies and deletions in any order', () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('upload' as const), key: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const), key: fc.nat(3) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('deliver' as const), key: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat' as const), key: fc.nat(1000) }) },
  );

  test('every object ends as its latest upload or that upload recompressed, and no event follows', async () => {
    await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 40 }), fc.infiniteStream(fc.nat(1000)), play), {
      numRuns: 200,
    });
  });

  /** Events are delivered late, in any order, several times, and several at once; uploads and deletions happen in between. */
  async function play(actions: readonly { kind: string; key: number }[], chances: Stream<number>) {
    const store = createMemoryStore();
    const latest = new Map<string, string>();
    const delivered: string[] = [];
    let pending: string[] = [];
    let uploads = 0;
    const notifying: ObjectStore = {
      ...store,
      put: async (location, body, options) => {
        const written = await store.put(location, body, options);
        pending.push(uploadEvent(location));
        return written;
      },
    };
    const { host } = uploadHost({ store: notifying, compress: halveText });
    const deliveries: Promise<unknown>[] = [];
    const deliver = (body: string, receives = 1): Promise<void> => {
      delivered.push(body);
      const event = { Records: [messageFor(body, { receives })] };
      return recompressUploads(event, host).then(({ batchItemFailures }) => {
        if (batchItemFailures.length > 0) return deliver(body, receives + 1);
      });
    };
    const put = (key: number, body: string, metadata = {}) => {
      const uri = `s3://uploads/${key}`;
      store.seed(uri, body, { attributes: { contentType: 'image/jpeg', metadata } });
      latest.set(uri, body);
      pending.push(uploadEvent({ bucket: 'uploads', key: String(key) }));
    };

    for (const { kind, key } of actions) {
      if (kind === 'upload') put(key, `upload ${++uploads} ${'x'.repeat(100)}`);
      if (kind === 'copy') {
        // An object of ours copied to another key with its mark, or only its mark on other content.
        const found = store.object(`s3://uploads/${(key + 1) % 4}`);
        if (found) put(key, key % 2 ? Buffer.from(found.body).toString() : 'edited '.repeat(30), found.metadata);
      }
      if (kind === 'delete') {
        store.remove(`s3://uploads/${key}`);
        latest.delete(`s3://uploads/${key}`);
      }
      if (kind === 'deliver' && pending.length > 0)
        deliveries.push(deliver(pending.splice(key % pending.length, 1)[0]!));
      if (kind === 'repeat' && delivered.length > 0) deliveries.push(deliver(delivered[key % delivered.length]!));
      if (chances.next().value! % 2) await new Promise(setImmediate);
    }
    await Promise.all(deliveries);
    for (let round = 0; pending.length > 0; round++) {
      expect(round).toBeLessThan(20);
      const events = pending;
      pending = [];
      await Promise.all(events.map((body) => deliver(body)));
    }
    expect(store.uris()).toEqual([...latest.keys()].sort());
    for (const [uri, upload] of latest) expect([upload, halved(upload)]).toContain(store.text(uri));
  }
});

type Stream<T> = { next(): IteratorResult<T> };

const halved = (text: string) => text.slice(0, Math.floor(text.length / 2));
const halveText: ImageContext['compress'] = async (bytes, settings) => {
  await new Promise(setImmediate);
  return halve(bytes, settings);
};
