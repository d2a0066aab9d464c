import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startS3Server } from '../../../local/s3/s3-server.ts';
import type { ChildEvent, StateMachineHost } from '../../../local/step-functions/execution.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';
import { StatesError } from '../../../local/step-functions/states-error.ts';
import { clientOf } from '../../support/served-bucket.ts';
import { ANY_RESOURCES, aMachine, aMap } from '../../support/state-machines.ts';

let folder: string;
let server: Awaited<ReturnType<typeof startS3Server>>;
let s3: S3Client;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'distributed-map-'));
  // Of this process alone: a file that is there after a run was left by it.
  process.env.TMPDIR = path.join(folder, 'temporary');
  await mkdir(process.env.TMPDIR);
  const work = { folder: path.join(folder, 'work'), state: path.join(folder, 'state') };
  server = await startS3Server({ buckets: { work } });
  s3 = clientOf(server.endpoint);
});

afterAll(async () => {
  s3.destroy();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function get(Key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'work', Key }));
  return (await Body?.transformToString()) ?? '';
}

const linesOf = (items: readonly unknown[]) => items.map((item) => JSON.stringify(item)).join('\n');

const mapOf = (fields: object) => aMachine({ Each: { ...aMap, ...fields }, Caught: { Type: 'Succeed' } });
const child = (states: Record<string, object>) => ({ ...aMap.ItemProcessor, ...aMachine(states) });
const writerTo = (Prefix: string) => ({
  ResultWriter: { ...aMap.ResultWriter, Parameters: { Bucket: 'work', Prefix } },
});

/** Runs a Map over the lines of `text`, which its S3 object holds. */
async function run(definition: object, text: string | Uint8Array[], host: Partial<StateMachineHost> = {}) {
  const children: ChildEvent[] = [];
  const chunks = typeof text === 'string' ? [Buffer.from(text)] : text;
  const result = await runStateMachine(
    definition,
    { fixed: 1 },
    { stateMachineName: 'press', executionName: 'job-1', startedAt: new Date() },
    {
      s3,
      async *readObject() {
        yield* chunks;
      },
      resources: ANY_RESOURCES,
      retryScale: 0.001,
      runTask: async ({ parameters }) => parameters,
      onChild: (event) => children.push(event),
      ...host,
    },
  );
  return { ...result, children } as typeof result & { output: never; children: ChildEvent[] };
}

/** Tasks with `bad` in their input fail, all others return their input. */
const failOnBad: StateMachineHost['runTask'] = async ({ parameters }) => {
  if (JSON.stringify(parameters).includes('bad')) throw new StatesError('Runtime.ExitError', 'exit status 3');
  return parameters;
};

/** The manifest and the records of the only Map Run below a prefix. */
async function resultsBelow(prefix: string) {
  const [uuid = 'none'] = await readdir(path.join(folder, 'work', prefix));
  const manifest = JSON.parse(await get(`${prefix}/${uuid}/manifest.json`));
  const read = async (status: string) => {
    const files: { Key: string; Size: number }[] = manifest.ResultFiles[status];
    const texts = await Promise.all(files.map(({ Key }) => get(Key)));
    expect(texts.map((text) => Buffer.byteLength(text))).toEqual(files.map(({ Size }) => Size));
    return texts.flatMap((text) => JSON.parse(text));
  };
  return {
    ...{ uuid, manifest },
    succeeded: await read('SUCCEEDED'),
    failed: await read('FAILED'),
    pending: await read('PENDING'),
  };
}

describe('the ResultWriter', () => {
  it('writes the layout and the fields that AWS writes', async () => {
    const definition = mapOf({ ...writerTo('jobs/a'), ToleratedFailurePercentage: 100, MaxConcurrency: 1 });
    const { output, status } = await run(definition, linesOf([1, 'bad']), { runTask: failOnBad });
    expect(status).toBe('SUCCEEDED');
    const { uuid, manifest, succeeded, failed } = await resultsBelow('jobs/a');
    const { MapRunArn } = output as { MapRunArn: string };
    expect(MapRunArn).toBe(`arn:aws:states:us-east-1:000000000000:mapRun:press/Each:${uuid}`);
    const at = `jobs/a/${uuid}`;
    const ResultWriterDetails = { Bucket: 'work', Key: `${at}/manifest.json` };
    expect(output).toEqual({ MapRunArn, ResultWriterDetails });
    expect(manifest).toEqual({
      DestinationBucket: 'work',
      MapRunArn,
      ResultFiles: {
        FAILED: [{ Key: `${at}/FAILED_0.json`, Size: expect.any(Number) }],
        PENDING: [],
        SUCCEEDED: [{ Key: `${at}/SUCCEEDED_0.json`, Size: expect.any(Number) }],
      },
    });
    const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const childArn = /^arn:aws:states:us-east-1:\d{12}:execution:press\/Each:[0-9a-f-]{36}$/;
    const common = {
      ExecutionArn: expect.stringMatching(childArn),
      InputDetails: { Included: true },
      Name: expect.stringMatching(/^[0-9a-f-]{36}$/),
      OutputDetails: { Included: true },
      RedriveCount: 0,
      StartDate: isoTime,
      StateMachineArn: expect.stringMatching(/:stateMachine:press\/Each$/),
      StopDate: isoTime,
    };
    expect(succeeded).toEqual([
      {
        ...common,
        Input: '{"item":1}',
        Output: '{"item":1}',
        RedriveStatus: 'NOT_REDRIVABLE',
        RedriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven',
        Status: 'SUCCEEDED',
      },
    ]);
    expect(failed).toEqual([
      {
        ...common,
        Cause: 'exit status 3',
        Error: 'Runtime.ExitError',
        Input: '{"item":"bad"}',
        RedriveStatus: 'REDRIVABLE_BY_MAP_RUN',
        Status: 'FAILED',
      },
    ]);
  });

  it('writes as PENDING what was never started after the tolerated failures were exceeded', async () => {
    const items = ['a', 'bad', ...Array.from({ length: 50 }, (_, n) => `later ${n}`)];
    const definition = mapOf({
      ...writerTo('exceeded'),
      MaxConcurrency: 1,
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
    });
    const { output, children } = await run(definition, linesOf(items), { runTask: failOnBad });
    expect(output).toMatchObject({ Error: 'States.ExceedToleratedFailureThreshold' });
    expect(children).toHaveLength(2);
    const { succeeded, failed, pending } = await resultsBelow('exceeded');
    expect([succeeded.length, failed.length, pending.length]).toEqual([1, 1, 50]);
    const InputDetails = { Included: true };
    expect(pending[0]).toEqual({ Input: '{"item":"later 0"}', InputDetails, Status: 'PENDING' });
  });

  it('writes children that were stopped as ABORTED', async () => {
    const runTask: StateMachineHost['runTask'] = async ({ parameters, signal }) => {
      if ((parameters as { item: string }).item === 'bad') throw new StatesError('Broken', '');
      await new Promise((done) => signal.addEventListener('abort', done));
    };
    const { children } = await run(mapOf(writerTo('aborted')), linesOf(['slow', 'bad']), { runTask });
    expect(children.map(({ status }) => status).sort()).toEqual(['ABORTED', 'FAILED']);
    const { failed } = await resultsBelow('aborted');
    const aborted = { Status: 'ABORTED', Input: '{"item":"slow"}' };
    expect(failed).toContainEqual(expect.objectContaining(aborted));
    const broken = { Status: 'FAILED', Input: '{"item":"bad"}', Error: 'Broken' };
    expect(failed).toContainEqual(expect.objectContaining(broken));
  });

  it('loses no record of many children that end at the same time', async () => {
    const items = Array.from({ length: 300 }, (_, n) => ({
      n,
      text: 'ü'.repeat(n % 50 === 0 ? 90_000 : 1000),
    }));
    await run(mapOf(writerTo('many')), linesOf(items));
    const { succeeded } = await resultsBelow('many');
    const numbers = succeeded.map(({ Output }) => JSON.parse(Output).item.n);
    expect(numbers.sort((a, b) => a - b)).toEqual(items.map(({ n }) => n));
  });

  it('fails with States.ResultWriterFailed where it cannot write', async () => {
    const Parameters = { Bucket: 'no-such-bucket', Prefix: 'x' };
    const definition = mapOf({ ResultWriter: { ...aMap.ResultWriter, Parameters } });
    const failed = { status: 'FAILED', error: 'States.ResultWriterFailed' };
    expect(await run(definition, '1')).toMatchObject(failed);
  });

  it('does not hide the failure of the ItemReader that came first', async () => {
    const Parameters = { Bucket: 'no-such-bucket', Prefix: 'x' };
    const definition = mapOf({ ResultWriter: { ...aMap.ResultWriter, Parameters } });
    expect(await run(definition, 'no JSON')).toMatchObject({ error: 'States.ItemReaderFailed' });
  });

  it('fails with States.Runtime when its prefix is no string', async () => {
    const Parameters = { Bucket: 'work', 'Prefix.$': '$.fixed' };
    const definition = mapOf({ ResultWriter: { ...aMap.ResultWriter, Parameters } });
    expect(await run(definition, '1')).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  });

  it('leaves nothing in the folder for temporary files', async () => {
    let during: string[] = [];
    const runTask = async () => {
      during = await readdir(tmpdir());
    };
    await run(mapOf(writerTo('clean')), '1', { runTask });
    expect(during).toEqual([expect.stringMatching(/^map-run-/)]);
    expect(await readdir(tmpdir())).toEqual([]);
  });
});

describe('the ItemReader', () => {
  const inputsOf = (children: ChildEvent[]) => children.map(({ input }) => (input as { item: unknown }).item);
  const inOrder = mapOf({ MaxConcurrency: 1 });

  it.each<[string, string, unknown[]]>([
    ['one value a line', '{"a":1}\n{"a":"ü"}\n', [{ a: 1 }, { a: 'ü' }]],
    ['a last line without an end', '1\n2', [1, 2]],
    ['blank lines', '1\n\n  \n2\n', [1, 2]],
    ['carriage returns', '1\r\n2\r\n', [1, 2]],
    ['nothing', '', []],
  ])('reads %s', async (_what, text, items) => {
    const { status, children } = await run(inOrder, text);
    expect([status, inputsOf(children)]).toEqual(['SUCCEEDED', items]);
  });

  it('reads a character that two chunks share', async () => {
    const text = Buffer.from('"ü"\n"€"');
    const { children } = await run(
      inOrder,
      [...text].map((byte) => Uint8Array.of(byte)),
    );
    expect(inputsOf(children)).toEqual(['ü', '€']);
  });

  it.each<[string, Partial<StateMachineHost> & { text?: string | Uint8Array[] }]>([
    ['a broken line', { text: '{"a":1}\n{"a":' }],
    ['bytes that are not UTF-8', { text: [Uint8Array.of(0x22, 0xff, 0x22)] }],
    ['a character that is cut off', { text: [Uint8Array.of(0x35, 0xc3)] }],
    [
      'a stream that breaks off',
      {
        async *readObject() {
          yield Buffer.from('1\n2');
          throw new Error('socket hang up');
        },
      },
    ],
  ])('fails with States.ItemReaderFailed on %s, whatever failures are tolerated', async (_what, given) => {
    const { text = '', ...host } = given;
    expect(await run(mapOf({ ToleratedFailurePercentage: 100 }), text, host)).toMatchObject({
      status: 'FAILED',
      error: 'States.ItemReaderFailed',
      cause: expect.stringContaining('s3://work/items.jsonl'),
    });
  });

  it('passes item, execution and data to the ItemSelector', async () => {
    const ItemSelector = {
      'whole.$': '$$.Map.Item.Value',
      'part.$': '$$.Map.Item.Value.n',
      'job.$': '$$.Execution.Name',
      'fixed.$': '$.fixed',
    };
    const { children } = await run(mapOf({ ItemSelector, MaxConcurrency: 1 }), linesOf([{ n: 1 }, { n: 2 }]));
    expect(children.map(({ input }) => input)).toEqual(
      [1, 2].map((n) => ({ whole: { n }, part: n, job: 'job-1', fixed: 1 })),
    );
  });
});

describe('tolerated failures', () => {
  it.each([
    [0, 0, 'SUCCEEDED'],
    [0, 1, 'FAILED'],
    [30, 3, 'SUCCEEDED'],
    [30, 4, 'FAILED'],
    [100, 10, 'SUCCEEDED'],
  ])('of %i %% and %i of 10 failed end %s', async (ToleratedFailurePercentage, bad, status) => {
    const items = Array.from({ length: 10 }, (_, n) => (n < bad ? `bad ${n}` : `good ${n}`));
    const definition = mapOf({ ToleratedFailurePercentage });
    expect(await run(definition, linesOf(items), { runTask: failOnBad })).toMatchObject({ status });
  });
});

describe('children', () => {
  it.each<[number, number | undefined, number]>([
    [3, undefined, 3],
    [100, undefined, 40],
    [100, 5, 5],
  ])('run at once as MaxConcurrency %i and %s on this machine allow', async (MaxConcurrency, maxChildren, most) => {
    let running = 0;
    let peak = 0;
    const runTask = async () => {
      peak = Math.max(peak, ++running);
      await new Promise((done) => setTimeout(done, 5));
      running--;
    };
    const items = Array.from({ length: 60 }, (_, n) => n);
    await run(mapOf({ MaxConcurrency }), linesOf(items), { runTask, maxChildren });
    expect(peak).toBe(most);
  });

  it('are executions of their own, with retries, catches and loops', async () => {
    const attempts = new Map<string, number>();
    const runTask: StateMachineHost['runTask'] = async ({ state, parameters }) => {
      const { id, left } = parameters as { id: string; left: number };
      const attempt = (attempts.get(`${state} ${id}`) ?? 0) + 1;
      attempts.set(`${state} ${id}`, attempt);
      if (state === 'OnFargate') return { left: 0 };
      if (id === 'throttled' && attempt === 1) throw new StatesError('Lambda.TooManyRequestsException', 'slow down');
      if (id === 'crashing') throw new StatesError('Runtime.ExitError', '{"errorType":"Runtime.ExitError"}');
      return { left: left - 1 };
    };
    const retry = { IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 2, MaxDelaySeconds: 5 };
    const Retry = [{ ErrorEquals: ['Lambda.TooManyRequestsException'], ...retry, JitterStrategy: 'FULL' }];
    const states = {
      OnLambda: {
        Type: 'Task',
        Resource: 'arn:lambda',
        Parameters: { 'id.$': '$.id', 'left.$': '$.left' },
        ResultPath: '$.result',
        Retry,
        Catch: [{ ErrorEquals: ['Runtime.ExitError'], ResultPath: '$.failure', Next: 'OnFargate' }],
        Next: 'Done?',
      },
      'Done?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.result.left', NumericEquals: 0, Next: 'Done' }],
        Default: 'Record',
      },
      Record: { Type: 'Pass', Parameters: { 'id.$': '$.id', 'left.$': '$.result.left' }, Next: 'OnLambda' },
      OnFargate: { Type: 'Task', Resource: 'arn:ecs', ResultPath: '$.result', Next: 'Done' },
      Done: { Type: 'Succeed' },
    };
    const items = [
      { id: 'short', left: 1 },
      { id: 'long', left: 3 },
      { id: 'throttled', left: 1 },
      { id: 'crashing', left: 1 },
    ];
    const ItemSelector = { 'id.$': '$$.Map.Item.Value.id', 'left.$': '$$.Map.Item.Value.left' };
    const definition = mapOf({ ItemProcessor: child(states), ItemSelector });
    const { status, children } = await run(definition, linesOf(items), { runTask });
    expect(status).toBe('SUCCEEDED');
    const outputs = children.map((event) => 'output' in event && event.output);
    expect(outputs).toContainEqual({ id: 'long', left: 1, result: { left: 0 } });
    const failure = { Error: 'Runtime.ExitError', Cause: '{"errorType":"Runtime.ExitError"}' };
    expect(outputs).toContainEqual({ id: 'crashing', left: 1, failure, result: { left: 0 } });
    expect(Object.fromEntries(attempts)).toEqual({
      'OnLambda short': 1,
      'OnLambda long': 3,
      'OnLambda throttled': 2,
      'OnLambda crashing': 1,
      'OnFargate crashing': 1,
    });
  });

  it('have name and start of their own', async () => {
    const Parameters = { 'name.$': '$$.Execution.Name' };
    const ItemProcessor = child({ Name: { Type: 'Pass', Parameters, End: true } });
    const { children } = await run(mapOf({ ItemProcessor }), '1\n2');
    const named = children.map((event) => 'output' in event && (event.output as { name: string }).name);
    expect(new Set(named).size).toBe(2);
    for (const name of named) expect(name).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('fail when their input is larger than an execution takes', async () => {
    const huge = linesOf([{ a: 'x'.repeat(300_000) }]);
    const ItemProcessor = child({ Small: { Type: 'Pass', Result: 1, End: true } });
    const { children } = await run(mapOf({ ItemProcessor }), huge);
    expect(children).toMatchObject([{ status: 'FAILED', error: 'States.DataLimitExceeded' }]);
    const small = await run(mapOf({ ItemSelector: { small: true } }), huge);
    expect(small).toMatchObject({ status: 'SUCCEEDED', children: [{ input: { small: true } }] });
  });

  it('do not start with an item that was read after the execution was stopped', async () => {
    const stop = new AbortController();
    const readObject = async function* () {
      yield Buffer.from('1\n');
      await new Promise((done) => stop.signal.addEventListener('abort', done));
      yield Buffer.from('2\n3\n');
    };
    // Later, when the other worker waits for the second item.
    const runTask = async () => {
      await new Promise((done) => setTimeout(done, 20));
      stop.abort();
    };
    const host = { readObject, runTask, signal: stop.signal };
    await run(mapOf({ ...writerTo('late'), MaxConcurrency: 2 }), '', host);
    const { failed, pending } = await resultsBelow('late');
    expect(failed.map(({ Input }) => Input)).toEqual(['{"item":1}']);
    expect(pending.map(({ Input }) => Input)).toEqual(['{"item":2}', '{"item":3}']);
  });

  it('end before an execution that was stopped ends', async () => {
    const stop = new AbortController();
    let running = 0;
    const runTask: StateMachineHost['runTask'] = async ({ signal }) => {
      running++;
      if (running === 2) stop.abort();
      if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done));
      running--;
    };
    const definition = mapOf({ ...writerTo('stopped'), MaxConcurrency: 2 });
    const { status } = await run(definition, linesOf([1, 2, 3, 4]), { runTask, signal: stop.signal });
    expect([status, running]).toEqual(['ABORTED', 0]);
    const { failed, pending } = await resultsBelow('stopped');
    expect(failed.map(({ Status }) => Status)).toEqual(['ABORTED', 'ABORTED']);
    expect(pending).toHaveLength(2);
  });
});
