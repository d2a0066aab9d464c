import { describe, expect, test, vi } from 'vitest';
import { createPatientRetries } from '../../src/store/retry-strategy.ts';

interface Token {
  getRetryCount(): number;
}
interface Retries {
  acquireInitialRetryToken(scope: string): Promise<Token>;
  refreshRetryTokenForRetry(token: Token, error: object): Promise<Token>;
}
const retriesOf = (attempts: number) => createPatientRetries(attempts) as unknown as Retries;

async function attemptsUntilGivenUp(attempts: number, error: object): Promise<number> {
  const retries = retriesOf(attempts);
  let token = await retries.acquireInitialRetryToken('');
  try {
    for (;;) token = await retries.refreshRetryTokenForRetry(token, error);
  } catch {
    return token.getRetryCount() + 1;
  }
}

describe('patient retries', () => {
  test('try as often as they are told, and a client’s mistake once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    expect(await attemptsUntilGivenUp(4, { errorType: 'TRANSIENT' })).toBe(4);
    expect(await attemptsUntilGivenUp(4, { errorType: 'THROTTLING' })).toBe(4);
    expect(await attemptsUntilGivenUp(4, { errorType: 'SERVER_ERROR' })).toBe(4);
    expect(await attemptsUntilGivenUp(4, { errorType: 'CLIENT_ERROR' })).toBe(1);
    vi.restoreAllMocks();
  });

  test('spend no common budget: the thousandth throttled call is as patient as the first', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    for (let call = 0; call < 1000; call++)
      expect(await attemptsUntilGivenUp(3, { errorType: 'THROTTLING' })).toBe(3);
    vi.restoreAllMocks();
  });

  test('wait longer after every failure, at most as long as the jitter allows', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const retries = retriesOf(10);
    let token = await retries.acquireInitialRetryToken('');
    const waits: number[] = [];
    for (let retry = 1; retry <= 3; retry++) {
      const start = performance.now();
      token = await retries.refreshRetryTokenForRetry(token, {
        errorType: 'TRANSIENT',
        error: { $metadata: { httpStatusCode: 503 } },
      });
      waits.push(performance.now() - start);
    }
    vi.restoreAllMocks();
    // Half of 200, 400 and 800 ms; a busy machine may take longer, never less.
    for (const [n, least] of [100, 200, 400].entries()) expect(waits[n]).toBeGreaterThan(least - 3);
  });
});
