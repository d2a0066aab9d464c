/** Beyond this much memory (MB) a Lambda gets its second vCPU, and so on. */
const MB_PER_VCPU = 1769;
/** What Node, the SDK and libvips use themselves; 105 to 133 MB were measured with small pictures. */
const OWN_MEGABYTES = 200;
/** What is in flight at the signal must be done before the timeout, or it is lost with its host. */
export const MARGINS_MS = {
  /** An image that takes all of the codec's time limit (DEFAULT_TIME_LIMIT_MS), and slow answers of S3. */
  images: 330_000,
  /** A page of a listing or a part of an upload; and an upload's image, whose time limit is the time that remains. */
  calls: 60_000,
} as const;

/** How many images a Lambda of `megabytes` compresses at once: one per vCPU, and two that are read or written. */
export function lambdaLimits(megabytes: number): { concurrency: number; memoryBytes: number } {
  return {
    concurrency: Math.ceil(megabytes / MB_PER_VCPU) + 2,
    memoryBytes: Math.max(megabytes - OWN_MEGABYTES, 64) * 1024 * 1024,
  };
}

/** A signal that is aborted on SIGTERM, and `marginMs` before the remaining time is over (at most two fifths of it). */
export function closingBefore(remainingMs: number, marginMs: number): Disposable & { readonly signal: AbortSignal } {
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
