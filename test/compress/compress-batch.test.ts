import fc from 'fast-check';
import sharp from 'sharp';
import { beforeEach, describe, expect, it } from 'vitest';
import { findScanFault } from '../../src/codec/jpeg/faults.ts';
import { compressBatch } from '../../src/compress/compress-batch.ts';
import { journalKey } from '../../src/compress/result-log.ts';
import type { Journal } from '../../src/core/batch-journal.ts';
import { addOutcome, NOTHING_YET } from '../../src/core/batch-summary.ts';
import type { ImageResult } from '../../src/core/image-result.ts';
import type { BatchRef, BatchSummary, Job, PlannedImage } from '../../src/core/job.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { type ObjectStore, ObjectStoreError } from '../../src/core/object-store.ts';
import { readJson } from '../../src/store/json-lines.ts';
import { A_JOB } from '../support/a-job.ts';
import { bitRotten, makeJpeg } from '../support/fixtures.ts';
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
  await store.put(
    { bucket: work, key: jobKeys.job('job-1') },
    Buffer.from(JSON.stringify({ ...job, ...jobChanges })),
  );
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

/** One flipped bit that a strict libvips reads over, and a walk through the codes does not. */
async function readOver(jpeg: Uint8Array): Promise<Uint8Array> {
  for (let seed = 0; seed < 100; seed++) {
    const rotten = bitRotten(jpeg, 1, seed, 700);
    const isAccepted = await sharp(rotten, { failOn: 'warning' })
      .stats()
      .then(
        () => true,
        () => false,
      );
    if (isAccepted && findScanFault(rotten)) return rotten;
  }
  throw new Error('Expected libvips to read over one flipped bit of a hundred');
}

/** A host whose calls to the store never come back once it is dead, nor does its codec. */
function mortalHost(changes: object = {}, onCall: (call: string, key: string) => void = () => {}) {
  const { promise: died, resolve: tell } = Promise.withResolvers<'died'>();
  const never = new Promise<never>(() => {});
  let dead = false;
  const die = () => {
    dead = true;
    tell('died');
  };
  /** Killed while the call is under way: it is carried out, and nobody hears of it. */
  const dieUnheard = () => queueMicrotask(die);
  const guarded =
    (target: ObjectStore, name: keyof ObjectStore) =>
    (...args: [{ key: string }, ...unknown[]]) => {
      if (!dead) onCall(name, args[0].key);
      const isStream = name === 'list' || name === 'read';
      if (isStream) return dead ? neverEnding(never) : Reflect.apply(target[name], target, args);
      if (dead) return never;
      const answer = Reflect.apply(target[name], target, args) as Promise<unknown>;
      return answer.then(
        (value) => (dead ? never : value),
        (error) => (dead ? never : Promise.reject(error)),
      );
    };
  const mortal = new Proxy(store, {
    get: (target, name) => guarded(target, name as keyof ObjectStore),
  });
  return { host: host({ ...changes, store: mortal }), died, die, dieUnheard, never };
}

async function* neverEnding(never: Promise<never>): AsyncGenerator<never> {
  yield await never;
}

/** Runs a host whose codec takes its process down when it meets one of these images. */
async function runHost(ref: BatchRef, poison: readonly string[]): Promise<BatchSummary | 'died'> {
  const mortal = mortalHost({
    compress: async (bytes: Uint8Array, settings: Job['compression']) => {
      if (!poison.includes(Buffer.from(bytes).toString())) return halve(bytes, settings);
      mortal.die();
      return mortal.never;
    },
  });
  return Promise.race([compressBatch(ref, mortal.host), mortal.died]);
}

async function runUntilDone(ref: BatchRef, poison: readonly string[]) {
  for (let deaths = 0; ; deaths++) {
    const end = await runHost(ref, poison);
    if (end !== 'died') return { deaths, summary: end };
    expect(deaths).toBeLessThan(100);
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
      (await results()).map(({ source, status, ...rest }) => [
        source,
        status,
        'code' in rest ? rest.code : '',
      ]),
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

  it('finds the image that kills its hosts in three deaths, and does the rest of the batch', async () => {
    const keys = ['a.jpg', 'b.jpg', 'poison.jpg', 'c.jpg', 'd.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const { deaths, summary } = await runUntilDone(await planned(keys), ['poison.jpg']);
    expect(deaths).toBe(3);
    expect(summary).toMatchObject({ compressed: 4, failed: 1, remaining: 0 });
    const all = await results();
    expect(all.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(all[2]).toMatchObject({ source: 's3://in/poison.jpg', status: 'failed', code: 'EncoderCrash' });
  });

  it.each([
    [2, 5],
    [3, 7],
    [16, 24],
  ])('finds %i images that kill their hosts in %i deaths, wherever they stand', async (count, most) => {
    const poison = Array.from({ length: count }, (_, n) => `poison-${n}.jpg`);
    const keys = ['a.jpg', ...poison.slice(0, 2), 'b.jpg', ...poison.slice(2), 'c.jpg'];
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    const { deaths, summary } = await runUntilDone(await planned(keys), poison);
    expect(deaths).toBeLessThanOrEqual(most);
    expect(summary).toMatchObject({ compressed: 3, failed: count, remaining: 0 });
    expect((await results()).map(({ index }) => index)).toEqual(keys.map((_, n) => n));
  });

  it('does not call an image failed whose output shows that it was finished', async () => {
    await store.put({ bucket: 'in', key: 'a.jpg' }, photo);
    const ref = await planned(['a.jpg']);
    let left = 3;
    const dieBehindOutput = () => {
      const mortal = mortalHost({ compress: halve }, (call, key) => {
        if (left > 0 && (call === 'put' || (left < 3 && call === 'head')) && key === 'a.jpg')
          mortal.dieUnheard();
      });
      return mortal;
    };
    for (; left > 0; left--) {
      const mortal = dieBehindOutput();
      expect(await Promise.race([compressBatch(ref, mortal.host), mortal.died])).toBe('died');
    }
    expect(await compressBatch(ref, dieBehindOutput().host)).toMatchObject({ compressed: 1, failed: 0 });
  });

  it('goes one by one only through what a dead host may have touched', async () => {
    const keys = Array.from({ length: 40 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(key));
    // Ordinals far apart: a note covers five images.
    const ref = await planned(
      keys,
      keys.map((_, n) => ({ n: n * 100 })),
    );
    const mortal = mortalHost({}, (call, key) => {
      if (call === 'get' && key === '7.jpg') mortal.die();
    });
    await Promise.race([compressBatch(ref, mortal.host), mortal.died]);
    const notes: number[] = [];
    const watched = mortalHost({ compress: halve }, (call, key) => {
      if (call === 'put' && key.endsWith('journal.json')) notes.push(0);
    });
    expect(await compressBatch(ref, watched.host)).toMatchObject({ compressed: 40, remaining: 0 });
    expect(notes.length).toBeLessThan(24);
  });

  it('closes its journal also when a paper cannot be written, so that no image is accused', async () => {
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
    expect(await readJson<Journal>(store, { bucket: work, key: journalKey(ref) })).toMatchObject({
      closed: true,
      deaths: 0,
    });
    expect(await compressBatch(ref, host())).toMatchObject({ compressed: 4, remaining: 0 });
  });

  it('looks closest where the source is to be replaced: flipped bits that libvips reads over fail in place', async () => {
    const fast = { ...job.compression, effort: 'fast' as const };
    const rotten = await readOver(await makeJpeg({ quality: 95, width: 200, height: 160 }));
    await store.put({ bucket: 'in', key: 'rotten.jpg' }, rotten);
    await compressBatch(await planned(['rotten.jpg'], [], { compression: fast }), host());
    expect(await results()).toMatchObject([{ status: 'compressed' }]);
    store = createMemoryStore();
    await store.put({ bucket: 'in', key: 'rotten.jpg' }, rotten);
    await compressBatch(await planned(['rotten.jpg'], [], { compression: fast, output: 'in-place' }), host());
    expect(await results()).toMatchObject([{ status: 'failed', code: 'CorruptImage' }]);
    const object = await store.get({ bucket: 'in', key: 'rotten.jpg' });
    expect(object).toMatchObject({ body: rotten });
  });

  it('tells what it finished before it fails, and how to undo it', async () => {
    const keys = Array.from({ length: 8 }, (_, n) => `${n}.jpg`);
    for (const key of keys) await store.put({ bucket: 'in', key }, photo);
    const ref = await planned(keys, [], { output: 'in-place' });
    let papers = 0;
    const breaking = new Proxy(store, {
      get:
        (target, name) =>
        (...args: [{ key: string }]) => {
          const isPaper = name === 'put' && /(results|undo).*jsonl$/.test(args[0].key);
          // The first is refused, as where S3 asks to slow down for long.
          return isPaper && ++papers === 1
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

  it('leaves no worker behind when it throws', async () => {
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
  ])('accounts for every image exactly once, whenever hosts close or die (output %s)', async (output) => {
    await fc.assert(
      fc.asyncProperty(courses, (course) => survives(course, output)),
      { numRuns: 150 },
    );
  }, 30_000);

  it('leaves an image that is too large for it to the larger host that follows, if one does', async () => {
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

  it('says what is missing when the papers of the job are gone', async () => {
    const ref = await planned(['a.jpg']);
    await expect(compressBatch({ ...ref, jobId: 'other' }, host())).rejects.toThrow(
      's3://work/jobs/other/job.json',
    );
  });
});

/** How a batch fares: which of its images kill, and what happens to the hosts that come to it, one after the other. */
interface Course {
  readonly images: number;
  readonly poison: readonly number[];
  readonly concurrency: number;
  readonly gap: number;
  readonly hosts: readonly { readonly end: 'dies' | 'dies unheard' | 'closes'; readonly atCall: number }[];
}

const courses: fc.Arbitrary<Course> = fc.record({
  images: fc.integer({ min: 1, max: 30 }),
  poison: fc.uniqueArray(fc.nat({ max: 29 }), { maxLength: 2 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  // Ordinals far apart make a note cover few images.
  gap: fc.constantFrom(1, 100, 250),
  hosts: fc.array(
    fc.record({
      end: fc.constantFrom('dies' as const, 'dies unheard' as const, 'closes' as const),
      atCall: fc.integer({ min: 1, max: 90 }),
    }),
    { maxLength: 6 },
  ),
});

async function survives({ images, poison, concurrency, gap, hosts }: Course, output: string): Promise<void> {
  const memory = createMemoryStore();
  store = memory;
  const keys = Array.from({ length: images }, (_, n) => `${n}.jpg`);
  for (const key of keys) await store.put({ bucket: 'in', key }, Buffer.from(`${key} of ${'x'.repeat(40)}`));
  const ref = await planned(
    keys,
    keys.map((_, n) => ({ n: n * gap })),
    { output },
  );
  const deadly = poison.filter((n) => n < images).map((n) => `${n}.jpg`);
  const inHandAtDeath = new Map<number, number>();
  let deaths = 0;
  const fates = [...hosts];
  for (;;) {
    const fate = fates.shift();
    let calls = 0;
    const closing = new AbortController();
    const mortal = mortalHost(
      {
        concurrency,
        closing: closing.signal,
        compress: async (bytes: Uint8Array, settings: Job['compression']) => {
          const [key = ''] = Buffer.from(bytes).toString().split(' ');
          if (!deadly.includes(key)) return halve(bytes, settings);
          mortal.die();
          return mortal.never;
        },
      },
      () => {
        calls += 1;
        if (calls !== fate?.atCall) return;
        if (fate.end === 'dies') mortal.die();
        else if (fate.end === 'dies unheard') mortal.dieUnheard();
        else closing.abort();
      },
    );
    const end = await Promise.race([compressBatch(ref, mortal.host), mortal.died]);
    if (end !== 'died' && end.remaining === 0) {
      await isRight(end);
      return;
    }
    if (end !== 'died') continue;
    deaths += 1;
    const left = await readJson<Journal>(memory, { bucket: work, key: journalKey(ref) });
    const noted = left?.closed === false ? left.trying : null;
    if (noted !== null) inHandAtDeath.set(noted, (inHandAtDeath.get(noted) ?? 0) + 1);
    expect(deaths).toBeLessThanOrEqual(hosts.length + 3 * deadly.length);
  }

  async function isRight(summary: BatchSummary) {
    const all = await results();
    expect(all.map(({ index }) => index)).toEqual(keys.map((_, n) => n * gap));
    expect({ ...summary, batchId: '', remaining: 0 }).toEqual({
      batchId: '',
      remaining: 0,
      ...all.reduce(addOutcome, NOTHING_YET),
    });
    for (const result of all) {
      const key = result.source.slice('s3://in/'.length);
      if (deadly.includes(key)) {
        expect(result).toMatchObject({ status: 'failed', code: 'EncoderCrash' });
        expect(memory.bytes(`s3://in/${key}`)?.byteLength).toBeGreaterThan(40);
        continue;
      }
      if (result.status === 'failed') expect(inHandAtDeath.get(result.index)).toBeGreaterThanOrEqual(2);
      if (result.status === 'failed') continue;
      const written = memory.bytes(`${output === 'in-place' ? 's3://in/' : output}${key}`);
      expect(result).toMatchObject({ status: 'compressed', bytesOut: written?.byteLength });
    }
    const finished = all.filter(({ status }) => status === 'compressed').map(({ source }) => source);
    if (output === 'in-place') undoIsWhole(memory, finished);
    else expect(memory.uris().filter((uri) => uri.startsWith(output))).toEqual(finished.map(inOutput).sort());
  }

  function inOutput(source: string): string {
    return source.replace('s3://in/', output);
  }

  function undoIsWhole({ uris, text }: ReturnType<typeof createMemoryStore>, replaced: readonly string[]) {
    const parts = uris().filter((uri) => uri.startsWith(`s3://${work}/${jobKeys.undoParts('job-1')}`));
    const told = parts.flatMap((uri) => text(uri)!.trim().split('\n')).map((line) => JSON.parse(line).key);
    expect(new Set(told)).toEqual(new Set(replaced.map((source) => source.slice('s3://in/'.length))));
  }
}
