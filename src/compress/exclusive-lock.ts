/** Work that runs beside other work of its kind, and work that cannot. */
export interface Turns {
  /** Waits while something runs, or waits to run, alone. */
  beside<T>(work: () => Promise<T>): Promise<T>;
  /** From within work of `beside`: waits until all other work has ended, and keeps new work waiting. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  let running = 0;
  let last: Promise<unknown> | undefined;
  const idle: (() => void)[] = [];

  const end = () => {
    running -= 1;
    if (running === 0) for (const wake of idle.splice(0)) wake();
  };
  const untilIdle = async () => {
    while (running > 0) await new Promise<void>((resolve) => idle.push(resolve));
  };
  return {
    async beside(work) {
      while (last) await last;
      running += 1;
      return work().finally(end);
    },
    async alone(work) {
      end();
      const before = last;
      const turn = (async () => {
        await before;
        await untilIdle();
        return work();
      })();
      const settled: Promise<unknown> = turn
        .catch(() => {})
        .then(() => {
          if (last === settled) last = undefined;
          // What called goes on beside the others.
          running += 1;
        });
      last = settled;
      await settled;
      return turn;
    },
  };
}
