import { setTimeout as sleep } from 'node:timers/promises';
import type { S3ClientConfig } from '@aws-sdk/client-s3';

const LONGEST_DELAY_MS = 20_000;
const THROTTLED_DELAY_MS = 200;
const TRANSIENT_DELAY_MS = 50;

/**
 * Retries with full jitter that outlast about half a minute of `503 SlowDown` at the default of ten attempts. The
 * SDK's own strategies were measured unfit for it: standard gives up when its common quota is spent, adaptive falls
 * to about one call a second for all; and neither knows a HEAD's 503, which has no words, for throttling.
 */
export function createPatientRetries(maxAttempts: number): NonNullable<S3ClientConfig['retryStrategy']> {
  return {
    mode: 'standard',
    async acquireInitialRetryToken() {
      return tokenFor(0);
    },
    async refreshRetryTokenForRetry(token, { errorType, error }) {
      const retry = token.getRetryCount() + 1;
      const throttled = errorType === 'THROTTLING' || error?.$metadata?.httpStatusCode === 503;
      if (retry >= maxAttempts || (errorType === 'CLIENT_ERROR' && !throttled))
        throw new Error('No further attempt');
      await sleep(delayBefore(retry, throttled ? THROTTLED_DELAY_MS : TRANSIENT_DELAY_MS));
      return tokenFor(retry);
    },
    recordSuccess() {},
  };
}

function delayBefore(retry: number, baseMs: number): number {
  return Math.random() * Math.min(baseMs * 2 ** (retry - 1), LONGEST_DELAY_MS);
}

function tokenFor(retries: number) {
  return { getRetryCount: () => retries, getRetryDelay: () => 0 };
}
