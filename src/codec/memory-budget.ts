/** The memory of a host, handed out to images first come first served. One for each process. */
export interface MemoryBudget {
  /** What all images in hand may take together, in bytes. */
  readonly capacity: number;
  /** Waits until `bytes` are free; call the answer to hand them back. @throws RangeError over the capacity */
  acquire(bytes: number): Promise<() => void>;
}

/** @param capacity what images may take of the host's memory: without what the process needs itself (BASE_BYTES) */
export function createMemoryBudget(capacity: number): MemoryBudget {
  const waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  let free = capacity;

  // In order, so that a large image is not starved by the small ones behind it.
  const admit = () => {
    while (waiting.length > 0 && waiting[0]!.bytes <= free) {
      const next = waiting.shift()!;
      free -= next.bytes;
      next.start();
    }
  };
  const release = (bytes: number) => {
    free += bytes;
    admit();
  };
  return {
    capacity,
    async acquire(bytes) {
      if (bytes > capacity) throw new RangeError(`Expected at most ${capacity} bytes but received ${bytes}`);
      await new Promise<void>((start) => {
        waiting.push({ bytes, start });
        admit();
      });
      return once(() => release(bytes));
    },
  };
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}
