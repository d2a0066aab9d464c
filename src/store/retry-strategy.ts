import { setTimeout as sleep } from 'node:timers/promises';
import type { S3ClientConfig } from '@aws-sdk/client-s3';

const MAX_DELAY_MS = 20_000;
const THROTTLED_DELAY_MS = 200;
const TRANSIENT_DELAY_MS = 50;

/**
 * A full-jitter retry strategy that outlasts about half a minute of `503 SlowDown` at the default of ten attempts. The
 * SDK's own were measured and do not: standard gives up when its shared quota is spent, adaptive falls to about one
 * call a second for all; and neither treats the 503 of a HEAD, which has no body, as throttling.
 */
export function createRetryStrategy(maxAttempts: number): NonNullable<S3ClientConfig['retryStrategy']> {
  return {
    mode: 'standard',
    acquireInitialRetryToken: async () => tokenFor(0),
    async refreshRetryTokenForRetry(token, { errorType, error }) {
      const retry = token.getRetryCount() + 1;
      const throttled = errorType === 'THROTTLING' || error?.$metadata?.httpStatusCode === 503;
      if (retry >= maxAttempts || (errorType === 'CLIENT_ERROR' && !throttled)) throw new Error('No further attempt');
      const baseMs = throttled ? THROTTLED_DELAY_MS : TRANSIENT_DELAY_MS;
      await sleep(Math.random() * Math.min(baseMs * 2 ** (retry - 1), MAX_DELAY_MS));
      return tokenFor(retry);
    },
    recordSuccess() {},
  };
}

function tokenFor(retries: number) {
  return { getRetryCount: () => retries, getRetryDelay: () => 0 };
}
