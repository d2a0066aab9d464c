import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

export interface Supervision {
  /** The worker's program; `--worker` is its only argument. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
  /** How often a worker that crashed is started again. Each image that crashes it takes two or three crashes. */
  readonly maxRestarts: number;
  readonly onCrash: (crash: { readonly cause: string; readonly restarts: number }) => void;
}

/** Exit codes of a worker; any other is a crash. */
export const EXIT = {
  done: 0,
  /** Under Mindkosh's contract: some images failed. Otherwise: the batch could not be compressed. */
  failed: 1,
  wrongEnvironment: 2,
  jobFailed: 3,
  /** EX_SOFTWARE: the worker crashed more often than it may. */
  crashed: 70,
  /** EX_TEMPFAIL: stopped before the end; what is finished is written, start it again. */
  callAgain: 75,
} as const;

/**
 * Runs the worker in a child process and starts it again when native code crashes it: the batch's journal then finds
 * the image that caused it. SIGTERM and SIGINT are passed on. @returns the exit code for the container
 */
export async function supervise(supervision: Supervision): Promise<number> {
  const { maxRestarts, onCrash } = supervision;
  let worker: ChildProcess | undefined;
  let stopping = false;
  const stop = () => {
    stopping = true;
    worker?.kill('SIGTERM');
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  try {
    for (let restarts = 0; restarts <= maxRestarts; restarts++) {
      if (stopping) return EXIT.callAgain;
      worker = startWorker(supervision);
      const [code, signal] = (await once(worker, 'exit')) as [number | null, NodeJS.Signals | null];
      if (isOrderly(code)) return code;
      if (stopping) return EXIT.callAgain;
      onCrash({ cause: signal ?? `exit code ${code}`, restarts });
    }
    return EXIT.crashed;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
  }
}

/** Ends the worker together with its supervisor, so that no batch is ever compressed by two hosts. */
export function endWithSupervisor(): void {
  process.once('disconnect', () => process.exit(EXIT.callAgain));
  process.channel?.unref();
}

function startWorker({ program, environment }: Supervision): ChildProcess {
  // libvips runs in these threads; Node reads their number only at startup.
  const UV_THREADPOOL_SIZE = String(Math.max(4, availableParallelism() + 2));
  return fork(program, ['--worker'], { env: { UV_THREADPOOL_SIZE, ...environment }, stdio: 'inherit' });
}

function isOrderly(code: number | null): code is number {
  return (Object.values(EXIT) as (number | null)[]).includes(code);
}
