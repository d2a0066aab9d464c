/**
 * A process of the Lambda host: loads the handler modules and runs one invocation at a time.
 * As on Lambda, handlers receive the event and a context, have their environment, and are interrupted by SIGTERM.
 */
import { setImmediate } from 'node:timers/promises';
import type { FromProcess, FunctionError, ToProcess } from './lambda-messages.ts';

type Handler = (event: unknown, context: object) => unknown;
type Invocation = Extract<ToProcess, { type: 'invoke' }>;

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
  process.send?.({ type: 'error', requestId, error, fatal: true } satisfies FromProcess, () =>
    process.exit(129),
  );
}

function describe(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  const trace = (error.stack ?? '').split('\n');
  return { errorType: error.name, errorMessage: error.message, trace };
}

function send(message: FromProcess): void {
  if (process.connected) process.send?.(message);
}
