import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';

export interface Supervision {
  /** The worker's program; `--worker` is its only argument. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
  /** How often a worker that died of a crash is started again. Every image that kills takes two or three deaths. */
  readonly mostRestarts: number;
  readonly onDeath: (death: { readonly how: string; readonly restarts: number }) => void;
}

/** A worker says how it ended: anything else is a death. */
export const EXIT = {
  done: 0,
  /** Of Mindkosh's contract: some images failed. Of ours: the job's files could not be read or written. */
  failed: 1,
  wrongEnvironment: 2,
  jobFailed: 3,
  /** EX_SOFTWARE: the worker died more often than it may. */
  crashed: 70,
  /** EX_TEMPFAIL: stopped before the end; what is done is written, call again. */
  callAgain: 75,
} as const;

/**
 * Runs the work in a child process and starts it again when native code takes it down: the batch's journal then finds
 * the image that did it. SIGTERM and SIGINT are passed on. Answers the exit code for the container.
 */
export async function supervise(supervision: Supervision): Promise<number> {
  const { mostRestarts, onDeath } = supervision;
  let worker: ChildProcess | undefined;
  let stopping = false;
  const stop = () => {
    stopping = true;
    worker?.kill('SIGTERM');
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  try {
    for (let restarts = 0; restarts <= mostRestarts; restarts++) {
      if (stopping) return EXIT.callAgain;
      worker = startWorker(supervision);
      const end = await endOf(worker);
      if (isOrderly(end.code)) return end.code;
      if (stopping) return EXIT.callAgain;
      onDeath({ how: end.signal ?? `exit code ${end.code}`, restarts });
    }
    return EXIT.crashed;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
  }
}

/** In the worker: its supervisor's end is its own, so that no batch ever has two hosts. */
export function endWithSupervisor(): void {
  process.once('disconnect', () => process.exit(EXIT.callAgain));
  process.channel?.unref();
}

function startWorker({ program, environment }: Supervision): ChildProcess {
  // libvips works in these threads; node reads their number only when it starts.
  const UV_THREADPOOL_SIZE =
    environment.UV_THREADPOOL_SIZE ?? String(Math.max(4, availableParallelism() + 2));
  return fork(program, ['--worker'], { env: { ...environment, UV_THREADPOOL_SIZE }, stdio: 'inherit' });
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

function endOf(worker: ChildProcess): Promise<End> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function isOrderly(code: number | null): code is number {
  return (Object.values(EXIT) as (number | null)[]).includes(code);
}
