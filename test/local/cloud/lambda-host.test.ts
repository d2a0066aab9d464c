import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type LambdaHost, type LambdaHostOptions, startLambdaHost } from '../../../local/cloud/lambda-host.ts';

let folder: string;
let host: LambdaHost;
const log: string[] = [];

/** What the handlers of these tests do, each by its name. */
const HANDLERS = {
  echo: 'async (event) => ({ event, pid: process.pid })',
  nothing: 'async () => undefined',
  context: `async (event, context) => {
    const before = context.getRemainingTimeInMillis();
    await new Promise((done) => setTimeout(done, 30));
    return { ...context, before, after: context.getRemainingTimeInMillis() };
  }`,
  environment: 'async () => process.env',
  talk: `async () => {
    console.log('{"level":"INFO"}');
    process.stderr.write('to stderr\\n');
  }`,
  fail: `async () => {
    class FileListError extends Error { name = 'FileListError'; }
    throw new FileListError('Expected "a"');
  }`,
  failOddly: "async () => { throw 'text'; }",
  circular: 'async () => { const a = {}; a.a = a; return a; }',
  exit: 'async () => process.exit(3)',
  kill: "async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); }",
  throwLater:
    "async () => { setTimeout(() => { throw new RangeError('later'); }, 5); await new Promise(() => setInterval(() => {}, 1000)); }",
  rejectLater:
    "async () => { Promise.reject(new Error('nobody waits')); await new Promise(() => setInterval(() => {}, 1000)); }",
  hang: 'async () => { for (;;) {} }',
  sleep: 'async (ms) => { await new Promise((done) => setTimeout(done, ms)); return process.pid; }',
  count: `async (ms) => {
    const atOnce = (globalThis.running = (globalThis.running ?? 0) + 1);
    await new Promise((done) => setTimeout(done, ms));
    globalThis.running--;
    return { pid: process.pid, atOnce };
  }`,
  untilClosed: `async () => {
    await new Promise((done) => process.once('SIGTERM', done));
    return 'handed back';
  }`,
} as const;

interface Counted {
  readonly pid: number;
  /** How many invocations were running in its process when it began, itself among them. */
  readonly atOnce: number;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lambda-host-'));
  for (const [name, source] of Object.entries(HANDLERS)) await write(name, `export const handler = ${source};`);
  await write(
    'slowToLoad',
    `await new Promise((done) => setTimeout(done, 300)); export const handler = ${HANDLERS.untilClosed};`,
  );
  await write('broken', "import './no-such-module.mjs'; export const handler = () => {};");
  await write('handlerless', 'export const main = () => {};');
});
afterEach(() => host?.close());
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(path.join(folder, `${name}.mjs`), text);

type Name = keyof typeof HANDLERS | 'broken' | 'handlerless' | 'slowToLoad';

function start(names: readonly Name[], options: Partial<LambdaHostOptions> = {}, timeoutSeconds = 60): LambdaHost {
  const module = (name: string) => pathToFileURL(path.join(folder, `${name}.mjs`));
  const functions = Object.fromEntries(
    names.map((name) => [name, { module: module(name), timeoutSeconds, memoryMegabytes: 1769 }]),
  );
  log.length = 0;
  host = startLambdaHost({
    functions,
    processes: 1,
    environment: { SETTING: 'set', NODE_DISABLE_COMPILE_CACHE: '1' },
    onLog: (line) => log.push(line),
    ...options,
  });
  return host;
}

async function failureOf(
  work: Promise<unknown>,
): Promise<{ name: string; cause: { errorType: string; errorMessage: string; trace: string[] } }> {
  const error = await work.then(
    (value) => expect.fail(`succeeded with ${JSON.stringify(value)}`),
    (thrown: Error) => thrown,
  );
  return { name: error.name, cause: JSON.parse(error.message) };
}

describe('an invocation', () => {
  it('passes the event to the handler and returns its result, in a process that is reused', async () => {
    const { invoke } = start(['echo']);
    const first = (await invoke('echo', { a: [1, 'ü'] })) as { event: unknown; pid: number };
    expect(first.event).toEqual({ a: [1, 'ü'] });
    expect(first.pid).not.toBe(process.pid);
    expect(await invoke('echo', null)).toEqual({ event: null, pid: first.pid });
  });

  it('answers null when the handler returns nothing', async () => {
    expect(await start(['nothing']).invoke('nothing', {})).toBeNull();
  });

  it('gives a context as Lambda does', async () => {
    const context = (await start(['context']).invoke('context', {})) as Record<string, unknown>;
    expect(context).toMatchObject({
      functionName: 'context',
      functionVersion: '$LATEST',
      memoryLimitInMB: '1769',
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      invokedFunctionArn: expect.stringMatching(/:function:context$/),
    });
    // What remains depends on how busy the machine is; it is never more than the limit, and it falls.
    expect(context.before).toBeGreaterThan(0);
    expect(context.before).toBeLessThanOrEqual(60_000);
    expect(context.after).toBeLessThan(Number(context.before));
  });

  it("gives the handlers the settings they were promised, and none of this process's", async () => {
    process.env.AWS_PROFILE_OF_SOMEONE = 'x';
    const environment = (await start(['environment']).invoke('environment', {})) as Record<string, string>;
    delete process.env.AWS_PROFILE_OF_SOMEONE;
    expect(environment.SETTING).toBe('set');
    expect(environment.PATH).toBe(process.env.PATH);
    expect(environment).not.toHaveProperty('AWS_PROFILE_OF_SOMEONE');
  });

  it('passes what handlers write to the log, line by line', async () => {
    await start(['talk']).invoke('talk', {});
    await expect.poll(() => [...log].sort()).toEqual(['to stderr', '{"level":"INFO"}']);
  });

  it('runs one at a time in each process', async () => {
    const { invoke } = start(['count'], { processes: 2 });
    await Promise.all([invoke('count', 1), invoke('count', 1)]);
    const calls = (await Promise.all([1, 2, 3, 4].map(() => invoke('count', 60)))) as Counted[];
    expect(new Set(calls.map(({ pid }) => pid)).size).toBe(2);
    expect(calls.map(({ atOnce }) => atOnce)).toEqual([1, 1, 1, 1]);
  });
});

describe('a failed invocation', () => {
  it('carries the name, the message and the trace of what was thrown', async () => {
    const { name, cause } = await failureOf(start(['fail']).invoke('fail', {}));
    expect(name).toBe('FileListError');
    expect(cause).toEqual({
      errorType: 'FileListError',
      errorMessage: 'Expected "a"',
      trace: expect.any(Array),
    });
    expect(cause.trace[0]).toContain('Expected "a"');
    expect(cause.trace.join()).toContain('fail.mjs');
  });

  it.each<[Name, string, RegExp]>([
    ['failOddly', 'string', /^text$/],
    ['circular', 'Runtime.MarshalError', /circular/],
    ['broken', 'Runtime.ImportModuleError', /no-such-module/],
    ['handlerless', 'Runtime.HandlerNotFound', /no function 'handler'/],
    ['exit', 'Runtime.ExitError', /^RequestId: .+ Error: Runtime exited with error: exit status 3$/],
    ['kill', 'Runtime.ExitError', /Runtime exited with error: signal: SIGKILL$/],
    ['throwLater', 'RangeError', /^later$/],
    ['rejectLater', 'Runtime.UnhandledPromiseRejection', /^nobody waits$/],
  ])('of %s is a %s, and the next one finds a working process', async (name, errorType, message) => {
    const { invoke } = start([name, 'echo']);
    const failure = await failureOf(invoke(name, {}));
    expect(failure.name).toBe(errorType);
    expect(failure.cause).toMatchObject({ errorType, errorMessage: expect.stringMatching(message) });
    expect(await invoke('echo', 'alive')).toMatchObject({ event: 'alive' });
  });

  it('is Sandbox.Timedout when the time is up, even in an endless loop', async () => {
    const { invoke } = start(['hang', 'echo'], {}, 0.2);
    const { name, cause } = await failureOf(invoke('hang', {}));
    expect(name).toBe('Sandbox.Timedout');
    expect(cause.errorMessage).toMatch(/Task timed out after 0\.20 seconds$/);
    expect(await invoke('echo', 1)).toMatchObject({ event: 1 });
  });

  it('is Lambda.ResourceNotFoundException for a function that there is not', async () => {
    await expect(start(['echo']).invoke('toString', {})).rejects.toMatchObject({
      name: 'Lambda.ResourceNotFoundException',
      message: 'Function not found: toString',
    });
  });

  it('does not affect invocations that run in other processes or wait', async () => {
    const { invoke } = start(['exit', 'sleep'], { processes: 2 });
    const work = [invoke('sleep', 100), invoke('exit', {}), invoke('sleep', 1), invoke('sleep', 1)];
    const ends = await Promise.allSettled(work);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  });
});

describe('stopping', () => {
  it('sends SIGTERM to running handlers, and returns their results', async () => {
    const { invoke } = start(['untilClosed', 'echo']);
    const stop = new AbortController();
    const work = invoke('untilClosed', {}, stop.signal);
    await new Promise((done) => setTimeout(done, 100));
    stop.abort();
    expect(await work).toBe('handed back');
    expect(await invoke('echo', 'still here')).toMatchObject({ event: 'still here' });
  });

  it('reaches a handler that is still loading', async () => {
    const { invoke } = start(['slowToLoad']);
    const stop = new AbortController();
    const work = invoke('slowToLoad', {}, stop.signal);
    await new Promise((done) => setTimeout(done, 100));
    stop.abort();
    expect(await work).toBe('handed back');
  });

  it('by a signal reaches only that invocation; a waiting one is removed', async () => {
    const { invoke } = start(['untilClosed', 'sleep'], { processes: 2 });
    const stop = new AbortController();
    const closed = invoke('untilClosed', {}, stop.signal);
    const other = invoke('sleep', 300);
    const waiting = invoke('sleep', 1, stop.signal);
    setTimeout(() => stop.abort(), 100);
    await expect(waiting).rejects.toMatchObject({ message: 'Stopped before it began.' });
    expect(await closed).toBe('handed back');
    expect(await other).toEqual(expect.any(Number));
  });

  it('on closing completes running invocations, refuses new ones and leaves no process', async () => {
    const { invoke, close } = start(['echo', 'untilClosed']);
    const { pid } = (await invoke('echo', {})) as { pid: number };
    const work = invoke('untilClosed', {});
    const closed = close();
    expect(await work).toBe('handed back');
    await closed;
    await expect(invoke('echo', {})).rejects.toThrow('Stopped before it began.');
    expect(isAlive(pid)).toBe(false);
  });

  it('on closing ends what does not end by itself', async () => {
    const { invoke, close } = start(['hang'], { graceMs: 300 });
    const failure = failureOf(invoke('hang', {}));
    await close();
    expect((await failure).name).toBe('Runtime.ExitError');
  });

  it('leaves no process when this one is killed', async () => {
    const hostModule = new URL('../../../local/cloud/lambda-host.ts', import.meta.url);
    const beats = path.join(folder, 'beats');
    await write(
      'beat',
      `import { appendFileSync } from 'node:fs';
       export const handler = async () => { setInterval(() => appendFileSync(${JSON.stringify(beats)}, '.'), 20); };`,
    );
    await write(
      'parent',
      `import { startLambdaHost } from '${hostModule}';
       const beat = { module: new URL('./beat.mjs', import.meta.url), timeoutSeconds: 9, memoryMegabytes: 1 };
       const host = startLambdaHost({ functions: { beat }, processes: 1, environment: {}, onLog: () => {} });
       host.invoke('beat', {}).then(() => console.log('beating'));`,
    );
    const parent = spawn(process.execPath, [path.join(folder, 'parent.mjs')]);
    await once(parent.stdout, 'data');
    await expect.poll(() => sizeOf(beats)).toBeGreaterThan(2);
    parent.kill('SIGKILL');
    // Not checked by its id: where no process collects orphans, a dead one keeps it.
    await expect.poll(() => growthOf(beats)).toBe(0);
  });
});

const sizeOf = async (file: string) => (await stat(file)).size;

async function growthOf(file: string): Promise<number> {
  const before = await sizeOf(file);
  await new Promise((done) => setTimeout(done, 150));
  return (await sizeOf(file)) - before;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
