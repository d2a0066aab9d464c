/**
 * A process of the Lambda host: loads the handler modules and runs one invocation at a time.
 * As on Lambda, handlers receive the event and a context, have their environment, and are interrupted by SIGTERM.
 */
import { setImmediate } from 'node:timers/promises';

/** The messages between the host and this process. Everything is JSON, as payloads are on Lambda. */
export type ToProcess =
  | ({ readonly type: 'invoke' } & Invocation)
  /** The running invocation should end soon: the process emits SIGTERM to itself. */
  | { readonly type: 'close' };

interface Invocation {
  readonly requestId: string;
  readonly functionName: string;
  readonly payload: unknown;
  readonly timeoutMs: number;
  readonly memoryMegabytes: number;
}

export type FromProcess = {
  readonly requestId: string;
} /** The module is loaded: the function's timeout starts now. */ & (
  | { readonly type: 'began' }
  | { readonly type: 'result'; readonly payload: unknown }
  /** `fatal`: the process is about to end. */
  | { readonly type: 'error'; readonly error: FunctionError; readonly fatal: boolean }
);

/** The error of an invocation as Lambda answers it, and as the Cause in a state machine has it. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
}

type Handler = (event: unknown, context: object) => unknown;

/** Function name to module URL, in the order in which they are loaded. */
const modules: Readonly<Record<string, string>> = JSON.parse(process.argv[2] ?? '{}');
const loaded = new Map<string, Promise<Handler>>();
let current: Invocation | undefined;
let closing: NodeJS.Timeout | undefined;

process.on('message', (message: ToProcess) => {
  if (message.type === 'close') closeInvocation();
  else invoke(message);
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches all processes of the group: the parent decides what happens then.
process.on('SIGINT', () => {});
process.on('uncaughtException', (error) => endWith(describe(error)));
process.on('unhandledRejection', (reason) => {
  endWith({ ...describe(reason), errorType: 'Runtime.UnhandledPromiseRejection' });
});
loadAll();

/** One after the other, so that the first function is ready first and can run while the next is loaded. */
async function loadAll(): Promise<void> {
  for (const name of Object.keys(modules)) {
    await load(name).catch(() => {});
    await setImmediate();
  }
}

function load(name: string): Promise<Handler> {
  const handler = loaded.get(name) ?? importHandler(name);
  loaded.set(name, handler);
  return handler;
}

class RuntimeError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

async function importHandler(name: string): Promise<Handler> {
  const url = String(modules[name]);
  const module = await import(url).catch((error: Error) => {
    throw new RuntimeError('Runtime.ImportModuleError', `${error.name}: ${error.message}`);
  });
  if (typeof module.handler === 'function') return module.handler;
  throw new RuntimeError('Runtime.HandlerNotFound', `${url} exports no function 'handler'`);
}

async function invoke(invocation: Invocation): Promise<void> {
  const { requestId, functionName, payload } = invocation;
  current = invocation;
  try {
    const handler = await load(functionName);
    send({ type: 'began', requestId });
    const result = (await handler(payload, contextOf(invocation))) ?? null;
    send({ type: 'result', requestId, payload: marshalled(result) });
  } catch (error) {
    send({ type: 'error', requestId, error: describe(error), fatal: false });
  } finally {
    current = undefined;
    clearInterval(closing);
  }
}

/**
 * Emitted, not sent: SIGTERM would kill a process without a listener, and Windows has no signals.
 * Repeated, because a handler that is still loading adds its listener later.
 */
function closeInvocation(): void {
  if (!current) return;
  clearInterval(closing);
  closing = setInterval(() => process.emit('SIGTERM'), 100);
  process.emit('SIGTERM');
}

function marshalled(result: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(result));
  } catch (error) {
    throw new RuntimeError('Runtime.MarshalError', (error as Error).message);
  }
}

function contextOf({ requestId, functionName, timeoutMs, memoryMegabytes }: Invocation): object {
  const deadline = performance.now() + timeoutMs;
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${functionName}`,
    memoryLimitInMB: String(memoryMegabytes),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: `local/${process.pid}`,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
  };
}

/** The state of the process is unreliable now: the host starts another. */
function endWith(error: FunctionError): void {
  console.error(JSON.stringify(error));
  if (!current) process.exit(129);
  const { requestId } = current;
  const message: FromProcess = { type: 'error', requestId, error, fatal: true };
  process.send?.(message, () => process.exit(129));
}

function describe(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  const trace = (error.stack ?? '').split('\n');
  return { errorType: error.name, errorMessage: error.message, trace };
}

function send(message: FromProcess): void {
  if (process.connected) process.send?.(message);
}
