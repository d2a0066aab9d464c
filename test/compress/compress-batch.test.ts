import fc from 'fast-check';
import sharp from 'sharp';
import { beforeEach, describe, expect, it } from 'vitest';
import { ImageFile } from '../../src/codec/image-file.ts';
import { judgeJpeg } from '../../src/codec/jpeg/judge.ts';
import { compressBatch } from '../../src/compress/compress-batch.ts';
import type { Journal } from '../../src/core/batch-journal.ts';
import { addOutcome, NOTHING_YET } from '../../src/core/batch-summary.ts';
import type { ImageResult } from '../../src/core/image-result.ts';
import type { BatchRef, BatchSummary, Job, PlannedImage } from '../../src/core/job.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { type ObjectStore, ObjectStoreError } from '../../src/core/object-store.ts';
import { readJson } from '../../src/store/json-lines.ts';
import { A_JOB } from '../support/a-job.ts';
import { bitRotten } from '../support/fixtures/damage.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { halve, NO_LOG } from '../support/image-jobs.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const photo = await sharp({
  create: {
    width: 160,
    height: 120,
    channels: 3,
    background: '#888',
    noise: { type: 'gaussian', mean: 120, sigma: 40 },
  },
})
  .jpeg({ quality: 97 })
  .toBuffer();

const job = A_JOB;

let store: ObjectStore;
const work = 'work';
const host = (changes: object = {}) => ({
  store,
  workBucket: work,
  log: NO_LOG,
  concurrency: 3,
  closing: new AbortController().signal,
  memoryBytes: 1e9,
  ...changes,
});

async function planned(
  keys: readonly string[],
  changes: readonly Partial<PlannedImage>[] = [],
  jobChanges: Partial<Job> = {},
): Promise<BatchRef> {
  const lines = keys.map((key, n) => JSON.stringify({ bucket: 'in', key, n, ...changes[n] }));
  const text = lines.join('\n');
  await store.put({ bucket: work, key: jobKeys.job('job-1') }, Buffer.from(JSON.stringify({ ...job, ...jobChanges })));
  await store.put({ bucket: work, key: jobKeys.images('job-1') }, Buffer.from(text));
  return {
    jobId: 'job-1',
    batchId: 'batch_1',
    bucket: work,
    start: 0,
    end: Buffer.byteLength(text) - 1,
    count: keys.length,
    bytes: 0,
    host: 'lambda',
  };
}

async function results(): Promise<ImageResult[]> {
  const found: ImageResult[] = [];
  for await (const { key } of store.list(work, jobKeys.batchResults('job-1', 'batch_1'))) {
    if (!key.endsWith('.jsonl')) continue;
    const object = await store.get({ bucket: work, key });
    if (!object || object === 'not-modified') continue;
    for (const line of Buffer.from(object.body).toString().trim().split('\n')) found.push(JSON.parse(line));
  }
  return found.sort((a, b) => a.index - b.index);
}

/** A flipped bit that even strict libvips decodes, but a check of all codes finds. */
async function bitFlipThatDecodes(jpeg: Uint8Array): Promise<Uint8Array> {
  for (let seed = 0; seed < 100; seed++) {
    const rotten = bitRotten(jpeg, 1, seed, 700);
    const isAccepted = await sharp(rotten, { failOn: 'warning' })
      .stats()
      .then(
        () => true,
        () => false,
      );
    if (isAccepted && judgeJpeg(new ImageFile(rotten)).is === 'damaged') return rotten;
  }
  throw new Error('Expected libvips to decode one flipped bit of a hundred');
}

/** A host whose calls to the store and the codec never return after its crash. */
function crashableHost(changes: object = {}, onCall: (call: string, key: string) => void = () => {}) {
  const { promise: crashed, resolve } = Promise.withResolvers<'crashed'>();
  const never = new Promise<never>(() => {});
  let isDown = false;
  const crash = () => {
    isDown = true;
    resolve('crashed');
  };
  /** Crashes while the call is in flight: it takes effect, but its answer is lost. */
  const crashInFlight = () => queueMicrotask(crash);
  const guarded =
    (target: ObjectStore, name: keyof ObjectStore) =>
    (...args: [{ key: string }, ...unknown[]]) => {
      if (!isDown) onCall(name, args[0].key);
      const isStream = name === 'list' || name === 'read';
      if (isStream) return isDown ? neverEnding(never) : Reflect.apply(target[name], target, args);
      if (isDown) return never;
      const answer = Reflect.apply(target[name], target, args) as Promise<unknown>;
      return answer.then(
        (value) => (isDown ? never : value),
        (error) => (isDown ? never : Promise.reject(error)),
      );
    };
  const crashable = new Proxy(store, {
    get: (target, name) => guarded(target, name as keyof ObjectStore),
  });
  return { host: host({ ...changes, store: crashable }), crashed, crash, crashInFlight, never };
}

async function* neverEnding(never: Promise<never>): AsyncGenerator<never> {
  yield await never;
}

/** Runs a host whose codec crashes its process when it meets one of these images. */
async function runHost(ref: BatchRef, poison: readonly string[]): Promise<BatchSummary | 'crashed'> {
  const worker = crashableHost({
    compress: async (bytes: Uint8Array, settings: Job['compression']) => {
      if (!poison.includes(Buffer.from(bytes).toString())) return halve(bytes, settings);
      worker.crash();
      return worker.never;
    },
  });
  return Promise.race([compressBatch(ref, worker.host), worker.crashed]);
}

async function runUntilDone(ref: BatchRef, poison: readonly string[]) {
  for (let crashes = 0; ; crashes++) {
    const end = await runHost(ref, poison);
    if (end !== 'crashed') return { crashes, summary: end };
    expect(crashes).toBeLessThan(100);
  }
}

beforeEach(() => {
  store = createMemoryStore();
});

describe('compressBatch', () => {
  it('accounts for every image and reports each failure by name', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    await store.put({ bucket: 'in', key: 'b.jpg' }, photo.subarray(0, photo.length / 2));
    await store.put({ bucket: 'in', key: 'c.png' }, Buffer.from('<html>'));
    const summary = await compressBatch(await planned(['a.jpg', 'b.jpg', 'c.png', 'gone.jpg']), host());
    expect(summary).toMatchObject({ compressed: 1, skipped: 1, failed: 2, remaining: 0 });
    expect(
      (await results()).map(({ source, status, ...rest }) => [source, status, 'code' in rest ? rest.code : '']),
    ).toEqual([
      ['s3://in/a.jpg', 'compressed', ''],
      ['s3://in/b.jpg', 'failed', 'CorruptImage'],
      ['s3://in/c.png', 'skipped', ''],
      ['s3://in/gone.jpg', 'failed', 'NotFound'],
    ]);
  });

  it('only accounts for an entry that names an object again', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    const summary = await compressBatch(await planned(['a.jpg', 'a.jpg'], [{}, { duplicateOf: 0 }]), host());
    expect(summary).toMatchObject({ compressed: 1, skipped: 1, remaining: 0 });
  });

  it('asks S3 twice for each image, and once for where all their outputs go', async () => {
    const keys = Array.from({ length: 200 }, (_, n) => `${n}.jpg`);
    const memory = createMemoryStore();
    store = memory;
    for (const key of keys) memory.seed(`s3://in/${key}`, Buffer.from(key));
    const ref = await planned(keys);
    memory.calls.length = 0;
    await compressBatch(ref, host({ compress: halve }));
    const images = memory.calls.filter((call) => !call.includes(` s3://${work}/`));
    expect(Object.groupBy(images, (call) => call.split(' ')[0]!)).toMatchObject({
      LIST: { length: 1 },
      GET: { length: 200 },
      PUT: { length: 200 },
    });
    expect(images).toHaveLength(401);
  });

  it('hands back what remains when its time is up, and goes on from there', async () => {
    const keys = Array.from({ length: 12 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, photo);
    const ref = await planned(keys);
    const closing = new AbortController();
    let reads = 0;
    const watched = new Proxy(store, {
      get:
        (target, name) =>
        (...args: [{ bucket: string }]) => {
          if (name === 'get' && args[0].bucket === 'in' && ++reads === 4) closing.abort();
          return Reflect.apply(Reflect.get(target, name), target, args);
        },
    });
    const first = await compressBatch(ref, host({ store: watched, closing: closing.signal, concurrency: 2 }));
    expect(first.remaining).toBeGreaterThan(0);
    expect(first.compressed + first.remaining).toBe(12);
    const second = await compressBatch(ref, host());
    expect(second).toMatchObject({ compressed: 12, remaining: 0 });
    expect((await results()).map(({ index }) => index)).toEqual(keys.map((_, n) => n));
  });

  it('finds the image that crashes its workers in three crashes, and compresses the rest of the batch', async () => {
    const keys = ['a.jpg', 'b.jpg', 'poison.jpg', 'c.jpg', 'd.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const { crashes, summary } = await runUntilDone(await planned(keys), ['poison.jpg']);
    expect(crashes).toBe(3);
    expect(summary).toMatchObject({ compressed: 4, failed: 1, remaining: 0 });
    const all = await results();
    expect(all.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(all[2]).toMatchObject({ source: 's3://in/poison.jpg', status: 'failed', code: 'EncoderCrash' });
  });

  it.each([
    [2, 5],
    [3, 7],
    [16, 24],
  ])('finds %i images that crash their workers in %i crashes, wherever they are in the batch', async (count, most) => {
    const poison = Array.from({ length: count }, (_, n) => `poison-${n}.jpg`);
    const keys = ['a.jpg', ...poison.slice(0, 2), 'b.jpg', ...poison.slice(2), 'c.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const { crashes, summary } = await runUntilDone(await planned(keys), poison);
    expect(crashes).toBeLessThanOrEqual(most);
    expect(summary).toMatchObject({ compressed: 3, failed: count, remaining: 0 });
    expect((await results()).map(({ index }) => index)).toEqual(keys.map((_, n) => n));
  });

  it('does not report an image as failed when its output shows that it was finished', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    const ref = await planned(['a.jpg']);
    let left = 3;
    const crashAfterOutput = () => {
      const worker = crashableHost({ compress: halve }, (call, key) => {
        if (left > 0 && (call === 'put' || (left < 3 && call === 'head')) && key === 'a.jpg') worker.crashInFlight();
      });
      return worker;
    };
    for (; left > 0; left--) {
      const worker = crashAfterOutput();
      expect(await Promise.race([compressBatch(ref, worker.host), worker.crashed])).toBe('crashed');
    }
    expect(await compressBatch(ref, crashAfterOutput().host)).toMatchObject({ compressed: 1, failed: 0 });
  });

  it('quarantines an image that crashed two workers of the version before, by its journal', async () => {
    const keys = ['a.jpg', 'poison.jpg', 'b.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const ref = await planned(keys);
    const journal = {
      attempt: 3,
      deaths: 2,
      closed: false,
      reach: null,
      carefulUpTo: 2,
      trying: 1,
      suspects: [1],
    };
    await store.put(
      { bucket: work, key: jobKeys.journal(ref.jobId, ref.batchId) },
      Buffer.from(JSON.stringify(journal)),
    );
    expect(await runHost(ref, ['poison.jpg'])).toMatchObject({ compressed: 2, failed: 1, remaining: 0 });
    expect((await results())[1]).toMatchObject({ index: 1, status: 'failed', code: 'EncoderCrash' });
  });

  it('goes one by one only through what may have been in flight at a crash', async () => {
    const keys = Array.from({ length: 40 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    // Ordinals far apart: a checkpoint covers five images.
    const ref = await planned(
      keys,
      keys.map((_, n) => ({ n: n * 100 })),
    );
    const worker = crashableHost({}, (call, key) => {
      if (call === 'get' && key === '7.jpg') worker.crash();
    });
    await Promise.race([compressBatch(ref, worker.host), worker.crashed]);
    let checkpoints = 0;
    const watched = crashableHost({ compress: halve }, (call, key) => {
      if (call === 'put' && key.endsWith('journal.json')) checkpoints += 1;
    });
    expect(await compressBatch(ref, watched.host)).toMatchObject({ compressed: 40, remaining: 0 });
    expect(checkpoints).toBeLessThan(24);
  });

  it('closes its journal also when a result cannot be written, so that no image is counted as in flight', async () => {
    const keys = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const ref = await planned(keys);
    const refusing = new Proxy(store, {
      get:
        (target, name) =>
        (...args: [{ key: string }]) =>
          name === 'put' && /results.*jsonl$/.test(args[0].key)
            ? Promise.reject(new ObjectStoreError('Throttled', 'slow down'))
            : Reflect.apply(Reflect.get(target, name), target, args),
    });
    await expect(compressBatch(ref, host({ store: refusing, compress: halve }))).rejects.toThrow('slow down');
    expect(
      await readJson<Journal>(store, { bucket: work, key: jobKeys.journal(ref.jobId, ref.batchId) }),
    ).toMatchObject({
      closed: true,
      crashes: 0,
    });
    expect(await compressBatch(ref, host())).toMatchObject({ compressed: 4, remaining: 0 });
  });

  it('finds flipped bits that libvips decodes, by the fast preset too', async () => {
    const fast = { ...job.compression, effort: 'fast' as const };
    const rotten = await bitFlipThatDecodes(await makeJpeg({ quality: 95, width: 200, height: 160 }));
    await store.put({ bucket: 'in', key: 'rotten.jpg' }, rotten);
    await compressBatch(await planned(['rotten.jpg'], [], { compression: fast }), host());
    expect(await results()).toMatchObject([{ status: 'failed', code: 'CorruptImage' }]);
    store = createMemoryStore();
    await store.put({ bucket: 'in', key: 'rotten.jpg' }, rotten);
    await compressBatch(await planned(['rotten.jpg'], [], { compression: fast, output: 'in-place' }), host());
    expect(await results()).toMatchObject([{ status: 'failed', code: 'CorruptImage' }]);
    const object = await store.get({ bucket: 'in', key: 'rotten.jpg' });
    expect(object).toMatchObject({ body: rotten });
  });

  it('records what it finished before it fails, and how to undo it', async () => {
    const keys = Array.from({ length: 8 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, photo);
    const ref = await planned(keys, [], { output: 'in-place' });
    let refused = 0;
    const breaking = new Proxy(store, {
      get:
        (target, name) =>
        (...args: [{ key: string }]) => {
          const isJobFile = name === 'put' && /(results|undo).*jsonl$/.test(args[0].key);
          // The first is refused, as when S3 answers 503 for long.
          return isJobFile && ++refused === 1
            ? Promise.reject(new ObjectStoreError('Throttled', 'slow down'))
            : Reflect.apply(Reflect.get(target, name), target, args);
        },
    });
    await expect(compressBatch(ref, host({ store: breaking, compress: halve }))).rejects.toThrow('slow down');
    expect(await results()).toHaveLength(8);
    const undone: string[] = [];
    for await (const { key } of store.list(work, jobKeys.undoParts('job-1'))) {
      const part = await store.get({ bucket: work, key });
      undone.push(
        ...Buffer.from((part as { body: Uint8Array }).body)
          .toString()
          .trim()
          .split('\n'),
      );
    }
    expect(undone).toHaveLength(8);
  });

  it('leaves no worker running when it throws', async () => {
    const keys = Array.from({ length: 300 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const ref = await planned(keys);
    let calls = 0;
    const refusing = new Proxy(store, {
      get:
        (target, name) =>
        (...args: [{ key: string }]) => {
          calls += 1;
          return name === 'put' && /results.*jsonl$/.test(args[0].key)
            ? Promise.reject(new ObjectStoreError('Throttled', 'slow down'))
            : Reflect.apply(Reflect.get(target, name), target, args);
        },
    });
    await expect(compressBatch(ref, host({ store: refusing, compress: halve }))).rejects.toThrow('slow down');
    const atThrow = calls;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).toBe(atThrow);
  });

  it.each([
    's3://out/',
    'in-place',
  ])('accounts for every image exactly once, whenever hosts close or crash (output %s)', async (output) => {
    await fc.assert(
      fc.asyncProperty(scenarios, (scenario) => survives(scenario, output)),
      { numRuns: 150 },
    );
  });

  it('leaves an image that is too large for it to a larger host that follows', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    await store.put({ bucket: 'in', key: 'large.jpg' }, photo);
    const ref = await planned(['a.jpg', 'large.jpg']);
    const tooLarge = {
      status: 'failed',
      code: 'TooLarge',
      message: 'needs 3 GB',
      hostTooSmall: true,
    } as const;
    let calls = 0;
    const compress = async () =>
      (++calls % 2 === 0 ? tooLarge : { status: 'skipped', reason: 'not-an-image' }) as never;
    const lambda = host({ compress, concurrency: 1, largerFollows: true });
    expect(await compressBatch(ref, lambda)).toMatchObject({ skipped: 1, failed: 0, remaining: 1 });
    const larger = host({ compress: async () => tooLarge });
    expect(await compressBatch(ref, larger)).toMatchObject({ skipped: 1, failed: 1, remaining: 0 });
  });

  it('names the job file that is missing', async () => {
    const ref = await planned(['a.jpg']);
    await expect(compressBatch({ ...ref, jobId: 'other' }, host())).rejects.toThrow('s3://work/jobs/other/job.json');
  });
});

/** Which images of a batch crash the worker, and how each of its hosts ends, in order. */
interface Scenario {
  readonly images: number;
  readonly poison: readonly number[];
  readonly concurrency: number;
  readonly gap: number;
  readonly hosts: readonly {
    readonly end: 'crashes' | 'crashes in flight' | 'closes';
    readonly atCall: number;
  }[];
}

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  images: fc.integer({ min: 1, max: 30 }),
  poison: fc.uniqueArray(fc.nat({ max: 29 }), { maxLength: 2 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  // Ordinals far apart make a checkpoint cover few images.
  gap: fc.constantFrom(1, 100, 250),
  hosts: fc.array(
    fc.record({
      end: fc.constantFrom('crashes' as const, 'crashes in flight' as const, 'closes' as const),
      atCall: fc.integer({ min: 1, max: 90 }),
    }),
    { maxLength: 6 },
  ),
});

async function survives({ images, poison, concurrency, gap, hosts }: Scenario, output: string): Promise<void> {
  const memory = createMemoryStore();
  store = memory;
  const keys = Array.from({ length: images }, (_, n) => `${n}.jpg`);
  for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(`${key} of ${'x'.repeat(40)}`));
  const ref = await planned(
    keys,
    keys.map((_, n) => ({ n: n * gap })),
    { output },
  );
  const poisoned = poison.filter((n) => n < images).map((n) => `${n}.jpg`);
  const inFlightAtCrash = new Map<number, number>();
  let crashes = 0;
  const ends = [...hosts];
  for (;;) {
    const hostEnd = ends.shift();
    let calls = 0;
    const closing = new AbortController();
    const worker = crashableHost(
      {
        concurrency,
        closing: closing.signal,
        compress: async (bytes: Uint8Array, settings: Job['compression']) => {
          const [key = ''] = Buffer.from(bytes).toString().split(' ');
          if (!poisoned.includes(key)) return halve(bytes, settings);
          worker.crash();
          return worker.never;
        },
      },
      () => {
        calls += 1;
        if (calls !== hostEnd?.atCall) return;
        if (hostEnd.end === 'crashes') worker.crash();
        else if (hostEnd.end === 'crashes in flight') worker.crashInFlight();
        else closing.abort();
      },
    );
    const end = await Promise.race([compressBatch(ref, worker.host), worker.crashed]);
    if (end !== 'crashed' && end.remaining === 0) {
      await expectRight(end);
      return;
    }
    if (end !== 'crashed') continue;
    crashes += 1;
    const left = await readJson<Journal>(memory, {
      bucket: work,
      key: jobKeys.journal(ref.jobId, ref.batchId),
    });
    const inFlight = left?.closed === false ? left.inFlight : null;
    if (inFlight !== null) inFlightAtCrash.set(inFlight, (inFlightAtCrash.get(inFlight) ?? 0) + 1);
    expect(crashes).toBeLessThanOrEqual(hosts.length + 3 * poisoned.length);
  }

  async function expectRight(summary: BatchSummary) {
    const all = await results();
    expect(all.map(({ index }) => index)).toEqual(keys.map((_, n) => n * gap));
    expect({ ...summary, batchId: '', remaining: 0 }).toEqual({
      batchId: '',
      remaining: 0,
      ...all.reduce(addOutcome, NOTHING_YET),
    });
    for (const result of all) {
      const key = result.source.slice('s3://in/'.length);
      if (poisoned.includes(key)) {
        expect(result).toMatchObject({ status: 'failed', code: 'EncoderCrash' });
        expect(memory.bytes(`s3://in/${key}`)?.byteLength).toBeGreaterThan(40);
        continue;
      }
      if (result.status === 'failed') expect(inFlightAtCrash.get(result.index)).toBeGreaterThanOrEqual(2);
      if (result.status === 'failed') continue;
      const written = memory.bytes(`${output === 'in-place' ? 's3://in/' : output}${key}`);
      expect(result).toMatchObject({ status: 'compressed', bytesOut: written?.byteLength });
    }
    const finished = all.filter(({ status }) => status === 'compressed').map(({ source }) => source);
    if (output === 'in-place') expectCompleteUndo(memory, finished);
    else expect(memory.uris().filter((uri) => uri.startsWith(output))).toEqual(finished.map(inOutput).sort());
  }

  function inOutput(source: string): string {
    return source.replace('s3://in/', output);
  }

  function expectCompleteUndo({ uris, text }: ReturnType<typeof createMemoryStore>, replaced: readonly string[]) {
    const parts = uris().filter((uri) => uri.startsWith(`s3://${work}/${jobKeys.undoParts('job-1')}`));
    const undone = parts.flatMap((uri) => text(uri)!.trim().split('\n')).map((line) => JSON.parse(line).key);
    expect(new Set(undone)).toEqual(new Set(replaced.map((source) => source.slice('s3://in/'.length))));
  }
}
