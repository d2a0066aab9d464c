import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageResult, Outcome } from '../../src/core/image-result.ts';
import type { JobReport } from '../../src/core/report.ts';
import { type ReportRequest, reportJob } from '../../src/report/report-job.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import {
  compressed,
  JOB,
  JOB_FILES,
  JOB_ID,
  jsonLines,
  resultOf,
  seedPlan,
  seedResults,
} from '../support/report-files.ts';

const KEPT: Outcome = {
  status: 'kept',
  reason: 'no-gain',
  bytesIn: 500,
  output: 's3://out/compressed/k.jpg',
};
const SKIPPED: Outcome = { status: 'skipped', reason: 'up-to-date' };
const FAILED: Outcome = { status: 'failed', code: 'CorruptImage', message: 'premature end of JPEG image' };

function report(store: MemoryStore, request: Partial<ReportRequest> = {}) {
  const now = () => new Date('2026-11-21T10:03:20.000Z');
  return reportJob({ jobId: JOB_ID, ...request }, { store, workBucket: 'work', jobFiles: 's3://work/', now });
}

function written(store: MemoryStore): JobReport {
  return JSON.parse(store.text(`${JOB_FILES}/report.json`)!) as JobReport;
}

describe('the report of a job', () => {
  it('puts every planned image in exactly one place and adds up the bytes', async () => {
    const store = createMemoryStore();
    const image = seedPlan(store, { one: ['a.jpg', 'b.jpg', 'c.png'], two: ['d.gif', 'e.jpg'] });
    seedResults(store, 'one', '001', [
      resultOf(image.get('a.jpg')!, compressed(1000, 400)),
      resultOf(image.get('b.jpg')!, compressed(3000, 2900)),
    ]);
    seedResults(store, 'one', '002', [resultOf(image.get('c.png')!, KEPT)]);
    seedResults(store, 'two', '001', [
      resultOf(image.get('d.gif')!, SKIPPED, 'two'),
      resultOf(image.get('e.jpg')!, FAILED, 'two'),
    ]);
    store.seed(`${JOB_FILES}/results/two/journal.json`, '{"attempt":1}');

    const summary = await report(store);

    expect(summary).toMatchObject({ planned: 5, accounted: 5, lost: 0, bytesIn: 4500, bytesOut: 3800 });
    expect(summary.report).toBe(`${JOB_FILES}/report.json`);
    expect(written(store)).toMatchObject({
      compressed: 2,
      kept: 1,
      skipped: 1,
      failed: 1,
      savedPercent: 15.56,
      durationSeconds: 200,
      keptReasons: { 'no-gain': 1 },
      skippedReasons: { 'up-to-date': 1 },
      failureCodes: { CorruptImage: 1 },
      byFormat: { jpeg: { images: 2, bytesIn: 4000, bytesOut: 3300 } },
      savingsHistogram: [1, 0, 0, 0, 0, 0, 1, 0, 0, 0],
      batches: { planned: 2, failed: 0 },
      settings: { toleratedFailurePercentage: 10 },
    });
    expect(written(store).topSavings.map(({ source }) => source)).toEqual(['s3://in/a.jpg', 's3://in/b.jpg']);
    expect(store.text(`${JOB_FILES}/report.html`)).toContain('premature end of JPEG image');
  });

  it('names failed images in a file list that can be run again, with unchanged keys', async () => {
    const store = createMemoryStore();
    const keys = ['plain.jpg', 'with space+plus%20.jpg', 'ünï/ "quoted"\n.jpg', '//double.jpg'];
    const image = seedPlan(store, { one: keys });
    seedResults(
      store,
      'one',
      '001',
      keys.map((key) => resultOf(image.get(key)!, FAILED)),
    );
    await report(store);
    const lines = store
      .text(`${JOB_FILES}/failed.jsonl`)!
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(keys.map((key) => ({ bucket: 'in', key })));
  });

  it('writes an empty failed.jsonl when nothing failed', async () => {
    const store = createMemoryStore();
    const image = seedPlan(store, { one: ['a.jpg'] });
    seedResults(store, 'one', '001', [resultOf(image.get('a.jpg')!, KEPT)]);
    expect((await report(store)).status).toBe('SUCCEEDED');
    expect(store.text(`${JOB_FILES}/failed.jsonl`)).toBe('');
  });

  it('counts an image once when two hosts compressed it, by the best of its results', async () => {
    const statuses: Outcome[] = [SKIPPED, FAILED, KEPT, compressed(100, 50)];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 12,
        }),
        async (attempts) => {
          const store = createMemoryStore();
          const image = seedPlan(store, { one: attempts.map((_, n) => `${n}.jpg`) });
          for (const attempt of [0, 1, 2, 3]) {
            const results = attempts.flatMap((ranks, n) =>
              attempt < ranks.length
                ? [resultOf(image.get(`${n}.jpg`)!, statuses[ranks[attempt]!]!)]
                : ([] as ImageResult[]),
            );
            seedResults(store, 'one', `00${attempt}`, results);
          }
          const best = attempts.map((ranks) => Math.max(...ranks));
          const times = (rank: number) => best.filter((other) => other === rank).length;
          expect(await report(store)).toMatchObject({
            accounted: attempts.length,
            lost: 0,
            skipped: times(0),
            failed: times(1),
            kept: times(2),
            compressed: times(3),
            bytesOut: times(3) * 50 + times(2) * 500,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('counts a batch whose results are too large for memory in the same way', async () => {
    const store = createMemoryStore({ chunkBytes: 65_536 });
    const keys = Array.from({ length: 9000 }, (_, n) => `${'folder/'.repeat(10)}${n}.jpg`);
    const image = seedPlan(store, { one: keys });
    const all = keys.map((key) => image.get(key)!);
    seedResults(
      store,
      'one',
      '001',
      all.slice(0, 5000).map((one) => resultOf(one, SKIPPED)),
    );
    seedResults(
      store,
      'one',
      '002',
      all.map((one) => resultOf(one, compressed(10, 5))),
    );
    expect(await report(store)).toMatchObject({ compressed: 9000, skipped: 0, lost: 0, bytesOut: 45_000 });
  });

  it('counts no results of batches that are not in the plan', async () => {
    const store = createMemoryStore();
    const image = seedPlan(store, { one: ['a.jpg', 'b.jpg'] });
    seedResults(store, 'one', '001', [resultOf(image.get('a.jpg')!, KEPT)]);
    seedResults(store, 'not-planned', '001', [{ ...resultOf(image.get('b.jpg')!, KEPT), index: 7 }]);
    expect(await report(store)).toMatchObject({ planned: 2, accounted: 1, lost: 1, status: 'FAILED' });
  });
});

describe('lost images', () => {
  function seedLostBatch(store: MemoryStore) {
    const image = seedPlan(store, { one: ['a.jpg', 'b.jpg'], two: ['ç.jpg', 'd.jpg', 'e.jpg'] });
    seedResults(
      store,
      'one',
      '001',
      ['a.jpg', 'b.jpg'].map((key) => resultOf(image.get(key)!, KEPT)),
    );
    seedResults(store, 'two', '001', [resultOf(image.get('d.jpg')!, KEPT, 'two')]);
    return image;
  }

  it('are named, together with the error that the state machine recorded for the batch', async () => {
    const store = createMemoryStore();
    seedLostBatch(store);
    store.seed(
      `${JOB_FILES}/map-run/5f0c/manifest.json`,
      JSON.stringify({
        DestinationBucket: 'work',
        ResultFiles: {
          FAILED: [{ Key: `jobs/${JOB_ID}/map-run/5f0c/FAILED_0.json`, Size: 1 }],
          PENDING: [],
          SUCCEEDED: [],
        },
      }),
    );
    const Input = JSON.stringify({ jobId: JOB_ID, batchId: 'two', count: 3 });
    const Cause = JSON.stringify({ errorType: 'Runtime.ExitError', errorMessage: 'exit status 137' });
    store.seed(
      `${JOB_FILES}/map-run/5f0c/FAILED_0.json`,
      JSON.stringify([{ Input, Error: 'Runtime.ExitError', Cause, Status: 'FAILED' }]),
    );

    const summary = await report(store, { mapRun: { MapRunArn: 'arn' } });

    expect(summary).toMatchObject({ status: 'FAILED', planned: 5, accounted: 3, lost: 2 });
    expect(summary.cause).toBe('Of 5 images, 2 were lost (40 %, tolerated 10 %).');
    expect(store.text(`${JOB_FILES}/failed.jsonl`)).toBe(
      jsonLines([
        { bucket: 'in', key: 'ç.jpg' },
        { bucket: 'in', key: 'e.jpg' },
      ]),
    );
    expect(written(store)).toMatchObject({
      batches: { planned: 2, failed: 1 },
      failedBatches: [{ batchId: 'two', error: 'Runtime.ExitError', cause: 'exit status 137' }],
      failures: [
        { source: 's3://in/ç.jpg', code: 'Lost', message: 'two: Runtime.ExitError: exit status 137' },
        { source: 's3://in/e.jpg', code: 'Lost' },
      ],
    });
  });

  it('are named also when the state machine recorded no error, and however many failures are tolerated', async () => {
    const store = createMemoryStore();
    seedLostBatch(store);
    store.seed(`${JOB_FILES}/job.json`, JSON.stringify({ ...JOB, toleratedFailurePercentage: 100 }));
    expect((await report(store)).status).toBe('FAILED');
    expect(written(store).failedBatches).toMatchObject([{ batchId: 'two', error: 'NoResult' }]);
  });

  it('distinguish a batch that never started from one that failed', async () => {
    const store = createMemoryStore();
    seedLostBatch(store);
    const Key = `jobs/${JOB_ID}/map-run/5f0c/PENDING_0.json`;
    store.seed(`${JOB_FILES}/map-run/5f0c/manifest.json`, JSON.stringify({ ResultFiles: { PENDING: [{ Key }] } }));
    store.seed(`s3://work/${Key}`, JSON.stringify([{ Input: '{"batch":{"batchId":"two"}}' }]));
    await report(store);
    expect(written(store).failedBatches).toMatchObject([{ batchId: 'two', error: 'NeverStarted' }]);
  });

  it('are called not started where the user stopped the job, once and by number', async () => {
    const store = createMemoryStore();
    seedLostBatch(store);
    const failure = {
      Error: 'Interrupted',
      Cause: 'Stopped by Ctrl-C; the same command continues from here.',
    };
    const summary = await report(store, { failure });
    expect(summary).toMatchObject({ status: 'FAILED', planned: 5, accounted: 3, lost: 2 });
    expect(summary.cause).toBe('Stopped by Ctrl-C; the same command continues from here.');
    expect(written(store)).toMatchObject({ failures: [], failedBatches: [], batches: { failed: 0 } });
    expect(store.text(`${JOB_FILES}/failed.jsonl`)?.split('\n')).toHaveLength(3);
    const page = store.text(`${JOB_FILES}/report.html`)!;
    expect(page).toContain('The job was stopped<');
    expect(page).toMatch(/<b>2<\/b><span[^>]*><\/span>not started/);
    expect(page).toContain('>Stopped<');
    expect(page).not.toMatch(/>lost|lost<|Failed batches|>Failed/i);
  });

  it('are those of the last attempt only, after a redrive has done the rest', async () => {
    const store = createMemoryStore();
    const image = seedLostBatch(store);
    seedResults(
      store,
      'two',
      '002',
      ['ç.jpg', 'e.jpg'].map((key) => resultOf(image.get(key)!, KEPT, 'two')),
    );
    expect(await report(store)).toMatchObject({ status: 'SUCCEEDED', lost: 0 });
    expect(written(store).failedBatches).toEqual([]);
  });
});

describe('the verdict', () => {
  async function verdict(failing: number, toleratedFailurePercentage: number) {
    const store = createMemoryStore();
    const keys = Array.from({ length: 10 }, (_, n) => `${n}.jpg`);
    const image = seedPlan(store, { one: keys }, { ...JOB, toleratedFailurePercentage });
    seedResults(
      store,
      'one',
      '001',
      keys.map((key, n) => resultOf(image.get(key)!, n < failing ? FAILED : KEPT)),
    );
    return report(store);
  }

  it.each([
    [0, 0, 'SUCCEEDED'],
    [1, 10, 'SUCCEEDED'],
    [2, 10, 'FAILED'],
    [1, 0, 'FAILED'],
    [10, 100, 'SUCCEEDED'],
  ])('%i of 10 images failed, %i %% tolerated: %s', async (failing, tolerated, status) => {
    expect((await verdict(failing, tolerated)).status).toBe(status);
  });

  it('says in a sentence how many failed', async () => {
    expect((await verdict(2, 10)).cause).toBe('Of 10 images, 2 failed (20 %, tolerated 10 %).');
  });

  it('is FAILED when the map failed, even if every image is accounted for', async () => {
    const store = createMemoryStore();
    const image = seedPlan(store, { one: ['a.jpg'] });
    seedResults(store, 'one', '001', [resultOf(image.get('a.jpg')!, KEPT)]);
    const failure = { Error: 'States.ResultWriterFailed', Cause: 'no such bucket' };
    const summary = await report(store, { failure });
    expect(summary).toMatchObject({
      status: 'FAILED',
      accounted: 1,
      cause: 'States.ResultWriterFailed: no such bucket.',
    });
  });

  it('is FAILED, with the reason, when the job could not even be planned', async () => {
    const store = createMemoryStore();
    const Cause = JSON.stringify({
      errorType: 'FileListError',
      errorMessage: 'Expected s3://bucket/key at batch_1[3] but received "http://x"',
    });
    const summary = await report(store, { failure: { Error: 'FileListError', Cause } });
    expect(summary).toMatchObject({ status: 'FAILED', planned: 0, lost: 0 });
    expect(summary.cause).toBe('FileListError: Expected s3://bucket/key at batch_1[3] but received "http://x".');
    expect(store.text(`${JOB_FILES}/report.html`)).toContain('The job itself failed');
  });

  it('is FAILED when there is no plan and no error', async () => {
    expect((await report(createMemoryStore())).cause).toMatch(/^PlanMissing: there is no jobs\//);
  });
});

describe('undo.jsonl', () => {
  it('is merged from the parts that the hosts wrote, line by line', async () => {
    const store = createMemoryStore();
    seedPlan(store, {});
    store.seed(`${JOB_FILES}/undo/one-001.jsonl`, '{"key":"a"}\n{"key":"b"}');
    store.seed(`${JOB_FILES}/undo/two-001.jsonl`, '{"key":"c"}\n');
    await report(store);
    expect(store.text(`${JOB_FILES}/undo.jsonl`)).toBe('{"key":"a"}\n{"key":"b"}\n{"key":"c"}\n');
  });

  it('also gives hashes.jsonl: old hashes, ETag and size to new ones', async () => {
    const store = createMemoryStore();
    seedPlan(store, {});
    const place = { bucket: 'in', key: 'a' };
    const change = {
      before: { sha256: '01', md5: '02', etag: 'x', size: 2 },
      after: { sha256: '03', etag: 'y', size: 1 },
    };
    const entries = [{ ...place, etagBefore: 'x', etagAfter: 'y', versionId: 'v1', ...change }, { key: 'old' }];
    store.seed(`${JOB_FILES}/undo/one-001.jsonl`, jsonLines(entries));
    await report(store);
    expect(store.text(`${JOB_FILES}/hashes.jsonl`)).toBe(`${JSON.stringify({ ...place, ...change })}\n`);
  });

  it('says how many originals cannot be restored', async () => {
    const store = createMemoryStore();
    seedPlan(store, {});
    const entry = { bucket: 'in', key: 'a', etagBefore: 'x', etagAfter: 'y' };
    const entries = [entry, { ...entry, versionId: 'v1' }, { ...entry, backup: 's3://b/a' }, entry];
    store.seed(`${JOB_FILES}/undo/one-001.jsonl`, jsonLines(entries));
    await report(store);
    expect(written(store).replaced).toEqual({ images: 4, irreversible: 2 });
    expect(store.text(`${JOB_FILES}/report.html`)).toContain('2 originals cannot be restored');
  });

  it('is not written when nothing was replaced in place', async () => {
    const store = createMemoryStore();
    seedPlan(store, {});
    await report(store);
    expect(store.text(`${JOB_FILES}/undo.jsonl`)).toBeUndefined();
  });
});
