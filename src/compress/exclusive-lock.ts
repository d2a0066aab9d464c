/** Shared work runs concurrently with other shared work; exclusive work runs while no other work does. */
export interface ExclusiveLock {
  /** Waits while exclusive work runs or waits to run. */
  shared<T>(work: () => Promise<T>): Promise<T>;
  /** Upgrades the caller's shared hold: waits until all other work has ended, and keeps new work waiting. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

export function createExclusiveLock(): ExclusiveLock {
  let running = 0;
  let last: Promise<void> | undefined;
  const waiting: (() => void)[] = [];

  const release = () => {
    running -= 1;
    if (running === 0) for (const resolve of waiting.splice(0)) resolve();
  };
  const untilIdle = async () => {
    while (running > 0) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return {
    async shared(work) {
      while (last) await last;
      running += 1;
      return work().finally(release);
    },
    async exclusive(work) {
      release();
      const [before, { promise, resolve }] = [last, Promise.withResolvers<void>()];
      last = promise;
      try {
        await before;
        await untilIdle();
        return await work();
      } finally {
        if (last === promise) last = undefined;
        // The caller still holds its shared lock.
        running += 1;
        resolve();
      }
    },
  };
}
