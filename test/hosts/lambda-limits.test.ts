import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TIME_LIMIT_MS } from '../../src/codec/compress-bytes.ts';
import { closingBefore, lambdaLimits, MARGINS_MS } from '../../src/hosts/lambda-limits.ts';

describe('the limits of a Lambda', () => {
  it('grow with its memory, and leave some for the runtime', () => {
    expect(lambdaLimits(1769)).toEqual({ concurrency: 3, memoryBytes: 1569 * 1024 * 1024 });
    expect(lambdaLimits(3538).concurrency).toBe(4);
    expect(lambdaLimits(128).memoryBytes).toBe(64 * 1024 * 1024);
  });

  it('closes two fifths before the end of a short time', async () => {
    using closing = closingBefore(50, 1_000);
    expect(closing.signal.aborted).toBe(false);
    await sleep(60);
    expect(closing.signal.aborted).toBe(true);
  });

  it('leaves an image that was just started all the time that the codec has', () => {
    expect(MARGINS_MS.images).toBeGreaterThanOrEqual(DEFAULT_TIME_LIMIT_MS + 30_000);
    // The timeout of compress-batch in serverless.yml is 900 s.
    expect(MARGINS_MS.images).toBeLessThanOrEqual((900_000 * 2) / 5);
  });

  it('does not close after the work is done', async () => {
    const closing = closingBefore(20, 5);
    closing[Symbol.dispose]();
    await sleep(40);
    expect(closing.signal.aborted).toBe(false);
  });
});
