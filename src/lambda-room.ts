/** Beyond this much memory (MB) a Lambda gets its second vCPU, and so on. */
const MB_PER_VCPU = 1769;
/** What node, the SDK and libvips take by themselves; 105 to 133 MB were measured with small pictures. */
const OWN_MEGABYTES = 200;
/** An image in hand, a slow S3 answer and a long encode must fit between the signal and the end. */
const MARGIN_MS = 60_000;

/** How many images a Lambda of `megabytes` has room for at once: one per vCPU, and two more on their way from and to S3. */
export function lambdaRoom(megabytes: number): { concurrency: number; memoryBytes: number } {
  return {
    concurrency: Math.ceil(megabytes / MB_PER_VCPU) + 2,
    memoryBytes: Math.max(megabytes - OWN_MEGABYTES, 64) * 1024 * 1024,
  };
}

/** A signal that is aborted when the host is told to end (SIGTERM), and a minute before its time is up, or a fifth of the time where that is less. */
export function closingBefore(remainingMs: number): Disposable & { readonly signal: AbortSignal } {
  const closing = new AbortController();
  const close = () => closing.abort();
  const timer = setTimeout(close, remainingMs - Math.min(MARGIN_MS, remainingMs / 5));
  process.once('SIGTERM', close);
  return {
    signal: closing.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      process.off('SIGTERM', close);
    },
  };
}
