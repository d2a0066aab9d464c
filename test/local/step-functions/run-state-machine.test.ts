import { describe, expect, it } from 'vitest';
import type { State } from '../../../local/step-functions/definition.ts';
import {
  runStateMachine,
  type StateMachineHost,
  StatesError,
} from '../../../local/step-functions/run-state-machine.ts';

const identity = {
  stateMachineName: 'press',
  executionName: 'job-1',
  startedAt: new Date('2026-01-02T03:04:05Z'),
};
const task = (fields: object = {}) => ({ Type: 'Task', Resource: 'arn:work', End: true, ...fields });
const machine = (States: Record<string, object>) => ({ StartAt: Object.keys(States)[0]!, States });

function run(definition: object, input: unknown, host: Partial<StateMachineHost> = {}) {
  const runTask = host.runTask ?? (async ({ parameters }) => parameters);
  return runStateMachine(definition, input, identity, {
    s3: undefined as never,
    retryScale: 0.001,
    ...host,
    runTask,
  });
}

/** The output of a machine of one state. */
async function outputOf(state: object, input: unknown, host: Partial<StateMachineHost> = {}) {
  return (await run(machine({ One: state }), input, host)) as { output: unknown };
}

/** A host whose tasks fail as told, one name an attempt, and then succeed. */
function failing(...names: string[]) {
  let calls = 0;
  const runTask = async () => {
    const name = names[calls++];
    if (name !== undefined) throw new StatesError(name, `told by ${name}`);
    return { calls };
  };
  return { host: { runTask }, calls: () => calls };
}

describe('data on its way through a state', () => {
  it.each<[string, object, unknown, unknown]>([
    ['InputPath selects', { InputPath: '$.a' }, { a: { b: 1 } }, { b: 1 }],
    ['InputPath null gives an empty object', { InputPath: null }, { a: 1 }, {}],
    [
      'Parameters are filled in',
      { Parameters: { 'x.$': '$.a.b', list: [{ 'y.$': '$.c[1]' }] } },
      { a: { b: 1 }, c: [2, 3] },
      { x: 1, list: [{ y: 3 }] },
    ],
    ['keys in brackets are read', { Parameters: { 'x.$': "$['a b'].c" } }, { 'a b': { c: 1 } }, { x: 1 }],
    [
      'falsy values are values',
      { Parameters: { 'a.$': '$.a', 'b.$': '$.b', 'c.$': '$.c', 'd.$': '$' } },
      { a: 0, b: null, c: '' },
      { a: 0, b: null, c: '', d: { a: 0, b: null, c: '' } },
    ],
    ['an input of null is an input', { Parameters: { 'a.$': '$' } }, null, { a: null }],
    ['ResultPath $ replaces', { ResultPath: '$', Result: 1 }, { a: 1 }, 1],
    ['ResultPath null keeps the input', { ResultPath: null, Result: 1 }, { a: 1 }, { a: 1 }],
    [
      'ResultPath makes objects on its way',
      { ResultPath: '$.x.y', Result: 1 },
      { a: 1 },
      { a: 1, x: { y: 1 } },
    ],
    ['ResultPath writes into arrays', { ResultPath: '$.x[1]', Result: 9 }, { x: [1, 2] }, { x: [1, 9] }],
    ['OutputPath selects', { OutputPath: '$.a' }, { a: 2 }, 2],
    ['a Result of 0 counts', { Result: 0 }, { a: 1 }, 0],
    ['a Result of false counts', { Result: false }, { a: 1 }, false],
    ['a Result is no template', { Result: { 'x.$': '$.a' } }, {}, { 'x.$': '$.a' }],
  ])('%s', async (_title, fields, input, output) => {
    expect(await outputOf({ Type: 'Pass', End: true, ...fields }, input)).toMatchObject({ output });
  });

  it('lets the task see Parameters and the rest of the machine its selected result', async () => {
    const state = task({
      Parameters: { 'n.$': '$.n' },
      ResultSelector: { 'm.$': '$.n' },
      ResultPath: '$.result',
    });
    expect(await outputOf(state, { n: 4, keep: true })).toMatchObject({
      output: { n: 4, keep: true, result: { m: 4 } },
    });
  });

  it('fails with States.Runtime where a path leads nowhere', async () => {
    const result = await outputOf({ Type: 'Pass', InputPath: '$.none.at.all', End: true }, { a: 1 });
    expect(result).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
      cause: expect.stringContaining('$.none.at.all'),
    });
  });

  it.each([
    '$.list.length',
    '$.object[0]',
    '$.text.length',
    '$.object.constructor',
  ])('finds nothing at %s', async (path) => {
    const input = { list: [1], object: { 0: 'a' }, text: 'abc' };
    const result = await outputOf({ Type: 'Pass', Parameters: { 'x.$': path }, End: true }, input);
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  });

  it('refuses to put a result into something that is no object', async () => {
    const result = await outputOf({ Type: 'Pass', Result: 1, ResultPath: '$.a', End: true }, 'text');
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.ResultPathMatchFailure' });
  });

  it.each<[string, unknown]>([
    ["States.Format('{}/{}.jpg', $.text, $.n)", 'a"b\\c/7.jpg'],
    ["States.Format('it\\'s')", "it's"],
    ['States.JsonToString($.deep)', '{"quote":"a\\"b\\\\c"}'],
    ['States.StringToJson(States.JsonToString($.deep))', { quote: 'a"b\\c' }],
    ["States.Array('(', ',', $.n, null, true)", ['(', ',', 7, null, true]],
    ['States.ArrayLength($.list)', 3],
    ['States.ArrayGetItem($.list, 2)', 3],
    ['States.ArrayContains($.list, 2)', true],
    ['States.ArrayPartition($.list, 2)', [[1, 2], [3]]],
    ['States.ArrayRange(1, 7, 3)', [1, 4, 7]],
    ['States.ArrayUnique(States.Array(1, 1, 2))', [1, 2]],
    ["States.Base64Decode(States.Base64Encode('ü'))", 'ü'],
    ["States.Hash('a', 'SHA-256')", 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'],
    ['States.JsonMerge($.deep, $.other, false)', { quote: 1 }],
    ['States.MathAdd($.n, -2)', 5],
  ])('evaluates %s', async (text, value) => {
    const input = { text: 'a"b\\c', n: 7, list: [1, 2, 3], deep: { quote: 'a"b\\c' }, other: { quote: 1 } };
    const result = await outputOf({ Type: 'Pass', Parameters: { 'x.$': text }, End: true }, input);
    expect(result).toMatchObject({ output: { x: value } });
  });

  it('catches the failure of an intrinsic function by its name', async () => {
    const Catch = [{ ErrorEquals: ['States.IntrinsicFailure'], Next: 'Caught' }];
    const One = task({ Parameters: { 'x.$': 'States.ArrayGetItem($.list, 3)' }, Catch });
    expect(await run(machine({ One, Caught: { Type: 'Succeed' } }), { list: [] })).toMatchObject({
      status: 'SUCCEEDED',
      output: { Error: 'States.IntrinsicFailure' },
    });
  });
});

describe('the context object', () => {
  const context = {
    'id.$': '$$.Execution.Id',
    'name.$': '$$.Execution.Name',
    'at.$': '$$.Execution.StartTime',
    'input.$': '$$.Execution.Input',
    'state.$': '$$.State.Name',
    'machine.$': '$$.StateMachine.Name',
  };
  const told = {
    id: 'arn:aws:states:us-east-1:000000000000:execution:press:job-1',
    name: 'job-1',
    at: '2026-01-02T03:04:05.000Z',
    input: { n: 1 },
    machine: 'press',
  };

  it('tells the execution as it was started', async () => {
    const result = await outputOf({ Type: 'Pass', Parameters: context, End: true }, { n: 1 });
    expect(result).toMatchObject({ output: { ...told, state: 'One' } });
  });

  it('tells the same inside of branches and iterations', async () => {
    const inner = (name: string) => machine({ [name]: { Type: 'Pass', Parameters: context, End: true } });
    const Both = { Type: 'Parallel', Branches: [inner('A')], ResultPath: '$.branches', Next: 'Each' };
    const Each = { Type: 'Map', ItemsPath: '$.branches', ItemProcessor: inner('B'), End: true };
    expect(await run(machine({ Both, Each }), { n: 1 })).toMatchObject({ output: [{ ...told, state: 'B' }] });
  });

  it('counts the attempts at a task', async () => {
    const seen: unknown[] = [];
    const runTask = async ({ parameters }: { parameters: unknown }) => {
      seen.push(parameters);
      if (seen.length < 3) throw new StatesError('Again', '');
    };
    await outputOf(
      task({ Parameters: { 'n.$': '$$.State.RetryCount' }, Retry: [{ ErrorEquals: ['Again'] }] }),
      {},
      { runTask },
    );
    expect(seen).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  });
});

describe('Choice', () => {
  const yesIf = (rule: object) =>
    machine({
      Ask: { Type: 'Choice', Choices: [{ ...rule, Next: 'Yes' }], Default: 'No' },
      Yes: { Type: 'Pass', Result: true, End: true },
      No: { Type: 'Pass', Result: false, End: true },
    });
  const input = {
    n: 5,
    text: 'ab*c',
    yes: true,
    nothing: null,
    at: '2026-01-01T00:00:00Z',
    five: 5,
    list: [],
  };

  it.each<[object, boolean]>([
    [{ Variable: '$.none', IsPresent: false }, true],
    [{ Variable: '$.nothing', IsPresent: true }, true],
    [{ Variable: '$.nothing', IsNull: true }, true],
    [{ Variable: '$.n', IsNull: false }, true],
    [{ Variable: '$.text', IsNumeric: false }, true],
    [{ Variable: '$.at', IsTimestamp: true }, true],
    [{ Variable: '$.list', IsString: true }, false],
    [{ Variable: '$.n', NumericEquals: 5 }, true],
    [{ Variable: '$.n', NumericGreaterThan: 5 }, false],
    [{ Variable: '$.n', NumericGreaterThanEqualsPath: '$.five' }, true],
    [{ Variable: '$.text', NumericLessThan: 1 }, false],
    [{ Variable: '$.nothing', NumericLessThanEquals: 1 }, false],
    [{ Variable: '$.text', NumericEqualsPath: '$.text' }, false],
    [{ Variable: '$.text', StringEquals: 'ab*c' }, true],
    [{ Variable: '$.text', StringLessThan: 'b' }, true],
    [{ Variable: '$.text', StringMatches: 'a*c' }, true],
    [{ Variable: '$.text', StringMatches: 'ab\\*c' }, true],
    [{ Variable: '$.text', StringMatches: 'a\\*c' }, false],
    [{ Variable: '$.text', StringMatches: 'a?*c' }, false],
    [{ Variable: '$.n', StringMatches: '*' }, false],
    [{ Variable: '$.yes', BooleanEquals: true }, true],
    [{ Variable: '$.yes', BooleanEqualsPath: '$.yes' }, true],
    [{ Variable: '$.at', TimestampLessThan: '2026-01-01T01:00:00+00:30' }, true],
    [
      { And: [{ Variable: '$.n', NumericEquals: 5 }, { Not: { Variable: '$.yes', BooleanEquals: true } }] },
      false,
    ],
    [
      {
        Or: [
          { Variable: '$.none', IsPresent: true },
          { Variable: '$.n', NumericEquals: 5 },
        ],
      },
      true,
    ],
  ])('%j holds: %s', async (rule, answer) => {
    expect(await run(yesIf(rule), input)).toMatchObject({ output: answer });
  });

  it('fails where the variable is missing and where nothing matches', async () => {
    const rule = { Variable: '$.none', NumericEquals: 1 };
    expect(await run(yesIf(rule), input)).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
    const noDefault = machine({
      Ask: { Type: 'Choice', Choices: [{ Variable: '$.n', NumericEquals: 1, Next: 'Ask' }] },
    });
    expect(await run(noDefault, input)).toMatchObject({ status: 'FAILED', error: 'States.NoChoiceMatched' });
  });

  it('loops until a task says that nothing remains', async () => {
    let remaining = 3;
    const runTask = async () => ({ remaining: --remaining });
    const definition = machine({
      Work: { Type: 'Task', Resource: 'arn:work', ResultPath: '$.summary', Next: 'More?' },
      'More?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.summary.remaining', NumericGreaterThan: 0, Next: 'Work' }],
        Default: 'Done',
      },
      Done: { Type: 'Succeed' },
    });
    expect(await run(definition, {}, { runTask })).toMatchObject({ output: { summary: { remaining: 0 } } });
  });

  it('ends a loop without end where the history would be full', async () => {
    const definition = machine({ A: { Type: 'Pass', Next: 'B' }, B: { Type: 'Pass', Next: 'A' } });
    expect(await run(definition, {})).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
      cause: expect.stringContaining('25000'),
    });
  });
});

describe('Retry and Catch', () => {
  it('retries by name with growing waits, and each retrier counts for itself', async () => {
    const { host, calls } = failing('A', 'B', 'A', 'B');
    const Retry = [
      { ErrorEquals: ['A'], MaxAttempts: 2 },
      { ErrorEquals: ['B'], MaxAttempts: 2 },
    ];
    expect(await outputOf(task({ Retry }), {}, host)).toMatchObject({ output: { calls: 5 } });
    expect(calls()).toBe(5);
  });

  it('gives up after MaxAttempts with the last error', async () => {
    const { host, calls } = failing('A', 'A', 'A', 'A');
    const result = await outputOf(task({ Retry: [{ ErrorEquals: ['A'], MaxAttempts: 2 }] }), {}, host);
    expect(result).toMatchObject({ status: 'FAILED', error: 'A', cause: 'told by A' });
    expect(calls()).toBe(3);
  });

  it('never retries with MaxAttempts 0', async () => {
    const { host, calls } = failing('A');
    const Retry = [{ ErrorEquals: ['A'], MaxAttempts: 0 }, { ErrorEquals: ['States.ALL'] }];
    await outputOf(task({ Retry }), {}, host);
    expect(calls()).toBe(1);
  });

  it('starts to count anew when a loop comes back to the state', async () => {
    const { host } = failing('A', 'A', 'B', 'A', 'A');
    const Retry = [{ ErrorEquals: ['A'], MaxAttempts: 2 }];
    const Work = task({ Retry, Catch: [{ ErrorEquals: ['B'], Next: 'Again' }], ResultPath: '$.done' });
    const Again = { Type: 'Pass', Next: 'Work' };
    expect(await run(machine({ Work, Again }), {}, host)).toMatchObject({ output: { done: { calls: 6 } } });
  });

  it.each([
    ['Runtime.ExitError', ['Runtime.ExitError']],
    ['Runtime.ExitError', ['States.TaskFailed']],
    ['Runtime.ExitError', ['States.ALL']],
    ['States.Timeout', ['States.ALL']],
    ['States.DataLimitExceeded', ['States.DataLimitExceeded']],
  ])('catches %s by %j and hands on Error and Cause at ResultPath', async (name, ErrorEquals) => {
    const One = task({ Catch: [{ ErrorEquals, ResultPath: '$.failure', Next: 'Caught' }] });
    const result = await run(machine({ One, Caught: { Type: 'Succeed' } }), { keep: 1 }, failing(name).host);
    expect(result).toMatchObject({ output: { keep: 1, failure: { Error: name, Cause: `told by ${name}` } } });
  });

  it.each([
    ['States.Timeout', 'States.TaskFailed'],
    ['States.DataLimitExceeded', 'States.ALL'],
    ['States.Runtime', 'States.ALL'],
    ['A', 'a'],
  ])('does not let %s be retried or caught by %s', async (name, wildcard) => {
    const { host, calls } = failing(name);
    const handlers = {
      Retry: [{ ErrorEquals: [wildcard] }],
      Catch: [{ ErrorEquals: [wildcard], Next: 'Caught' }],
    };
    const result = await run(machine({ One: task(handlers), Caught: { Type: 'Succeed' } }), {}, host);
    expect(result).toMatchObject({ status: 'FAILED', error: name });
    expect(calls()).toBe(1);
  });

  it('lets any error of a host be caught by its name', async () => {
    const runTask = async () => {
      throw new TypeError('x is not a function');
    };
    const One = task({ Catch: [{ ErrorEquals: ['TypeError'], Next: 'Caught' }] });
    const result = await run(machine({ One, Caught: { Type: 'Succeed' } }), {}, { runTask });
    expect(result).toMatchObject({ output: { Error: 'TypeError', Cause: 'x is not a function' } });
  });

  it('gives a task the time it takes when TimeoutSeconds is not set or beyond all timers', async () => {
    const runTask = () => new Promise<unknown>((done) => setTimeout(done, 30, { slow: true }));
    for (const fields of [{}, { TimeoutSeconds: 99_999_999 }]) {
      expect(await outputOf(task(fields), {}, { runTask })).toMatchObject({ output: { slow: true } });
    }
  });

  it('fails a task with States.Timeout and tells it to stop', async () => {
    let told = false;
    const runTask = ({ signal }: { signal: AbortSignal }) =>
      new Promise<unknown>(() =>
        signal.addEventListener('abort', () => {
          told = true;
        }),
      );
    const result = await outputOf(task({ TimeoutSeconds: 0.02 }), {}, { runTask });
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    expect(told).toBe(true);
  });
});

describe('limits', () => {
  const big = 'x'.repeat(200_000);

  it.each<[string, object, unknown, StateMachineHost['runTask'] | undefined]>([
    ['the input of an execution', { Type: 'Succeed' }, [big, big], undefined],
    ['the input of a task', task({ Parameters: { 'a.$': '$', 'b.$': '$' } }), big, undefined],
    ['the result of a task', task({ ResultSelector: {} }), {}, async () => [big, big]],
    [
      'the output of a state',
      { Type: 'Pass', Result: big, ResultPath: '$.b', End: true },
      { a: big },
      undefined,
    ],
  ])('fails with States.DataLimitExceeded when %s has more than 256 KiB', async (_what, state, input, runTask) => {
    expect(await outputOf(state, input, runTask && { runTask })).toMatchObject({
      status: 'FAILED',
      error: 'States.DataLimitExceeded',
    });
  });

  it('counts bytes, not letters', async () => {
    expect(await outputOf({ Type: 'Succeed' }, 'ü'.repeat(131_071))).toMatchObject({ status: 'SUCCEEDED' });
    expect(await outputOf({ Type: 'Succeed' }, 'ü'.repeat(131_072))).toMatchObject({ status: 'FAILED' });
  });
});

describe('Fail, Wait, Parallel and inline Map', () => {
  it('fails with what Error and Cause, or their paths, say', async () => {
    const literal = { Type: 'Fail', Error: 'ImagesFailed', Cause: '2 of 3' };
    expect(await outputOf(literal, {})).toMatchObject({
      status: 'FAILED',
      error: 'ImagesFailed',
      cause: '2 of 3',
    });
    const paths = { Type: 'Fail', ErrorPath: '$.e', CausePath: '$.c' };
    expect(await outputOf(paths, { e: 'E', c: 'C' })).toMatchObject({ error: 'E', cause: 'C' });
    expect(await outputOf(paths, { e: 'E', c: 5 })).toMatchObject({ error: 'States.Runtime' });
  });

  it('waits as long as it is told', async () => {
    const began = performance.now();
    await outputOf({ Type: 'Wait', SecondsPath: '$.s', End: true }, { s: 0.05 });
    expect(performance.now() - began).toBeGreaterThan(45);
    const past = { Type: 'Wait', Timestamp: '2020-01-01T00:00:00Z', End: true };
    expect(await outputOf(past, { a: 1 })).toMatchObject({ output: { a: 1 } });
  });

  it('gives the outputs of branches and iterations in their order', async () => {
    const pass = (name: string, fields: object) =>
      machine({ [name]: { Type: 'Pass', End: true, ...fields } });
    const Both = {
      Type: 'Parallel',
      Branches: [pass('A', { Result: 1 }), pass('B', { InputPath: '$.n' })],
      End: true,
    };
    expect(await run(machine({ Both }), { n: 2 })).toMatchObject({ output: [1, 2] });
    const ItemSelector = { 'at.$': '$$.Map.Item.Index', 'is.$': '$$.Map.Item.Value', 'all.$': '$.n' };
    const inner = pass('C', { Parameters: { 'item.$': '$', 'again.$': '$$.Map.Item.Value' } });
    const Each = { Type: 'Map', ItemsPath: '$.list', ItemSelector, ItemProcessor: inner, End: true };
    expect(await run(machine({ Each }), { n: 2, list: ['x', 'y'] })).toMatchObject({
      output: [
        { item: { at: 0, is: 'x', all: 2 }, again: 'x' },
        { item: { at: 1, is: 'y', all: 2 }, again: 'y' },
      ],
    });
  });

  it('starts nothing more after an iteration failed, and fails by its name', async () => {
    let started = 0;
    const runTask = async () => {
      started++;
      throw new StatesError('Broken', 'first');
    };
    const Each = {
      Type: 'Map',
      MaxConcurrency: 1,
      ItemProcessor: machine({ Work: task() }),
      Catch: [{ ErrorEquals: ['Broken'], Next: 'Caught' }],
      End: true,
    };
    const result = await run(machine({ Each, Caught: { Type: 'Succeed' } }), [1, 2, 3], { runTask });
    expect(result).toMatchObject({ output: { Error: 'Broken', Cause: 'first' } });
    expect(started).toBe(1);
  });
});

describe('stopping', () => {
  it('waits for the task in hand and enters no further state', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const runTask = async ({ state, signal }: { state: string; signal: AbortSignal }) => {
      seen.push(state);
      stop.abort();
      await new Promise((done) => setTimeout(done, 20));
      seen.push(`${state} ended, told: ${signal.aborted}`);
    };
    const definition = machine({ First: task({ End: undefined, Next: 'Second' }), Second: task() });
    expect(await run(definition, {}, { runTask, signal: stop.signal })).toMatchObject({ status: 'ABORTED' });
    expect(seen).toEqual(['First', 'First ended, told: true']);
  });

  it('does not sit out the wait before a retry', async () => {
    const stop = new AbortController();
    const { host } = failing('A');
    setTimeout(() => stop.abort(), 20);
    const state = task({ Retry: [{ ErrorEquals: ['A'], IntervalSeconds: 60 }] }) as unknown as State;
    const result = await outputOf(state, {}, { ...host, retryScale: 1, signal: stop.signal });
    expect(result).toMatchObject({ status: 'ABORTED' });
  });

  it('ends an execution at its own TimeoutSeconds', async () => {
    const definition = {
      ...machine({ One: { Type: 'Wait', Seconds: 60, End: true } }),
      TimeoutSeconds: 0.03,
    };
    expect(await run(definition, {})).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
  });
});
