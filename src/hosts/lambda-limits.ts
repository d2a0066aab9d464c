/** Beyond this much memory (MB) a Lambda gets its second vCPU, and so on. */
const MB_PER_VCPU = 1769;
/** What node, the SDK and libvips take by themselves; 105 to 133 MB were measured with small pictures. */
const OWN_MEGABYTES = 200;
/** What is in hand at the signal must be done before the end, or the host dies with it. */
export const MARGINS_MS = {
  /** An image that takes all of the codec's time limit (DEFAULT_TIME_LIMIT_MS), and slow answers of S3. */
  images: 330_000,
  /** A page of a listing or a part of an upload; and an upload's image, whose time limit is what is left. */
  calls: 60_000,
} as const;

/** How many images a Lambda of `megabytes` has room for at once: one per vCPU, and two more on their way from and to S3. */
export function lambdaRoom(megabytes: number): { concurrency: number; memoryBytes: number } {
  return {
    concurrency: Math.ceil(megabytes / MB_PER_VCPU) + 2,
    memoryBytes: Math.max(megabytes - OWN_MEGABYTES, 64) * 1024 * 1024,
  };
}

/**
 * A signal that is aborted when the host is told to end (SIGTERM), and `marginMs` before its time is up: two fifths of
 * the time at the most.
 */
export function closingBefore(
  remainingMs: number,
  marginMs: number,
): Disposable & { readonly signal: AbortSignal } {
  const closing = new AbortController();
  const close = () => closing.abort();
  const timer = setTimeout(close, remainingMs - Math.min(marginMs, (remainingMs * 2) / 5));
  process.once('SIGTERM', close);
  return {
    signal: closing.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      process.off('SIGTERM', close);
    },
  };
}
