import { expect, test } from 'vitest';
import { createWriteRateLimit } from '../../src/uploads/write-rate-limit.ts';

const image = { bucket: 'uploads', key: 'a.jpg' };
const other = { bucket: 'uploads', key: 'b.jpg' };

function limitAt(start: number, maxPerHour = 2) {
  const clock = { now: start };
  return { clock, limit: createWriteRateLimit(maxPerHour, () => clock.now) };
}

test('counts from the mark, so that hosts that know nothing of each other count together', () => {
  const { limit } = limitAt(1000);
  expect(limit.next(image, undefined)).toEqual({ count: 1, since: 1000 });
  expect(limit.next(image, { count: 1, since: 900 })).toEqual({ count: 2, since: 900 });
  expect(limit.next(image, { count: 2, since: 900 })).toBeUndefined();
});

test('counts what this process wrote, also when marks are lost', () => {
  const { limit } = limitAt(1000);
  for (let write = 1; write <= 2; write++) limit.record(image, limit.next(image, undefined)!);
  expect(limit.next(image, undefined)).toBeUndefined();
  expect(limit.next(other, undefined)).toEqual({ count: 1, since: 1000 });
});

test('starts again after an hour', () => {
  const { limit, clock } = limitAt(1000);
  limit.record(image, { count: 2, since: 1000 });
  clock.now = 1000 + 3599;
  expect(limit.next(image, undefined)).toBeUndefined();
  clock.now = 1000 + 3600;
  expect(limit.next(image, { count: 2, since: 1000 })).toEqual({ count: 1, since: 4600 });
});

test('remembers a bounded number of keys', () => {
  const { limit } = limitAt(1000);
  for (let n = 0; n < 25_000; n++) limit.record({ bucket: 'uploads', key: `${n}` }, { count: 2, since: 1000 });
  expect(limit.next({ bucket: 'uploads', key: '24999' }, undefined)).toBeUndefined();
  expect(limit.next({ bucket: 'uploads', key: '0' }, undefined)).toMatchObject({ count: 1 });
});
