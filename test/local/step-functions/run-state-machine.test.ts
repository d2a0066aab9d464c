import { describe, expect, it } from 'vitest';
import type { StateMachineHost } from '../../../local/step-functions/execution.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';
import { StatesError } from '../../../local/step-functions/states-error.ts';
import { ANY_RESOURCES, aMachine } from '../../support/state-machines.ts';

const identity = {
  stateMachineName: 'press',
  executionName: 'job-1',
  startedAt: new Date('2026-01-02T03:04:05Z'),
};
const task = (fields: object = {}) => ({ Type: 'Task', Resource: 'arn:work', End: true, ...fields });
const pass = (fields: object = {}) => ({ Type: 'Pass', End: true, ...fields });
const retry = (ErrorEquals: string[], MaxAttempts = 3) => ({
  ErrorEquals,
  MaxAttempts,
  IntervalSeconds: 1,
  BackoffRate: 2,
  MaxDelaySeconds: 60,
  JitterStrategy: 'FULL',
});

function run(definition: object, input: unknown, host: Partial<StateMachineHost> = {}) {
  const runTask = host.runTask ?? (async ({ parameters }) => parameters);
  return runStateMachine(definition, input, identity, {
    s3: undefined as never,
    readObject: undefined as never,
    resources: ANY_RESOURCES,
    retryScale: 0.001,
    ...host,
    runTask,
  });
}

/** The result of a machine of one state. */
function runOne(state: object, input: unknown, host: Partial<StateMachineHost> = {}) {
  return run(aMachine({ One: state }), input, host);
}

/** A host whose tasks fail with these names, one an attempt, and then succeed. */
function failing(...names: string[]) {
  let calls = 0;
  const runTask = async () => {
    const name = names[calls++];
    if (name !== undefined) throw new StatesError(name, `cause of ${name}`);
    return { calls };
  };
  return { host: { runTask }, calls: () => calls };
}

describe('the data of a state', () => {
  it.each<[string, object, unknown, unknown]>([
    [
      'Parameters are filled in',
      { Parameters: { 'x.$': '$.a.b', list: [{ 'y.$': '$.c' }, null, 5] } },
      { a: { b: 1 }, c: [2, 3] },
      { x: 1, list: [{ y: [2, 3] }, null, 5] },
    ],
    [
      'falsy values are values',
      { Parameters: { 'a.$': '$.a', 'b.$': '$.b', 'c.$': '$.c', 'd.$': '$' } },
      { a: 0, b: null, c: '' },
      { a: 0, b: null, c: '', d: { a: 0, b: null, c: '' } },
    ],
    ['an input of null is an input', { Parameters: { 'a.$': '$' } }, null, { a: null }],
    ['the input is passed on without Parameters', {}, { a: 1 }, { a: 1 }],
    ['ResultPath $ replaces the input', { ResultPath: '$', Result: 1 }, { a: 1 }, 1],
    ['ResultPath creates objects on its way', { ResultPath: '$.x.y', Result: 1 }, { a: 1 }, { a: 1, x: { y: 1 } }],
    ['a Result of 0 counts', { Result: 0 }, { a: 1 }, 0],
    ['a Result of false counts', { Result: false }, { a: 1 }, false],
    ['a Result of null counts', { Result: null }, { a: 1 }, null],
    ['a Result is no template', { Result: { 'x.$': '$.a' } }, {}, { 'x.$': '$.a' }],
  ])('%s', async (_title, fields, input, output) => {
    expect(await runOne(pass(fields), input)).toEqual({ status: 'SUCCEEDED', output });
  });

  it('of a task: Parameters go in, the selected result is merged, OutputPath selects', async () => {
    const state = task({
      Parameters: { 'n.$': '$.n' },
      ResultSelector: { 'm.$': '$.n' },
      ResultPath: '$.result',
    });
    const merged = { n: 4, keep: true, result: { m: 4 } };
    expect(await runOne(state, { n: 4, keep: true })).toMatchObject({ output: merged });
    const selected = await runOne({ ...state, OutputPath: '$.result.m' }, { n: 4, keep: true });
    expect(selected).toMatchObject({ output: 4 });
  });

  it.each([
    '$.none.at.all',
    '$.list.length',
    '$.list.0',
    '$.text.length',
    '$.object.constructor',
    '$.__proto__',
  ])('fails with States.Runtime where nothing is at %s', async (path) => {
    const input = { list: [1], object: { a: 1 }, text: 'abc' };
    expect(await runOne(pass({ Parameters: { 'x.$': path } }), input)).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
      cause: expect.stringContaining(path),
    });
  });

  it.each(['text', [1]])('cannot hold a result in %j, which is no object', async (input) => {
    const result = await runOne(pass({ Result: 1, ResultPath: '$.a' }), input);
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.ResultPathMatchFailure' });
  });

  it.each<[string, unknown]>([
    ["States.Format('{}/{}.jpg', $.text, $.n)", 'a"b\\c/7.jpg'],
    ["States.Format('plain')", 'plain'],
    ["States.Format('{}', $.deep)", '{"quote":"a\\"b\\\\c"}'],
    ['States.JsonToString($.deep)', '{"quote":"a\\"b\\\\c"}'],
    ['States.StringToJson($.json)', { quote: 'a"b' }],
    ['States.MathAdd($.n, -2)', 5],
    ['States.MathAdd($.half, 1)', 3],
  ])('evaluates %s', async (text, value) => {
    const input = { text: 'a"b\\c', n: 7, half: 1.6, deep: { quote: 'a"b\\c' }, json: '{"quote":"a\\"b"}' };
    expect(await runOne(pass({ Parameters: { 'x.$': text } }), input)).toMatchObject({
      output: { x: value },
    });
  });

  it.each([
    "States.Format('{} {}', $.n)",
    'States.Format($.n)',
    'States.StringToJson($.text)',
    'States.StringToJson($.n)',
    'States.MathAdd($.text, 1)',
  ])('lets the failure of %s be caught by its name', async (text) => {
    const Catch = [{ ErrorEquals: ['States.IntrinsicFailure'], Next: 'Caught' }];
    const One = task({ Parameters: { 'x.$': text }, Catch });
    expect(await run(aMachine({ One, Caught: { Type: 'Succeed' } }), { text: 'no JSON', n: 1 })).toMatchObject({
      status: 'SUCCEEDED',
      output: { Error: 'States.IntrinsicFailure' },
    });
  });

  it('includes name and start of the execution', async () => {
    const Parameters = { 'name.$': '$$.Execution.Name', 'at.$': '$$.Execution.StartTime' };
    expect(await runOne(pass({ Parameters }), {})).toMatchObject({
      output: { name: 'job-1', at: '2026-01-02T03:04:05.000Z' },
    });
  });
});

describe('Choice', () => {
  const yesIf = (rule: object) =>
    aMachine({
      Ask: { Type: 'Choice', Choices: [{ ...rule, Next: 'Yes' }], Default: 'No' },
      Yes: pass({ Result: true }),
      No: pass({ Result: false }),
    });
  const input = { n: 5, text: 'abc', nothing: null, five: 5, six: 6 };

  it.each<[object, boolean]>([
    [{ Variable: '$.n', NumericEquals: 5 }, true],
    [{ Variable: '$.n', NumericEquals: 6 }, false],
    [{ Variable: '$.n', NumericLessThan: 6 }, true],
    [{ Variable: '$.n', NumericLessThan: 5 }, false],
    [{ Variable: '$.n', NumericLessThanEquals: 5 }, true],
    [{ Variable: '$.n', NumericLessThanEquals: 4 }, false],
    [{ Variable: '$.n', NumericLessThanPath: '$.six' }, true],
    [{ Variable: '$.n', NumericLessThanPath: '$.five' }, false],
    [{ Variable: '$.n', NumericLessThanPath: '$.text' }, false],
    [{ Variable: '$.text', NumericLessThan: 1 }, false],
    [{ Variable: '$.nothing', NumericLessThanEquals: 1 }, false],
    [{ Variable: '$.text', StringEquals: 'abc' }, true],
    [{ Variable: '$.text', StringEquals: 'ab' }, false],
    [{ Variable: '$.n', StringEquals: '5' }, false],
    [
      {
        And: [
          { Variable: '$.n', NumericEquals: 5 },
          { Variable: '$.text', StringEquals: 'abc' },
        ],
      },
      true,
    ],
    [
      {
        And: [
          { Variable: '$.n', NumericEquals: 5 },
          { Variable: '$.text', StringEquals: 'no' },
        ],
      },
      false,
    ],
  ])('%j holds: %s', async (rule, answer) => {
    expect(await run(yesIf(rule), input)).toMatchObject({ output: answer });
  });

  it('fails where the variable is missing', async () => {
    const result = await run(yesIf({ Variable: '$.none', NumericEquals: 1 }), input);
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  });

  it('loops until a task returns that nothing remains', async () => {
    let remaining = 3;
    const runTask = async () => ({ remaining: --remaining });
    const definition = aMachine({
      Work: { Type: 'Task', Resource: 'arn:work', ResultPath: '$.summary', Next: 'Done?' },
      'Done?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.summary.remaining', NumericEquals: 0, Next: 'Done' }],
        Default: 'Work',
      },
      Done: { Type: 'Succeed' },
    });
    expect(await run(definition, {}, { runTask })).toMatchObject({ output: { summary: { remaining: 0 } } });
  });

  it('ends an endless loop where the history would be full', async () => {
    const definition = aMachine({ A: { Type: 'Pass', Next: 'B' }, B: { Type: 'Pass', Next: 'A' } });
    expect(await run(definition, {})).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
      cause: expect.stringContaining('25000'),
    });
  });
});

describe('Retry and Catch', () => {
  it('retries by name, and each retrier counts its own attempts', async () => {
    const { host, calls } = failing('A', 'B', 'A', 'B');
    const Retry = [retry(['A'], 2), retry(['B'], 2)];
    expect(await runOne(task({ Retry }), {}, host)).toMatchObject({ output: { calls: 5 } });
    expect(calls()).toBe(5);
  });

  it('gives up after MaxAttempts with the last error', async () => {
    const { host, calls } = failing('A', 'A', 'A', 'A');
    const result = await runOne(task({ Retry: [retry(['A'], 2)] }), {}, host);
    expect(result).toMatchObject({ status: 'FAILED', error: 'A', cause: 'cause of A' });
    expect(calls()).toBe(3);
  });

  it('does not retry with MaxAttempts 0, even if a later retrier covers the error', async () => {
    const { host, calls } = failing('A');
    await runOne(task({ Retry: [retry(['A'], 0), retry(['States.ALL'])] }), {}, host);
    expect(calls()).toBe(1);
  });

  it('counts from zero when a loop returns to the state', async () => {
    const { host } = failing('A', 'A', 'B', 'A', 'A');
    const Catch = [{ ErrorEquals: ['B'], Next: 'Again' }];
    const Work = task({ Retry: [retry(['A'], 2)], Catch, ResultPath: '$.done' });
    const Again = { Type: 'Pass', Next: 'Work' };
    expect(await run(aMachine({ Work, Again }), {}, host)).toMatchObject({ output: { done: { calls: 6 } } });
  });

  it.each([
    ['Runtime.ExitError', ['Runtime.ExitError']],
    ['Runtime.ExitError', ['States.TaskFailed']],
    ['Runtime.ExitError', ['States.ALL']],
    ['States.Timeout', ['States.ALL']],
    ['States.DataLimitExceeded', ['States.DataLimitExceeded']],
  ])('catches %s by %j and passes Error and Cause on at ResultPath', async (name, ErrorEquals) => {
    const One = task({ Catch: [{ ErrorEquals, ResultPath: '$.failure', Next: 'Caught' }] });
    const result = await run(aMachine({ One, Caught: { Type: 'Succeed' } }), { keep: 1 }, failing(name).host);
    const failure = { Error: name, Cause: `cause of ${name}` };
    expect(result).toMatchObject({ output: { keep: 1, failure } });
  });

  it.each([
    ['States.Timeout', 'States.TaskFailed'],
    ['States.DataLimitExceeded', 'States.ALL'],
    ['States.Runtime', 'States.ALL'],
    ['A', 'a'],
  ])('does not retry or catch %s by %s', async (name, wildcard) => {
    const { host, calls } = failing(name);
    const handlers = { Retry: [retry([wildcard])], Catch: [{ ErrorEquals: [wildcard], Next: 'Caught' }] };
    const result = await run(aMachine({ One: task(handlers), Caught: { Type: 'Succeed' } }), {}, host);
    expect(result).toMatchObject({ status: 'FAILED', error: name });
    expect(calls()).toBe(1);
  });

  it('catches any error of a host by its name', async () => {
    const runTask = async () => {
      throw new TypeError('x is not a function');
    };
    const One = task({ Catch: [{ ErrorEquals: ['TypeError'], Next: 'Caught' }] });
    const result = await run(aMachine({ One, Caught: { Type: 'Succeed' } }), {}, { runTask });
    expect(result).toMatchObject({ output: { Error: 'TypeError', Cause: 'x is not a function' } });
  });

  it('waits for a task as long as it takes when there is no TimeoutSeconds', async () => {
    const runTask = () => new Promise<unknown>((done) => setTimeout(done, 30, { slow: true }));
    expect(await runOne(task(), {}, { runTask })).toMatchObject({ output: { slow: true } });
  });

  it('leaves no timer when a task ended within its TimeoutSeconds', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await runOne(task({ TimeoutSeconds: 86_400 }), {});
    expect(timers()).toBe(before);
  });

  it('fails a task with States.Timeout and signals it to stop', async () => {
    let isSignalled = false;
    const runTask = ({ signal }: { signal: AbortSignal }) =>
      new Promise<unknown>(() =>
        signal.addEventListener('abort', () => {
          isSignalled = true;
        }),
      );
    const result = await runOne(task({ TimeoutSeconds: 0.02 }), {}, { runTask });
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    expect(isSignalled).toBe(true);
  });
});

describe('limits', () => {
  const big = 'x'.repeat(200_000);

  it.each<[string, object, unknown, StateMachineHost['runTask'] | undefined]>([
    ['the input of an execution', { Type: 'Succeed' }, [big, big], undefined],
    ['the input of a task', task({ Parameters: { 'a.$': '$', 'b.$': '$' } }), big, async () => 'small'],
    ['the result of a task', task({ ResultSelector: {} }), {}, async () => [big, big]],
    ['the output of a state', pass({ Result: big, ResultPath: '$.b' }), { a: big }, undefined],
  ])('fail with States.DataLimitExceeded when %s has more than 256 KiB', async (what, state, input, runTask) => {
    expect(await runOne(state, input, runTask && { runTask })).toMatchObject({
      status: 'FAILED',
      error: 'States.DataLimitExceeded',
      cause: expect.stringContaining(what.replace(/^the (\w+) of an? (\w+)$/, 'The $1 of the $2')),
    });
  });

  it('count bytes, not characters', async () => {
    expect(await runOne({ Type: 'Succeed' }, 'ü'.repeat(131_071))).toMatchObject({ status: 'SUCCEEDED' });
    expect(await runOne({ Type: 'Succeed' }, 'ü'.repeat(131_072))).toMatchObject({ status: 'FAILED' });
  });
});

describe('Fail', () => {
  const paths = { Type: 'Fail', ErrorPath: '$.e', CausePath: '$.c' };

  it('fails with the strings at ErrorPath and CausePath', async () => {
    const failed = { status: 'FAILED', error: 'E', cause: 'C' };
    expect(await runOne(paths, { e: 'E', c: 'C' })).toEqual(failed);
  });

  it('fails with States.Runtime where there is no string', async () => {
    expect(await runOne(paths, { e: 'E', c: 5 })).toMatchObject({ error: 'States.Runtime' });
  });
});

describe('a stopped execution', () => {
  it('waits for the running task and enters no further state', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const runTask = async ({ state, signal }: { state: string; signal: AbortSignal }) => {
      seen.push(state);
      stop.abort();
      await new Promise((done) => setTimeout(done, 20));
      seen.push(`${state} ended, signalled: ${signal.aborted}`);
    };
    const definition = aMachine({ First: task({ End: undefined, Next: 'Second' }), Second: task() });
    expect(await run(definition, {}, { runTask, signal: stop.signal })).toEqual({ status: 'ABORTED' });
    expect(seen).toEqual(['First', 'First ended, signalled: true']);
  });

  it('enters no state when it was stopped before it began', async () => {
    const { host, calls } = failing();
    const definition = aMachine({ First: { Type: 'Pass', Next: 'Second' }, Second: task() });
    expect(await run(definition, {}, { ...host, signal: AbortSignal.abort() })).toEqual({
      status: 'ABORTED',
    });
    expect(calls()).toBe(0);
  });

  it('does not wait for the next attempt of a retry', async () => {
    const stop = new AbortController();
    const { host } = failing('A');
    setTimeout(() => stop.abort(), 20);
    const state = task({ Retry: [{ ...retry(['A']), IntervalSeconds: 100_000, MaxDelaySeconds: 100_000 }] });
    const result = await runOne(state, {}, { ...host, retryScale: 1, signal: stop.signal });
    expect(result).toEqual({ status: 'ABORTED' });
  });
});
