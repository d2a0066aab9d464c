import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createTurns } from '../../src/compress/exclusive-lock.ts';

/** Twelve pieces of work, of which some find out that they have to be alone; what was seen to run at once. */
async function runSome(areAlone: (n: number) => boolean) {
  const turns = createTurns();
  let [running, most, ended] = [0, 0, 0];
  const seenAlone: number[] = [];
  const busy = async <T>(seen: (running: number) => T) => {
    running++;
    most = Math.max(most, running);
    await sleep(3);
    const result = seen(running);
    running--;
    return result;
  };
  const piece = (n: number) =>
    turns.beside(async () => {
      await busy(() => {});
      if (areAlone(n)) await turns.alone(() => busy((at) => void seenAlone.push(at)));
      await busy(() => {});
      ended++;
    });
  await Promise.all(Array.from({ length: 12 }, (_, n) => piece(n)));
  return { most, ended, seenAlone };
}

test('work runs beside other work, and all of it ends', async () => {
  expect(await runSome(() => false)).toEqual({ most: 12, ended: 12, seenAlone: [] });
});

test('what has to be alone is alone, also when several have to be', async () => {
  const { ended, seenAlone } = await runSome((n) => n % 3 === 0);
  expect([ended, seenAlone]).toEqual([12, [1, 1, 1, 1]]);
});

test('what fails alone fails for who asked, and holds nobody up', async () => {
  const turns = createTurns();
  const failing = turns.beside(() =>
    turns.alone(async () => {
      throw new Error('too much');
    }),
  );
  await expect(failing).rejects.toThrow('too much');
  expect(await turns.beside(async () => 'on')).toBe('on');
});
