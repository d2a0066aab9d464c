import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Retrier } from '../../../local/step-functions/definition.ts';
import { RetryPolicy } from '../../../local/step-functions/retry-and-catch.ts';

/** The waits, in seconds, before each further attempt at a task that always fails with `A`. */
function waitsOf(retrier: Partial<Retrier>): number[] {
  const policy = new RetryPolicy({ Type: 'Task', Retry: [{ ErrorEquals: ['A'], ...retrier }] });
  const waits: number[] = [];
  for (let wait = policy.next('A'); wait !== undefined; wait = policy.next('A')) waits.push(wait);
  return waits;
}

describe('RetryPolicy', () => {
  it.each<[Partial<Retrier>, number[]]>([
    [{}, [1, 2, 4]],
    [{ IntervalSeconds: 3, BackoffRate: 1 }, [3, 3, 3]],
    [{ IntervalSeconds: 2, MaxAttempts: 2, BackoffRate: 1.5 }, [2, 3]],
    [{ MaxAttempts: 6, MaxDelaySeconds: 5 }, [1, 2, 4, 5, 5, 5]],
    [{ MaxAttempts: 0 }, []],
  ])('waits by %j', (retrier, waits) => {
    expect(waitsOf(retrier)).toEqual(waits);
  });

  it('waits any time up to the capped one with JitterStrategy FULL', () => {
    const plain = { IntervalSeconds: 2, MaxAttempts: 5, MaxDelaySeconds: 10 };
    const most = waitsOf(plain);
    const runs = Array.from({ length: 200 }, () => waitsOf({ ...plain, JitterStrategy: 'FULL' }));
    for (const [n, cap] of most.entries()) {
      const waits = runs.map((run) => run[n]!);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...waits)).toBeLessThanOrEqual(cap);
      expect(Math.min(...waits)).toBeLessThan(cap * 0.2);
      expect(Math.max(...waits)).toBeGreaterThan(cap * 0.8);
    }
  });

  it('asks the first retrier that covers the error, and only that one', () => {
    const Retry = [
      { ErrorEquals: ['A', 'B'], MaxAttempts: 1 },
      { ErrorEquals: ['States.ALL'], MaxAttempts: 2 },
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom('A', 'B', 'C'), { maxLength: 12 }), (errors) => {
        const policy = new RetryPolicy({ Type: 'Task', Retry });
        const retried = errors.filter((error) => policy.next(error) !== undefined);
        const named = errors.filter((error) => error !== 'C').length;
        expect(retried).toHaveLength(Math.min(named, 1) + Math.min(errors.length - named, 2));
      }),
    );
  });
});
