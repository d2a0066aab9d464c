/** The memory of a host, given to images in the order in which they ask. One for each process. */
export interface MemoryBudget {
  /** What all images in progress may take together, in bytes. */
  readonly capacity: number;
  /** Waits until `bytes` are free; call the result to release them. @throws RangeError over the capacity */
  acquire(bytes: number): Promise<() => void>;
}

/** @param capacity what images may take of the host's memory: without what the process needs itself (BASE_BYTES) */
export function createMemoryBudget(capacity: number): MemoryBudget {
  const waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  let free = capacity;

  // In order, so that a large image is not starved by small ones that came later.
  const admit = () => {
    for (let [next] = waiting; next && next.bytes <= free; [next] = waiting) {
      waiting.shift();
      free -= next.bytes;
      next.start();
    }
  };
  return {
    capacity,
    async acquire(bytes) {
      if (bytes > capacity) throw new RangeError(`Expected at most ${capacity} bytes but received ${bytes}`);
      await new Promise<void>((start) => {
        waiting.push({ bytes, start });
        admit();
      });
      let held = bytes;
      return () => {
        free += held;
        held = 0;
        admit();
      };
    },
  };
}
