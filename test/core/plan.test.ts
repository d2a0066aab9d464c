import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BatchRef, Job } from '../../src/core/job.ts';
import { type BatchItem, planBatches, safeBatchId } from '../../src/core/plan.ts';

const IMAGES: Job['images'] = {
  perBatch: 3,
  perBatchBytes: null,
  fargateAbove: 2000,
  fargateAboveBytes: 5_000_000_000,
};

function plan(items: readonly BatchItem[], images: Partial<Job['images']> = {}) {
  const planner = planBatches({ jobId: 'job', images: { ...IMAGES, ...images } }, 'work');
  const closed = items.map((item) => planner.add(item));
  return [...closed, planner.end()].filter((batch): batch is BatchRef => batch !== undefined);
}

const line = (batch?: string, bytes = 0): BatchItem => ({ lineBytes: 10, bytes, batch });

test('cuts by count and numbers the batches', () => {
  const batches = plan(Array.from({ length: 7 }, () => line()));
  expect(batches.map(({ batchId, count }) => [batchId, count])).toEqual([
    ['batch-000001', 3],
    ['batch-000002', 3],
    ['batch-000003', 1],
  ]);
});

test('points at the bytes of each batch, without its last line feed', () => {
  const batches = plan(Array.from({ length: 4 }, () => line()));
  expect(batches.map(({ start, end }) => [start, end])).toEqual([
    [0, 28],
    [30, 38],
  ]);
});

test('cuts by bytes, and gives an image over the limit a batch of its own', () => {
  const batches = plan(
    [5, 5, 5, 50, 1].map((bytes) => line(undefined, bytes)),
    { perBatchBytes: 10 },
  );
  expect(batches.map(({ bytes }) => bytes)).toEqual([10, 5, 50, 1]);
});

test('keeps the batches of the user whatever their size', () => {
  const batches = plan([...Array.from({ length: 5 }, () => line('left')), line('right')], {
    perBatchBytes: 1,
  });
  expect(batches.map(({ batchId, count }) => [batchId, count])).toEqual([
    ['left', 5],
    ['right', 1],
  ]);
});

test('sends large batches to Fargate, by count and by bytes', () => {
  const hosts = plan([line('a'), line('b', 11), line('c'), line('c')], {
    fargateAbove: 1,
    fargateAboveBytes: 10,
  });
  expect(hosts.map(({ host }) => host)).toEqual(['lambda', 'fargate', 'fargate']);
});

test('plans nothing for nothing', () => {
  expect(plan([])).toEqual([]);
});

test('covers every line exactly once, whatever the sizes', () => {
  const item = fc.record({ lineBytes: fc.integer({ min: 2, max: 50 }), bytes: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(item), fc.integer({ min: 1, max: 5 }), (items, perBatch) => {
      const batches = plan(items, { perBatch, perBatchBytes: 120 });
      const length = items.reduce((sum, { lineBytes }) => sum + lineBytes, 0);
      const starts = batches.map(({ start }) => start);
      const ends = batches.map(({ end }) => end + 2);
      expect([...starts, length]).toEqual([0, ...ends]);
      expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(items.length);
    }),
  );
});

test.each([
  ['batch_1', 'batch_1'],
  ['camera 1/left', 'camera!201!2Fleft'],
  ['..', '!2E!2E'],
  ['a..b', 'a..b'],
  ['', '!'],
  ['100%!', '100!25!21'],
  ['ä', '!C3!A4'],
])('makes the batch name "%s" safe in a key: %s', (name, expected) => {
  expect(safeBatchId(name)).toBe(expected);
});

test('keeps different batch names different and short', () => {
  const names = fc.uniqueArray(fc.oneof(fc.string(), fc.string({ minLength: 100, maxLength: 400 })));
  fc.assert(
    fc.property(names, (some) => {
      const ids = some.map(safeBatchId);
      expect(new Set(ids).size).toBe(new Set(some.map((name) => name.toWellFormed())).size);
      for (const id of ids) expect(id).toMatch(/^(?!\.+$)[A-Za-z0-9_.!-]{1,128}$/);
    }),
  );
});
