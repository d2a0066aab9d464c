import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createExclusiveLock } from '../../src/compress/exclusive-lock.ts';

/** Runs twelve tasks, some of which upgrade to the exclusive lock; returns how many were seen running at once. */
async function runTasks(isExclusive: (n: number) => boolean) {
  const lock = createExclusiveLock();
  let [running, most, ended] = [0, 0, 0];
  const duringExclusive: number[] = [];
  const busy = async <T>(seen: (running: number) => T) => {
    running++;
    most = Math.max(most, running);
    await sleep(3);
    const result = seen(running);
    running--;
    return result;
  };
  const task = (n: number) =>
    lock.shared(async () => {
      await busy(() => {});
      if (isExclusive(n)) await lock.exclusive(() => busy((at) => void duringExclusive.push(at)));
      await busy(() => {});
      ended++;
    });
  await Promise.all(Array.from({ length: 12 }, (_, n) => task(n)));
  return { most, ended, duringExclusive };
}

test('runs shared work concurrently to its end', async () => {
  expect(await runTasks(() => false)).toEqual({ most: 12, ended: 12, duringExclusive: [] });
});

test('runs each exclusive task alone, also when several ask for the lock', async () => {
  const { ended, duringExclusive } = await runTasks((n) => n % 3 === 0);
  expect([ended, duringExclusive]).toEqual([12, [1, 1, 1, 1]]);
});

test('rejects the caller of failing exclusive work and releases the lock', async () => {
  const lock = createExclusiveLock();
  const failing = lock.shared(() =>
    lock.exclusive(async () => {
      throw new Error('too much');
    }),
  );
  await expect(failing).rejects.toThrow('too much');
  expect(await lock.shared(async () => 'on')).toBe('on');
});
