import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { StatesError } from '../step-functions/states-error.ts';
import type { FromProcess, FunctionError, ToProcess } from './lambda-process.ts';
import { bareEnvironment, forwardLines } from './process-lines.ts';

export interface FunctionProcessOptions {
  /** By function name. Every process loads them all: the first starts with the first, the second with the second. */
  readonly functions: Readonly<Record<string, LambdaFunction>>;
  /** What the functions have in `process.env`, besides PATH, HOME and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Called with each line that a handler (or its runtime) writes to stdout or stderr. */
  readonly onLog: (line: string) => void;
}

export interface LambdaFunction {
  /** A module that exports `handler`. */
  readonly module: URL;
  readonly timeoutSeconds: number;
  /** Reported to the handler, not enforced. */
  readonly memoryMegabytes: number;
}

export interface Invocation {
  readonly requestId: string;
  readonly functionName: string;
  readonly lambdaFunction: LambdaFunction;
  readonly payload: unknown;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: StatesError) => void;
  /** Resolves however the invocation ended. */
  readonly ended: Promise<unknown>;
}

/** `onFree`: the process can run the next invocation. */
type Events = Readonly<Record<'onFree' | 'onEnd', () => void>>;

/** A child process that runs functions, one invocation at a time. */
export class FunctionProcess {
  readonly #child: ChildProcess;
  readonly #events: Events;
  readonly #ended: Promise<unknown>;
  #running: Invocation | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDying = false;

  constructor(options: FunctionProcessOptions, firstFunction: number, events: Events) {
    this.#events = events;
    this.#child = fork(ENTRY, [modulesInOrder(options, firstFunction)], {
      env: { ...bareEnvironment(), ...options.environment },
      // Not those of this process: flags of a test runner or a debugger are not for handlers.
      execArgv: HOST_FLAGS,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    forwardLines([this.#child.stdout, this.#child.stderr], options.onLog);
    this.#child.on('message', (message: FromProcess) => this.#receive(message));
    this.#ended = this.#end();
  }

  get isFree(): boolean {
    return !this.#running && !this.#isDying;
  }

  run(invocation: Invocation): void {
    this.#running = invocation;
    const { requestId, functionName, payload } = invocation;
    const { timeoutSeconds, memoryMegabytes } = invocation.lambdaFunction;
    const limits = { timeoutMs: timeoutSeconds * 1000, memoryMegabytes };
    this.#send({ type: 'invoke', requestId, functionName, payload, ...limits });
  }

  /** Does nothing when the process runs another invocation. */
  interrupt(invocation: Invocation): void {
    if (this.#running === invocation) this.#send({ type: 'close' });
  }

  async close(graceMs: number): Promise<void> {
    if (this.#running) this.interrupt(this.#running);
    const grace = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#running?.ended;
    this.#isDying = true;
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
    clearTimeout(grace);
  }

  async #end(): Promise<void> {
    // The process ends with its parent by itself, unless it is in an endless loop.
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      this.#child.once('exit', (...how) => resolve(how));
      this.#child.once('error', () => resolve([null, null]));
    });
    // Its last message may still arrive.
    if (this.#child.connected) await once(this.#child, 'disconnect');
    process.off('exit', kill);
    const how = signal === null ? `exit status ${code}` : `signal: ${signal}`;
    this.#fail('Runtime.ExitError', `Runtime exited with error: ${how}`);
    this.#events.onEnd();
  }

  #receive(message: FromProcess): void {
    const running = this.#running;
    if (!running || message.requestId !== running.requestId) return;
    if (message.type === 'began') return void this.#startTimer(running.lambdaFunction.timeoutSeconds);
    clearTimeout(this.#timer);
    this.#running = undefined;
    if (message.type === 'result') running.resolve(message.payload);
    else {
      this.#isDying = message.fatal;
      running.reject(asStatesError(message.error));
    }
    this.#events.onFree();
  }

  #startTimer(seconds: number): void {
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
    // The exit of a process that just died fails the invocation.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

function modulesInOrder({ functions }: FunctionProcessOptions, first: number): string {
  const modules = Object.entries(functions).map(([name, { module }]) => [name, module.href]);
  const at = first % modules.length;
  return JSON.stringify(Object.fromEntries([...modules.slice(at), ...modules.slice(0, at)]));
}

/**
 * By default V8 lets 100 MB of garbage accumulate before it collects; a small young generation costs no measurable
 * time here. The bodies of pictures count as old garbage, and made it collect after every third photograph.
 */
const V8_FLAGS = ['--max-semi-space-size=16', '--heap-growing-percent=300'];
const HOST_FLAGS = [...V8_FLAGS, '--import', new URL('../cli/compile-cache.mjs', import.meta.url).href];

const ENTRY = fileURLToPath(new URL('./lambda-process.ts', import.meta.url));

function asStatesError(error: FunctionError): StatesError {
  return new StatesError(error.errorType, JSON.stringify(error));
}
