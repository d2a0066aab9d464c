import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';

test('never hands out more than there is, and lets everybody through', async () => {
  const budget = createMemoryBudget(100);
  let [inHand, most, done] = [0, 0, 0];
  const image = async (bytes: number) => {
    const release = await budget.acquire(bytes);
    inHand += bytes;
    most = Math.max(most, inHand);
    await wait(1);
    inHand -= bytes;
    release();
    done++;
  };
  await Promise.all([60, 30, 100, 10, 10, 50, 90, 1, 99, 40].map(image));
  expect([most <= 100, done, inHand]).toEqual([true, 10, 0]);
});

test('a large image is not starved by small ones that come after it', async () => {
  const budget = createMemoryBudget(100);
  const order: string[] = [];
  const first = await budget.acquire(60);
  const image = async (name: string, bytes: number) => {
    const release = await budget.acquire(bytes);
    order.push(name);
    release();
  };
  const [large, small] = [image('large', 100), image('small', 10)];
  await wait(1);
  expect(order).toEqual([]);
  first();
  await Promise.all([large, small]);
  expect(order).toEqual(['large', 'small']);
});

test('what could never fit is refused at once, and memory is handed back only once', async () => {
  const budget = createMemoryBudget(100);
  await expect(budget.acquire(101)).rejects.toThrow('Expected at most 100 bytes but received 101');
  const release = await budget.acquire(100);
  release();
  release();
  const again = await budget.acquire(100);
  let isAdmitted = false;
  void budget.acquire(100).then(() => {
    isAdmitted = true;
  });
  await wait(1);
  expect(isAdmitted).toBe(false);
  again();
});
