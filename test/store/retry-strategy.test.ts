import { describe, expect, test, vi } from 'vitest';
import { createRetryStrategy } from '../../src/store/retry-strategy.ts';

const waits: number[] = [];
vi.mock('node:timers/promises', () => ({ setTimeout: async (ms: number) => void waits.push(ms) }));

interface Token {
  getRetryCount(): number;
}
interface Strategy {
  acquireInitialRetryToken(scope: string): Promise<Token>;
  refreshRetryTokenForRetry(token: Token, error: object): Promise<Token>;
}
const strategyOf = (attempts: number) => createRetryStrategy(attempts) as unknown as Strategy;

async function attemptsUntilGivenUp(attempts: number, error: object): Promise<number> {
  const strategy = strategyOf(attempts);
  let token = await strategy.acquireInitialRetryToken('');
  try {
    for (;;) token = await strategy.refreshRetryTokenForRetry(token, error);
  } catch {
    return token.getRetryCount() + 1;
  }
}

describe('the retry strategy', () => {
  test('tries as often as configured, and a client error once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    expect(await attemptsUntilGivenUp(4, { errorType: 'TRANSIENT' })).toBe(4);
    expect(await attemptsUntilGivenUp(4, { errorType: 'THROTTLING' })).toBe(4);
    expect(await attemptsUntilGivenUp(4, { errorType: 'SERVER_ERROR' })).toBe(4);
    expect(await attemptsUntilGivenUp(4, { errorType: 'CLIENT_ERROR' })).toBe(1);
    vi.restoreAllMocks();
  });

  test('shares no budget: the thousandth throttled call is retried as often as the first', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    for (let call = 0; call < 1000; call++) expect(await attemptsUntilGivenUp(3, { errorType: 'THROTTLING' })).toBe(3);
    vi.restoreAllMocks();
  });

  test('waits longer after every failure, within the jitter', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    waits.length = 0;
    await attemptsUntilGivenUp(9, { errorType: 'TRANSIENT', error: { $metadata: { httpStatusCode: 503 } } });
    vi.restoreAllMocks();
    // Half of 200 ms, doubled for each retry up to half of 20 s.
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
  });
});
