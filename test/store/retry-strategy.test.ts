import { describe, expect, test, vi } from 'vitest';
import { createRetryStrategy } from '../../src/store/retry-strategy.ts';

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
    const strategy = strategyOf(10);
    let token = await strategy.acquireInitialRetryToken('');
    const waits: number[] = [];
    for (let retry = 1; retry <= 3; retry++) {
      const start = performance.now();
      token = await strategy.refreshRetryTokenForRetry(token, {
        errorType: 'TRANSIENT',
        error: { $metadata: { httpStatusCode: 503 } },
      });
      waits.push(performance.now() - start);
    }
    vi.restoreAllMocks();
    // Half of 200, 400 and 800 ms; a busy machine may take longer, never less.
    for (const [n, minimum] of [100, 200, 400].entries()) expect(waits[n]).toBeGreaterThan(minimum - 3);
  });
});
