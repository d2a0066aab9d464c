import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { unzipSync } from 'fflate';

export interface PackagedFunction {
  readonly zip: string;
  readonly layers?: readonly string[];
  /** `functions/plan-job.handler` */
  readonly handler: string;
  readonly memoryMb?: number;
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface LoadedFunction {
  /** Where the function's zip is unpacked; `opt` has its layers. */
  readonly task: string;
  readonly opt: string;
  /** What the function wrote to its log. */
  readonly log: readonly string[];
  /** @throws FunctionError where Lambda would report a FunctionError */
  invoke(event: unknown): Promise<unknown>;
  close(): void;
}

/** The error of a failed invocation; its name is the error's type. */
export class FunctionError extends Error {
  constructor(type: string, message: string) {
    super(message);
    this.name = type;
  }
}

/**
 * Runs a packaged function as Lambda would: zip and layers are unpacked outside the repository and loaded in a
 * process with a clean environment that asks a Runtime API for invocations. One sandbox, one invocation at a time.
 */
export async function loadFunction(packaged: PackagedFunction): Promise<LoadedFunction> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'image-press-lambda-'));
  const [task, opt, tmp] = ['task', 'opt', 'tmp'].map((name) => path.join(root, name)) as [string, string, string];
  for (const folder of [task, opt, tmp]) mkdirSync(folder);
  unpack(packaged.zip, task);
  for (const layer of packaged.layers ?? []) unpack(layer, opt);
  const sandbox = new Sandbox(packaged, { task, opt, tmp });
  await sandbox.listen();
  return {
    task,
    opt,
    log: sandbox.log,
    invoke: (event) => sandbox.invoke(event),
    close: () => {
      sandbox.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Inflated once: many functions are loaded with the same layer. */
const contents = new Map<string, Record<string, Uint8Array>>();

function unpack(zip: string, folder: string): void {
  const files = contents.get(zip) ?? unzipSync(readFileSync(zip));
  contents.set(zip, files);
  for (const [name, bytes] of Object.entries(files)) {
    const file = path.join(folder, name);
    if (!file.startsWith(folder + path.sep)) throw new Error(`${zip} contains ${name}, which is outside`);
    if (name.endsWith('/')) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
}

interface Invocation {
  readonly id: string;
  readonly event: string;
  readonly succeed: (response: unknown) => void;
  readonly fail: (error: FunctionError) => void;
}

interface Folders {
  readonly task: string;
  readonly opt: string;
  readonly tmp: string;
}

class Sandbox {
  readonly log: string[] = [];
  readonly #packaged: PackagedFunction;
  readonly #folders: Folders;
  readonly #api = createServer((request, response) => this.#answer(request, response));
  #process: ChildProcess | undefined;
  #invocation: Invocation | undefined;
  /** The runtime's request for the next invocation, held open until there is one. */
  #nextRequest: ServerResponse | undefined;
  #initError: { errorType: string; errorMessage: string } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(packaged: PackagedFunction, folders: Folders) {
    this.#packaged = packaged;
    this.#folders = folders;
  }

  async listen(): Promise<void> {
    this.#api.listen(0, '127.0.0.1');
    await once(this.#api, 'listening');
  }

  invoke(event: unknown): Promise<unknown> {
    return new Promise((succeed, fail) => {
      this.#invocation = { id: randomUUID(), event: JSON.stringify(event), succeed, fail };
      this.#timer = setTimeout(() => this.#timeOut(), this.#timeoutMs);
      if (!this.#process) this.#start();
      this.#sendInvocation();
    });
  }

  close(): void {
    this.#process?.removeAllListeners('exit').kill('SIGKILL');
    this.#api.closeAllConnections();
    this.#api.close();
  }

  get #timeoutMs(): number {
    return this.#packaged.timeoutMs ?? 300_000;
  }

  #start(): void {
    const { task, opt, tmp } = this.#folders;
    const { port } = this.#api.address() as AddressInfo;
    const memoryMb = this.#packaged.memoryMb ?? 1769;
    const bootstrap = path.join(import.meta.dirname, 'lambda-bootstrap.mjs');
    const child = spawn(process.execPath, [`--max-old-space-size=${Math.round(memoryMb * 0.9)}`, bootstrap], {
      cwd: task,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of the caller's environment leaks in: the function has only its zip, layers and settings.
      env: {
        TZ: ':UTC',
        LANG: 'en_US.UTF-8',
        TMPDIR: tmp,
        LAMBDA_TASK_ROOT: task,
        NODE_PATH: [`${opt}/nodejs/node24/node_modules`, `${opt}/nodejs/node_modules`].join(path.delimiter),
        LD_LIBRARY_PATH: `${opt}/lib`,
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        _HANDLER: this.#packaged.handler,
        AWS_LAMBDA_FUNCTION_NAME: path.basename(this.#packaged.zip, '.zip'),
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
        AWS_REGION: 'us-east-1',
        AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
        ...this.#packaged.environment,
      },
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (line) => this.log.push(String(line)));
    child.on('exit', (code, signal) => this.#ended(code, signal));
    this.#process = child;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const called = String(request.url).replace('/2018-06-01/runtime/', '');
    if (called === 'invocation/next') {
      this.#nextRequest = response;
      this.#sendInvocation();
      return;
    }
    const body = await text(request);
    response.writeHead(202).end('{"status":"OK"}');
    if (called === 'init/error') this.#initError = JSON.parse(body);
    else if (called.endsWith('/response')) this.#settle((invocation) => invocation.succeed(JSON.parse(body)));
    else this.#fail(JSON.parse(body));
  }

  #sendInvocation(): void {
    if (!this.#nextRequest || !this.#invocation) return;
    const nextRequest = this.#nextRequest;
    this.#nextRequest = undefined;
    nextRequest.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': this.#invocation.id,
      'lambda-runtime-deadline-ms': String(Date.now() + this.#timeoutMs),
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:us-east-1:000000000000:function:packaged',
    });
    nextRequest.end(this.#invocation.event);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#process = undefined;
    this.#nextRequest = undefined;
    const how = signal ? `signal: ${signal}` : `exit status ${code}`;
    this.#fail(this.#initError ?? { errorType: 'Runtime.ExitError', errorMessage: `Runtime exited with ${how}` });
  }

  #timeOut(): void {
    const errorMessage = `Task timed out after ${(this.#timeoutMs / 1000).toFixed(2)} seconds`;
    this.#fail({ errorType: 'Sandbox.Timedout', errorMessage });
    this.#process?.kill('SIGKILL');
  }

  #fail({ errorType, errorMessage }: { errorType: string; errorMessage: string }): void {
    this.#settle((invocation) => invocation.fail(new FunctionError(errorType, errorMessage)));
  }

  #settle(how: (invocation: Invocation) => void): void {
    const invocation = this.#invocation;
    this.#invocation = undefined;
    clearTimeout(this.#timer);
    if (invocation) how(invocation);
  }
}
