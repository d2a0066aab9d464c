import { describe, expect, it } from 'vitest';
import { randomFrom } from './crash/kill-points.ts';
import { runCrashTest } from './crash/run-crash-test.ts';
import type { FaultPlan } from './s3-faults.ts';

const SLOW_DOWN = { status: 503, code: 'SlowDown' };

/**
 * Every fifth request is refused. Of the others, every tenth body is cut short (each key at most twice, because the
 * fourth attempt is the last) and every tenth answer to a write is lost.
 */
function unreliableS3(seed: number, injected: Record<string, number>): FaultPlan {
  const random = randomFrom(seed);
  const counted = <Fault>(name: string, fault: Fault) => {
    injected[name] = (injected[name] ?? 0) + 1;
    return fault;
  };
  const cuts = new Map<string, number>();
  const cut = (key: string) => {
    cuts.set(key, (cuts.get(key) ?? 0) + 1);
    return counted('cut-body', 'cut-body' as const);
  };
  return ({ method, key }) => {
    if (random() < 0.2) return counted('SlowDown', SLOW_DOWN);
    if (random() >= 0.1) return undefined;
    if (method === 'GET') return (cuts.get(key) ?? 0) < 2 ? cut(key) : undefined;
    return method === 'PUT' ? counted('lose-answer', 'lose-answer') : undefined;
  };
}

describe('a job over an S3 that throttles, cuts bodies short and loses answers', () => {
  it.concurrent.each([
    ['elsewhere', 1],
    ['in-place', 2],
  ] as const)('accounts for every image, none lost or counted twice (output %s)', async (output, seed) => {
    const injected: Record<string, number> = {};
    const faults = unreliableS3(seed, injected);
    const end = await runCrashTest({ output, host: 'lambda', images: 12, perBatch: 6, faults });
    expect(end.problems).toEqual([]);
    expect(end.report).toMatchObject({ status: 'SUCCEEDED', compressed: 12, failed: 0, lost: 0 });
    expect(injected).toMatchObject({
      SlowDown: expect.any(Number),
      'cut-body': expect.any(Number),
      'lose-answer': expect.any(Number),
    });
  });
});
