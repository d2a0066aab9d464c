import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { StatesError } from '../step-functions/states-error.ts';
import type { FromProcess, FunctionError, ToProcess } from './lambda-messages.ts';
import { bareEnvironment, readLinesOf } from './process-lines.ts';

export interface LambdaHostOptions {
  /** By function name. Every process loads them all: the first begins with the first, the second with the second. */
  readonly functions: Readonly<Record<string, LambdaFunction>>;
  /** How many invocations run at once. They are started at once, so that loading overlaps with other work. */
  readonly processes: number;
  /** All that the functions see in `process.env`, besides PATH, HOME and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Receives each line that a handler (or its runtime) writes to stdout or stderr. */
  readonly onLog: (line: string) => void;
  /** How long `close` waits for what is in hand. Default 30 s. */
  readonly graceMs?: number;
}

export interface LambdaFunction {
  /** A module that exports `handler`. */
  readonly module: URL;
  readonly timeoutSeconds: number;
  /** Told to the handler; not enforced. */
  readonly memoryMegabytes: number;
}

export interface LambdaHost {
  /**
   * Runs a function as Lambda does, as soon as a process is free.
   * When `signal` fires, a waiting invocation is taken back and a running one is told to close.
   * @throws StatesError with the error's name, and `{"errorType","errorMessage","trace"}` as its cause;
   *   `Sandbox.Timedout` after the function's timeout, `Runtime.ExitError` when the process died,
   *   `Lambda.ResourceNotFoundException` for a function that there is not
   */
  invoke(functionName: string, payload: unknown, signal?: AbortSignal): Promise<unknown>;
  /** Tells every running invocation to close: its process receives SIGTERM, and may finish what is in hand. */
  interrupt(): void;
  /** Interrupts, waits for what is in hand and ends the processes. */
  close(): Promise<void>;
}

/** Child processes in the place of Lambda's execution environments: one invocation at a time in each. */
export function startLambdaHost(options: LambdaHostOptions): LambdaHost {
  const pool = new ProcessPool(options);
  return {
    invoke: (functionName, payload, signal) => pool.invoke(functionName, payload, signal),
    interrupt: () => pool.interrupt(),
    close: () => pool.close(),
  };
}

interface Invocation {
  readonly requestId: string;
  readonly functionName: string;
  readonly payload: unknown;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: StatesError) => void;
  /** Fulfilled however the invocation ended. */
  readonly ended: Promise<unknown>;
}

class ProcessPool {
  readonly #options: LambdaHostOptions;
  readonly #functionNames: readonly string[];
  readonly #processes = new Set<LambdaProcess>();
  readonly #waiting: Invocation[] = [];
  #isClosing = false;

  constructor(options: LambdaHostOptions) {
    this.#options = options;
    this.#functionNames = Object.keys(options.functions);
    for (let n = 0; n < options.processes; n++) this.#start(n);
  }

  invoke(functionName: string, payload: unknown, signal?: AbortSignal): Promise<unknown> {
    if (!Object.hasOwn(this.#options.functions, functionName)) {
      const cause = `Function not found: ${functionName}`;
      return Promise.reject(new StatesError('Lambda.ResourceNotFoundException', cause));
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const ended = promise.catch(() => {});
    const invocation = { requestId: randomUUID(), functionName, payload, resolve, reject, ended };
    const stop = () => this.#stop(invocation);
    signal?.addEventListener('abort', stop, { once: true });
    this.#waiting.push(invocation);
    if (signal?.aborted || this.#isClosing) stop();
    this.#assign();
    return promise.finally(() => signal?.removeEventListener('abort', stop));
  }

  interrupt(): void {
    for (const one of this.#processes) one.interrupt();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const invocation of [...this.#waiting]) this.#stop(invocation);
    await Promise.all([...this.#processes].map((one) => one.close(this.#options.graceMs ?? 30_000)));
  }

  #start(firstFunction: number): void {
    const one = new LambdaProcess(this.#options, firstFunction, {
      onFree: () => this.#assign(),
      onEnd: () => {
        this.#processes.delete(one);
        this.#assign();
      },
    });
    this.#processes.add(one);
  }

  /** Waiting invocations get the free processes; for one that died another starts when there is work for it. */
  #assign(): void {
    while (this.#waiting.length > 0) {
      let free = [...this.#processes].find((one) => one.isFree);
      if (!free && this.#processes.size < this.#options.processes) {
        this.#start(this.#functionNames.indexOf(this.#waiting[0]!.functionName));
        free = [...this.#processes].at(-1);
      }
      if (!free) return;
      free.run(this.#waiting.shift()!);
    }
  }

  #stop(invocation: Invocation): void {
    const at = this.#waiting.indexOf(invocation);
    if (at < 0) {
      for (const one of this.#processes) if (one.runs(invocation)) one.interrupt();
      return;
    }
    this.#waiting.splice(at, 1);
    invocation.reject(new StatesError('Lambda.ClientExecutionTimeoutException', 'Stopped before it began.'));
  }
}

class LambdaProcess {
  readonly #child: ChildProcess;
  readonly #options: LambdaHostOptions;
  readonly #events: { onFree(): void; onEnd(): void };
  readonly #ended: Promise<unknown>;
  #running: Invocation | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDying = false;

  constructor(options: LambdaHostOptions, firstFunction: number, events: { onFree(): void; onEnd(): void }) {
    this.#options = options;
    this.#events = events;
    this.#child = fork(ENTRY, [modulesInOrder(options, firstFunction)], {
      env: { ...bareEnvironment(), ...options.environment },
      // Not those of this process: flags of a test runner or a debugger are not the handlers'.
      execArgv: HOST_FLAGS,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    readLinesOf([this.#child.stdout, this.#child.stderr], options.onLog);
    this.#child.on('message', (message: FromProcess) => this.#hear(message));
    this.#ended = this.#end();
  }

  get isFree(): boolean {
    return !this.#running && !this.#isDying;
  }

  runs(invocation: Invocation): boolean {
    return this.#running === invocation;
  }

  run(invocation: Invocation): void {
    this.#running = invocation;
    const { requestId, functionName, payload } = invocation;
    const { timeoutSeconds, memoryMegabytes } = this.#options.functions[functionName]!;
    const timeoutMs = timeoutSeconds * 1000;
    this.#send({ type: 'invoke', requestId, functionName, payload, timeoutMs, memoryMegabytes });
  }

  interrupt(): void {
    if (this.#running) this.#send({ type: 'close' });
  }

  async close(graceMs: number): Promise<void> {
    this.interrupt();
    const grace = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#running?.ended;
    this.#isDying = true;
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
    clearTimeout(grace);
  }

  async #end(): Promise<void> {
    // By itself a process ends with its parent, but not out of an endless loop.
    const orphan = () => this.#child.kill('SIGKILL');
    process.once('exit', orphan);
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      this.#child.once('exit', (...how) => resolve(how));
      this.#child.once('error', () => resolve([null, null]));
    });
    // What it said last may still be on its way.
    if (this.#child.connected) await once(this.#child, 'disconnect');
    process.off('exit', orphan);
    const how = signal === null ? `exit status ${code}` : `signal: ${signal}`;
    this.#fail('Runtime.ExitError', `Runtime exited with error: ${how}`);
    this.#events.onEnd();
  }

  #hear(message: FromProcess): void {
    const running = this.#running;
    if (!running || message.requestId !== running.requestId) return;
    if (message.type === 'began') {
      this.#startTimer(running);
      return;
    }
    clearTimeout(this.#timer);
    this.#running = undefined;
    if (message.type === 'result') {
      running.resolve(message.payload);
    } else {
      this.#isDying = message.fatal;
      running.reject(asStatesError(message.error));
    }
    this.#events.onFree();
  }

  #startTimer({ functionName }: Invocation): void {
    const seconds = this.#options.functions[functionName]!.timeoutSeconds;
    this.#timer = setTimeout(() => {
      this.#fail('Sandbox.Timedout', `Task timed out after ${seconds.toFixed(2)} seconds`);
      this.#child.kill('SIGKILL');
    }, seconds * 1000);
  }

  #fail(errorType: string, what: string): void {
    clearTimeout(this.#timer);
    this.#isDying = true;
    const running = this.#running;
    this.#running = undefined;
    if (!running) return;
    const errorMessage = `RequestId: ${running.requestId} Error: ${what}`;
    running.reject(asStatesError({ errorType, errorMessage, trace: [] }));
  }

  #send(message: ToProcess): void {
    // A process that just died says so by its exit, which fails the invocation.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

function modulesInOrder({ functions }: LambdaHostOptions, first: number): string {
  const modules = Object.entries(functions).map(([name, { module }]) => [name, module.href]);
  const at = first % modules.length;
  return JSON.stringify(Object.fromEntries([...modules.slice(at), ...modules.slice(0, at)]));
}

/**
 * Left alone, V8 lets garbage pile up to 100 MB before it looks; a small nursery costs no measurable time here. The
 * bodies of pictures count as its old garbage, and made it collect after every third photograph.
 */
const HOST_FLAGS = [
  '--max-semi-space-size=16',
  '--heap-growing-percent=300',
  '--import',
  new URL('../cli/compile-cache.mjs', import.meta.url).href,
];

const ENTRY = fileURLToPath(new URL('./lambda-process.ts', import.meta.url));

function asStatesError(error: FunctionError): StatesError {
  return new StatesError(error.errorType, JSON.stringify(error));
}
