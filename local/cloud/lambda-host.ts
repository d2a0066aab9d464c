import { randomUUID } from 'node:crypto';
import { StatesError } from '../step-functions/states-error.ts';
import {
  FunctionProcess,
  type FunctionProcessOptions,
  type Invocation,
  type LambdaFunction,
} from './function-process.ts';

export interface LambdaHostOptions extends FunctionProcessOptions {
  /** How many invocations run at once. All processes start at once, so that loading overlaps with other work. */
  readonly processes: number;
  /** How long `close` waits for running invocations. Default 30 s. */
  readonly graceMs?: number;
}

export interface LambdaHost {
  /**
   * Runs a function as Lambda does, as soon as a process is free.
   * When `signal` fires, a waiting invocation is rejected and a running one receives SIGTERM.
   * @throws StatesError with the error's name, and `{"errorType","errorMessage","trace"}` as its cause;
   *   `Sandbox.Timedout` after the function's timeout, `Runtime.ExitError` when the process died,
   *   `Lambda.ResourceNotFoundException` for an unknown function
   */
  invoke(functionName: string, payload: unknown, signal?: AbortSignal): Promise<unknown>;
  /** Interrupts, waits for running invocations and ends the processes. */
  close(): Promise<void>;
}

/** Child processes in place of Lambda's execution environments: each runs one invocation at a time. */
export function startLambdaHost(options: LambdaHostOptions): LambdaHost {
  const pool = new ProcessPool(options);
  return { invoke: pool.invoke.bind(pool), close: pool.close.bind(pool) };
}

class ProcessPool {
  readonly #options: LambdaHostOptions;
  readonly #functions: ReadonlyMap<string, LambdaFunction>;
  readonly #processes = new Set<FunctionProcess>();
  readonly #waiting: Invocation[] = [];
  #isClosing = false;

  constructor(options: LambdaHostOptions) {
    this.#options = options;
    this.#functions = new Map(Object.entries(options.functions));
    for (let n = 0; n < options.processes; n++) this.#start(n);
  }

  invoke(functionName: string, payload: unknown, signal?: AbortSignal): Promise<unknown> {
    const lambdaFunction = this.#functions.get(functionName);
    if (!lambdaFunction) {
      const cause = `Function not found: ${functionName}`;
      return Promise.reject(new StatesError('Lambda.ResourceNotFoundException', cause));
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const ended = promise.catch(() => {});
    const requestId = randomUUID();
    const invocation = { requestId, functionName, lambdaFunction, payload, resolve, reject, ended };
    const stop = () => this.#stop(invocation);
    signal?.addEventListener('abort', stop, { once: true });
    this.#waiting.push(invocation);
    if (signal?.aborted || this.#isClosing) stop();
    this.#assign();
    return promise.finally(() => signal?.removeEventListener('abort', stop));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const invocation of [...this.#waiting]) this.#stop(invocation);
    await Promise.all([...this.#processes].map((one) => one.close(this.#options.graceMs ?? 30_000)));
  }

  #start(firstFunction: number): FunctionProcess {
    const one = new FunctionProcess(this.#options, firstFunction, {
      onFree: () => this.#assign(),
      onEnd: () => {
        this.#processes.delete(one);
        this.#assign();
      },
    });
    this.#processes.add(one);
    return one;
  }

  #assign(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const free = this.#freeProcess(next.functionName);
      if (!free) return;
      this.#waiting.shift();
      free.run(next);
    }
  }

  /** A free process, or a new one in place of one that died. */
  #freeProcess(functionName: string): FunctionProcess | undefined {
    const free = [...this.#processes].find((one) => one.isFree);
    if (free || this.#processes.size === this.#options.processes) return free;
    return this.#start([...this.#functions.keys()].indexOf(functionName));
  }

  #stop(invocation: Invocation): void {
    for (const one of this.#processes) one.interrupt(invocation);
    const at = this.#waiting.indexOf(invocation);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    invocation.reject(new StatesError('Lambda.ClientExecutionTimeoutException', 'Stopped before it began.'));
  }
}
