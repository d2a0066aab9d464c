import { expect, test } from 'vitest';
import { createWriteLedger } from '../../src/uploads/write-rate-limit.ts';

const image = { bucket: 'uploads', key: 'a.jpg' };
const other = { bucket: 'uploads', key: 'b.jpg' };

function ledgerAt(start: number, maxPerHour = 2) {
  const clock = { now: start };
  return { clock, ledger: createWriteLedger(maxPerHour, () => clock.now) };
}

test('counts from the mark, so that hosts which know nothing of each other count together', () => {
  const { ledger } = ledgerAt(1000);
  expect(ledger.next(image, undefined)).toEqual({ count: 1, since: 1000 });
  expect(ledger.next(image, { count: 1, since: 900 })).toEqual({ count: 2, since: 900 });
  expect(ledger.next(image, { count: 2, since: 900 })).toBeUndefined();
});

test('counts what this process wrote, also when marks are lost', () => {
  const { ledger } = ledgerAt(1000);
  for (let write = 1; write <= 2; write++) ledger.record(image, ledger.next(image, undefined)!);
  expect(ledger.next(image, undefined)).toBeUndefined();
  expect(ledger.next(other, undefined)).toEqual({ count: 1, since: 1000 });
});

test('begins anew after an hour', () => {
  const { ledger, clock } = ledgerAt(1000);
  ledger.record(image, { count: 2, since: 1000 });
  clock.now = 1000 + 3599;
  expect(ledger.next(image, undefined)).toBeUndefined();
  clock.now = 1000 + 3600;
  expect(ledger.next(image, { count: 2, since: 1000 })).toEqual({ count: 1, since: 4600 });
});

test('remembers a bounded number of keys', () => {
  const { ledger } = ledgerAt(1000);
  for (let n = 0; n < 25_000; n++)
    ledger.record({ bucket: 'uploads', key: `${n}` }, { count: 2, since: 1000 });
  expect(ledger.next({ bucket: 'uploads', key: '24999' }, undefined)).toBeUndefined();
  expect(ledger.next({ bucket: 'uploads', key: '0' }, undefined)).toMatchObject({ count: 1 });
});
