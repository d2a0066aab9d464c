import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BatchRef, Job, PlannedImage } from '../../src/core/job.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { PlanError, type PlanSummary } from '../../src/core/plan.ts';
import { type PlanContext, planJob } from '../../src/plan/plan-job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { A_JOB } from '../support/a-job.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';

const LIST = 's3://lists/list';

interface Planned {
  readonly store: MemoryStore;
  readonly summary: PlanSummary;
  readonly images: readonly PlannedImage[];
  readonly batches: readonly BatchRef[];
}

async function plan(
  list: unknown,
  settings: object = {},
  store = createMemoryStore({ chunkBytes: 100 }),
): Promise<Planned> {
  store.seed(LIST, typeof list === 'string' ? list : JSON.stringify(list));
  const summary = await planJob(
    { jobId: 'monday', startedAt: '2026-01-05T00:00:00Z', input: { fileList: LIST, ...settings } },
    contextOf(store),
  );
  return { store, summary, images: linesOf(store, 'images'), batches: linesOf(store, 'batches') };
}

function contextOf(store: ObjectStore, more: Partial<PlanContext> = {}): PlanContext {
  return { store, workBucket: 'work', defaultOutput: 's3://out/compressed/', ...more };
}

function linesOf<Line>(store: MemoryStore, file: 'images' | 'batches'): Line[] {
  const text = store.text(`s3://work/jobs/monday/${file}.jsonl`) ?? '';
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

/** What a host will read of a batch: its byte range, line by line. */
function imagesOf(store: MemoryStore, { start, end }: BatchRef): PlannedImage[] {
  const bytes = store.bytes('s3://work/jobs/monday/images.jsonl')!.subarray(start, end + 1);
  return Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .map((line) => JSON.parse(line) as PlannedImage);
}

async function refusal(
  list: unknown,
  settings: object = {},
  store = createMemoryStore(),
): Promise<{ error: PlanError; store: MemoryStore }> {
  const error = await plan(list, settings, store).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PlanError);
  return { error: error as PlanError, store };
}

describe('writes the files of a job', () => {
  test('job.json with every default, a line for each image, and batches that point at them', async () => {
    const { store, summary, images, batches } = await plan(
      {
        left: ['s3://photos/a.jpg', 's3://photos/größe +%20.jpg'],
        right: [{ bucket: 'photos', key: 'c', size: 7, etag: 'e' }],
      },
      { encoding: { quality: 70 } },
    );
    expect(summary).toEqual({ jobId: 'monday', images: 3, batches: 2, bytes: 7 });
    expect(JSON.parse(store.text('s3://work/jobs/monday/job.json')!)).toMatchObject({
      jobId: 'monday',
      output: 's3://out/compressed/',
      compression: { quality: 70, effort: 'best' },
    } satisfies Partial<{ [Key in keyof Job]: unknown }>);
    expect(images).toEqual([
      { n: 0, bucket: 'photos', key: 'a.jpg' },
      { n: 1, bucket: 'photos', key: 'größe +%20.jpg' },
      { n: 2, bucket: 'photos', key: 'c', size: 7, etag: 'e' },
    ]);
    expect(batches[0]).toEqual({
      jobId: 'monday',
      batchId: 'left',
      bucket: 'work',
      start: 0,
      end: expect.any(Number),
      count: 2,
      bytes: 0,
      host: 'lambda',
    });
    expect(batches.map((batch) => imagesOf(store, batch).map(({ n }) => n))).toEqual([[0, 1], [2]]);
  });

  test('the batches last, so that nothing can start from half a plan', async () => {
    const { store } = await plan(['s3://photos/a.jpg']);
    const written = store.calls.filter((call) => /^(PUT|UPLOAD)/.test(call));
    expect(written).toEqual([
      'PUT s3://work/jobs/monday/job.json',
      'UPLOAD s3://work/jobs/monday/images.jsonl',
      'UPLOAD s3://work/jobs/monday/batches.jsonl',
    ]);
  });

  test('and no plan for a list with bad entries', async () => {
    const store = createMemoryStore();
    await expect(plan(['s3://photos/a', 'http://x'], {}, store)).rejects.toThrow(
      'Expected s3://bucket/key at [1] but received "http://x"',
    );
    expect(store.uris()).toEqual([LIST, 's3://work/jobs/monday/job.json']);
  });
});

describe('accounts for images that are listed twice', () => {
  test('by a line that names the first', async () => {
    const { store, summary, images, batches } = await plan({
      one: ['s3://photos/a', 's3://photos/b', 's3://photos/a'],
      two: ['s3://photos/ä', 's3://photos/b', 's3://photos/a', 's3://other-b/c'],
    });
    expect(images.map(({ duplicateOf }) => duplicateOf)).toEqual([undefined, undefined, 0, undefined, 1, 0, undefined]);
    expect(summary).toMatchObject({ images: 7, batches: 2 });
    expect(batches.map((batch) => imagesOf(store, batch).map(({ n }) => n))).toEqual([
      [0, 1, 2],
      [3, 4, 5, 6],
    ]);
  });

  test('whatever the list, the layout and the batches', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'ä/d', 'e f');
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        async (keys, perBatch) => {
          const { store, images, batches } = await plan(
            keys.map((each) => `s3://photos/${each}`),
            { images: { perBatch } },
          );
          expect(batches.flatMap((batch) => imagesOf(store, batch))).toEqual(images);
          expect(images.map(({ key: planned }) => planned)).toEqual(keys);
          for (const { n, key: planned, duplicateOf } of images) {
            const first = (keys as string[]).indexOf(planned);
            expect(duplicateOf).toBe(first === n ? undefined : first);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('refuses outputs that would collide, by name and before any batch is published', () => {
  test.each<[string, string[], object, string]>([
    [
      'one key in two buckets',
      ['s3://photos/a.jpg', 's3://other/a.jpg'],
      {},
      's3://photos/a.jpg and s3://other/a.jpg -> s3://out/compressed/a.jpg',
    ],
    [
      'one name in two folders of a flat layout',
      ['s3://photos/x/a.jpg', 's3://photos/y/a.jpg'],
      { layout: 'flat' },
      's3://photos/x/a.jpg and s3://photos/y/a.jpg -> s3://out/compressed/a.jpg',
    ],
    [
      'one name in two folders by suffix',
      ['s3://photos/x/a_left.jpg', 's3://photos/y/a_left.jpg'],
      { layout: 'by-suffix', suffixes: ['left'] },
      's3://photos/x/a_left.jpg and s3://photos/y/a_left.jpg -> s3://out/compressed/left/a_left.jpg',
    ],
    [
      'two formats that become one',
      ['s3://photos/a.png', 's3://photos/a.jpeg'],
      { encoding: { format: 'jpeg' } },
      's3://photos/a.png and s3://photos/a.jpeg -> s3://out/compressed/a.jpeg',
    ],
    [
      'an output on another source',
      ['s3://photos/a.jpg', 's3://photos/small/a.jpg'],
      { output: 's3://photos/small/' },
      's3://photos/a.jpg -> s3://photos/small/a.jpg, which is a source too',
    ],
    [
      'an output on an earlier source',
      ['s3://photos/small/a.jpg', 's3://photos/a.jpg'],
      { output: 's3://photos/small/' },
      's3://photos/a.jpg -> s3://photos/small/a.jpg, which is a source too',
    ],
    [
      'an output on its own source',
      ['s3://photos/a.jpg'],
      { output: 's3://photos/' },
      's3://photos/a.jpg would overwrite itself',
    ],
    [
      'an output among the job files',
      ['s3://photos/jobs/a.jpg'],
      { output: 's3://work/' },
      's3://photos/jobs/a.jpg -> s3://work/jobs/a.jpg is among the job files',
    ],
  ])('%s', async (_name, list, settings, problem) => {
    const { error, store } = await refusal(list, settings);
    expect(error.problems).toEqual([problem]);
    expect(error.message).toContain(problem);
    expect(store.uris()).not.toContain('s3://work/jobs/monday/batches.jsonl');
  });

  test('the first 20 of many, with their number', async () => {
    const list = Array.from({ length: 1000 }, (_, i) => `s3://photos/${i}/${i % 500}.jpg`);
    const { error } = await refusal(list, { layout: 'flat' });
    expect(error.total).toBe(500);
    expect(error.problems[0]).toBe('s3://photos/0/0.jpg and s3://photos/500/0.jpg -> s3://out/compressed/0.jpg');
    expect(error.problems[19]).toBe('s3://photos/19/19.jpg and s3://photos/519/19.jpg -> s3://out/compressed/19.jpg');
    expect(error.message).toMatch(/and 480 more$/);
  });

  test('but not names that only look alike, nor duplicates, nor folder markers', async () => {
    const list = ['s3://photos/a.png', 's3://photos/a.jpg', 's3://photos/a.png', 's3://photos/x/', 's3://photos/y/'];
    expect((await plan(list, { layout: 'flat', encoding: { format: 'jpeg' } })).summary.images).toBe(5);
    expect((await plan(list, { output: 'in-place' })).summary.images).toBe(5);
  });
});

test('a prefix is planned without its own outputs of an earlier run and without the job files', async () => {
  const store = createMemoryStore();
  for (const key of ['a.jpg', 'jobs/old/job.json', 'small/a.jpg']) store.seed(`s3://work/${key}`, 'x');
  const { images } = await plan('', { fileList: 's3://work/', output: 's3://work/small/' }, store);
  expect(images.map(({ key }) => key)).toEqual(['a.jpg']);
});

describe('stops at limits', () => {
  test.each([
    [
      ['s3://photos/a', 's3://photos/b'],
      { maxObjects: 1 },
      "The list contains more than 1 image: raise 'limits.maxObjects' or shorten the list",
    ],
    [
      [{ bucket: 'photos', key: 'a', size: 9 }],
      { maxBytes: 8 },
      "The images of the list are larger than 8 bytes in all: raise 'limits.maxBytes' or shorten the list",
    ],
    [
      ['s3://photos/a'],
      { maxBytes: 8 },
      "'limits.maxBytes' needs the size of every image, and the list gives none for s3://photos/a: use a prefix or an inventory, or add sizes",
    ],
  ])('%j with %j', async (list, limits, message) => {
    expect((await refusal(list, { limits })).error.message).toBe(message);
  });

  test('and plans what is exactly at a limit', async () => {
    const list = [{ bucket: 'photos', key: 'a', size: 8 }];
    expect((await plan(list, { limits: { maxObjects: 1, maxBytes: 8 } })).summary.images).toBe(1);
  });
});

test('reports that the time is up, before its host is stopped', async () => {
  const store = createMemoryStore();
  store.seed(LIST, 's3://photos/a');
  const context = contextOf(store, { closing: AbortSignal.abort() });
  const planning = planJob({ jobId: 'monday', startedAt: '2026-01-05T00:00:00Z', input: { fileList: LIST } }, context);
  await expect(planning).rejects.toThrow(/Planning ran out of time after 0 images/);
  expect(store.uris()).not.toContain('s3://work/jobs/monday/batches.jsonl');
});

describe('an execution’s name', () => {
  const startAt = (startedAt: string, store: MemoryStore) =>
    planJob(
      { jobId: 'monthly', startedAt, input: { fileList: LIST } },
      { store, workBucket: 'work', defaultOutput: 's3://out/' },
    );

  test('is for one job: results of an earlier one would count as its own', async () => {
    const store = createMemoryStore();
    store.seed(LIST, 's3://photos/a.jpg');
    await startAt('2026-01-01T00:00:00Z', store);
    const before = store.text('s3://work/jobs/monthly/job.json');
    await expect(startAt('2026-05-01T00:00:00Z', store)).rejects.toThrow(
      "name must be new, 'monthly' given: a job of that name was started at 2026-01-01T00:00:00Z",
    );
    expect(store.text('s3://work/jobs/monthly/job.json')).toBe(before);
  });

  test('may be planned again within the same execution', async () => {
    const store = createMemoryStore();
    store.seed(LIST, 's3://photos/a.jpg');
    await startAt('2026-01-01T00:00:00Z', store);
    expect(await startAt('2026-01-01T00:00:00Z', store)).toMatchObject({ images: 1 });
  });
});

describe('a list of failed images', () => {
  const FAILED = 's3://work/jobs/sunday/failed.jsonl';
  const SUNDAY = {
    ...A_JOB,
    output: 's3://archive/2026/',
    layout: 'flat' as const,
    compression: { ...DEFAULT_COMPRESSION, mode: 'lossless' as const },
    limits: { maxObjects: 10, maxBytes: 5, maxPixels: 1e9 },
    select: { suffixes: ['.jpg'], minBytes: null, maxBytes: null, modifiedAfter: null },
    toleratedFailurePercentage: 90,
  };
  const retry = async (settings: object = {}) => {
    const store = createMemoryStore();
    store.seed(FAILED, '{"bucket":"photos","key":"b.jpg"}');
    store.seed('s3://work/jobs/sunday/job.json', JSON.stringify(SUNDAY));
    await planJob(
      { jobId: 'monday', startedAt: '2026-11-23T00:00:00Z', input: { fileList: FAILED, ...settings } },
      { store, workBucket: 'work', defaultOutput: 's3://out/' },
    );
    return JSON.parse(store.text('s3://work/jobs/monday/job.json')!) as Job;
  };

  test('is run with the settings of its job', async () => {
    const { output, layout, compression, limits, select, toleratedFailurePercentage } = await retry();
    expect({ output, layout, compression, toleratedFailurePercentage }).toEqual({
      output: SUNDAY.output,
      layout: SUNDAY.layout,
      compression: SUNDAY.compression,
      toleratedFailurePercentage: 90,
    });
    // What chose that job's images does not choose again.
    expect([limits.maxObjects, limits.maxBytes, limits.maxPixels, select.suffixes]).toEqual([null, null, 1e9, null]);
  });

  test('is run with other settings where its own input says so', async () => {
    const { output, compression } = await retry({ output: 's3://here/', encoding: { effort: 'fast' } });
    expect([output, compression.mode, compression.effort]).toEqual(['s3://here/', 'lossless', 'fast']);
  });

  test('outside the job files is a list like any other', async () => {
    const store = createMemoryStore();
    store.seed('s3://in/lists/failed.jsonl', '{"bucket":"photos","key":"b.jpg"}');
    await planJob(
      { jobId: 'monday', startedAt: '', input: { fileList: 's3://in/lists/failed.jsonl' } },
      { store, workBucket: 'work', defaultOutput: 's3://out/' },
    );
    expect(JSON.parse(store.text('s3://work/jobs/monday/job.json')!)).toMatchObject({ output: 's3://out/' });
  });
});

describe('resumes an earlier job', () => {
  const result = (key: string, status: string, reason?: string) =>
    JSON.stringify({ index: 0, batchId: 'b', source: `s3://photos/${key}`, status, reason });

  function storeWithResults(): MemoryStore {
    const store = createMemoryStore({ chunkBytes: 20 });
    store.seed('s3://work/jobs/sunday/job.json', JSON.stringify({ resume: 'saturday' }));
    store.seed('s3://work/jobs/saturday/job.json', '{"resume":null}');
    store.seed(
      's3://work/jobs/sunday/results/b1/1.jsonl',
      [result('a', 'compressed'), result('b', 'failed'), '{"torn":'].join('\n'),
    );
    store.seed('s3://work/jobs/sunday/results/b2/1.jsonl', `${result('ö', 'kept')}\n`);
    store.seed('s3://work/jobs/sunday/results/b2/journal.json', result('d', 'compressed'));
    store.seed('s3://work/jobs/saturday/results/b1/1.jsonl', result('c', 'skipped'));
    return store;
  }

  test('without the images it finished, also those of the job that it resumed', async () => {
    const { images, batches, store } = await plan(
      ['a', 'b', 'ö', 'c', 'd', 'b'].map((key) => `s3://photos/${key}`),
      { resume: 'sunday' },
      storeWithResults(),
    );
    expect(images).toEqual([
      { n: 0, bucket: 'photos', key: 'b' },
      { n: 1, bucket: 'photos', key: 'd' },
      { n: 2, bucket: 'photos', key: 'b', duplicateOf: 0 },
    ]);
    expect(imagesOf(store, batches[0]!)).toEqual(images);
  });

  test.each([
    ['archived', 'skipped'],
    ['changed-meanwhile', 'skipped'],
    ['duplicate', 'skipped'],
    ['write-limit', 'skipped'],
    ['object-lock', 'kept'],
  ])('but not images with the reason %s: it may no longer hold', async (reason, status) => {
    const store = storeWithResults();
    store.seed('s3://work/jobs/sunday/results/b3/1.jsonl', result('x', status, reason));
    expect((await plan(['s3://photos/x'], { resume: 'sunday' }, store)).images).toHaveLength(1);
  });

  test.each([
    [{ dryRun: true }, "'resume' must name a job that wrote its outputs, 'sunday' given: it was a dry run"],
    [{ output: 's3://elsewhere/' }, `the same 'output', 'sunday' given: it had "s3://elsewhere/", this one has`],
    [{ compression: { ...DEFAULT_COMPRESSION, quality: 60 } }, "with the same 'compression'"],
    [{ layout: 'flat' }, "with the same 'layout'"],
  ])('that had the same settings, not %j', async (earlier, message) => {
    const store = storeWithResults();
    store.seed('s3://work/jobs/sunday/job.json', JSON.stringify(earlier));
    expect((await refusal(['s3://photos/a'], { resume: 'sunday' }, store)).error.message).toContain(message);
  });

  test('with nothing left, plans nothing', async () => {
    const { summary, store } = await plan(['s3://photos/a'], { resume: 'sunday' }, storeWithResults());
    expect(summary).toEqual({ jobId: 'monday', images: 0, batches: 0, bytes: 0 });
    expect(store.text('s3://work/jobs/monday/batches.jsonl')).toBe('');
  });

  test('that must exist', async () => {
    const { error } = await refusal(['s3://photos/a'], { resume: 'never' });
    expect(error.message).toBe(
      "'resume' must be the name of an earlier job, 'never' given: there is no s3://work/jobs/never/job.json",
    );
  });
});

test('memory does not grow with the list', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const peakOf = async (entries: number) => {
    let peak = 0;
    const sample = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      peak = Math.max(peak, heapUsed + arrayBuffers);
    };
    const request = { jobId: 'monday', startedAt: '2026-01-05T00:00:00Z', input: { fileList: LIST } };
    const { images } = await planJob(request, contextOf(endlessStore(entries, sample)));
    expect(images).toBe(entries);
    return peak;
  };
  await peakOf(1000);
  const [small, large] = [await peakOf(20_000), await peakOf(200_000)];
  // 180,000 entries held in memory would be some 25 MB.
  expect((large - small) / 2 ** 20).toBeLessThan(8);
});

/** Gives a list of many entries, every tenth of them a repetition, and forgets what is written but one file. */
function endlessStore(entries: number, sample: () => void): ObjectStore {
  const kept = createMemoryStore();
  async function* list() {
    for (let i = 0; i < entries; i += 500) {
      const line = (n: number) => `{"bucket":"photos","key":"folder/image-${n % 10 === 9 ? 9 : n}.jpg","size":1}\n`;
      yield Buffer.from(Array.from({ length: 500 }, (_, j) => line(i + j)).join(''));
    }
  }
  async function* plannedAgain() {
    for (let i = 0; i < entries; i += 500)
      yield Buffer.from(Array.from({ length: 500 }, (_, j) => `{"n":${i + j},"bucket":"photos","key":"k"}\n`).join(''));
  }
  return {
    ...kept,
    read: ({ bucket }) => (bucket === 'lists' ? list() : plannedAgain()),
    async upload(_location, chunks) {
      let count = 0;
      for await (const _ of chunks) if (count++ % 40 === 0) sample();
    },
  };
}

describe('a job in place over a content-addressed store', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const lfs = (text: string) => `objects/${sha256(text).slice(0, 2)}/${sha256(text).slice(2, 4)}/${sha256(text)}`;
  const storeOf = (keyOf: (text: string) => string) => {
    const store = createMemoryStore();
    const texts = Array.from({ length: 100 }, (_, n) => `picture ${n}`);
    for (const text of texts) store.seed(`s3://photos/${keyOf(text)}`, text);
    return { store, list: texts.map((text) => `s3://photos/${keyOf(text)}`) };
  };

  test('is refused by name, after at most 20 images of it were read', async () => {
    const { store, list } = storeOf(lfs);
    const { error } = await refusal(list, { output: 'in-place' }, store);
    expect(error.message).toContain('"contentAddressed": "keep"');
    expect(error.problems[0]).toBe(`s3://photos/${lfs('picture 0')}: its key holds the sha256 of its bytes`);
    const reads = store.calls.filter((call) => call.startsWith('GET s3://photos/'));
    expect(reads.length).toBeGreaterThan(10);
    expect(reads.length).toBeLessThanOrEqual(20);
    expect(store.text('s3://work/jobs/monday/batches.jsonl')).toBeUndefined();
  });

  test('runs where its settings say that such images are kept, or where outputs go elsewhere', async () => {
    for (const settings of [{ output: 'in-place', contentAddressed: 'keep' }, {}]) {
      const { store, list } = storeOf(lfs);
      expect((await plan(list, settings, store)).summary.images).toBe(100);
    }
  });

  test('is not one where the names are random hex digits', async () => {
    const { store, list } = storeOf((text) => `${sha256(`salt ${text}`)}.jpg`);
    expect((await plan(list, { output: 'in-place' }, store)).summary.images).toBe(100);
  });

  test('is taken for one by its names where nothing can be read', async () => {
    const list = [`s3://photos/${sha256('a')}.jpg`, 's3://photos/b.jpg'];
    const { error } = await refusal(list, { output: 'in-place' });
    expect(error.problems).toEqual([`s3://photos/${sha256('a')}.jpg: its key looks like a hash`]);
  });
});
