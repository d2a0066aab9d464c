import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Retrier } from '../../../local/step-functions/definition.ts';
import { RetryPolicy } from '../../../local/step-functions/retry-and-catch.ts';

const retrier: Retrier = {
  ErrorEquals: ['A'],
  IntervalSeconds: 1,
  MaxAttempts: 3,
  BackoffRate: 2,
  MaxDelaySeconds: 60,
  JitterStrategy: 'FULL',
};

/** The waits, in seconds, before each further attempt at a task that always fails with `A`. */
function waitsOf(fields: Partial<Retrier>): number[] {
  const policy = new RetryPolicy([{ ...retrier, ...fields }]);
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
  ])('waits with %j any time up to the growing limits', (fields, limits) => {
    const runs = Array.from({ length: 200 }, () => waitsOf(fields));
    for (const run of runs) expect(run).toHaveLength(limits.length);
    for (const [n, limit] of limits.entries()) {
      const waits = runs.map((run) => run[n] ?? Number.NaN);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...waits)).toBeLessThanOrEqual(limit);
      expect(Math.min(...waits)).toBeLessThan(limit * 0.2);
      expect(Math.max(...waits)).toBeGreaterThan(limit * 0.8);
    }
  });

  it('uses the first retrier that covers the error, and only that one', () => {
    const retriers = [
      { ...retrier, ErrorEquals: ['A', 'B'], MaxAttempts: 1 },
      { ...retrier, ErrorEquals: ['States.ALL'], MaxAttempts: 2 },
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom('A', 'B', 'C'), { maxLength: 12 }), (errors) => {
        const policy = new RetryPolicy(retriers);
        const retried = errors.filter((error) => policy.next(error) !== undefined);
        const named = errors.filter((error) => error !== 'C').length;
        expect(retried).toHaveLength(Math.min(named, 1) + Math.min(errors.length - named, 2));
      }),
    );
  });
});
