import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startS3Server } from '../../../local/s3/s3-server.ts';
import type { ChildEvent, MapRunEvent } from '../../../local/step-functions/distributed-map.ts';
import {
  runStateMachine,
  type StateMachineHost,
  StatesError,
} from '../../../local/step-functions/run-state-machine.ts';
import { clientOf } from '../../support/served-bucket.ts';

let folder: string;
let server: Awaited<ReturnType<typeof startS3Server>>;
let s3: S3Client;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'distributed-map-'));
  // Of this process alone: what lies there after a run was left by it.
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

const put = (Key: string, Body: string | Uint8Array) =>
  s3.send(new PutObjectCommand({ Bucket: 'work', Key, Body }));

async function get(Key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'work', Key }));
  return Body!.transformToString();
}

const work = { StartAt: 'Work', States: { Work: { Type: 'Task', Resource: 'arn:work', End: true } } };

function mapOf(fields: object, processor: object = work) {
  const ProcessorConfig = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' };
  const Each = {
    Type: 'Map',
    Label: 'Each',
    ItemProcessor: { ProcessorConfig, ...processor },
    End: true,
    ...fields,
  };
  return { StartAt: 'Each', States: { Each, Caught: { Type: 'Succeed' } } };
}

const writerTo = (Prefix: string) => ({
  ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Parameters: { Bucket: 'work', Prefix } },
});

const readerOf = (Key: string, ReaderConfig: object) => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:getObject',
    Parameters: { Bucket: 'work', Key },
    ReaderConfig,
  },
});

async function run(definition: object, input: unknown, host: Partial<StateMachineHost> = {}) {
  const children: ChildEvent[] = [];
  const maps: MapRunEvent[] = [];
  const identity = { stateMachineName: 'press', executionName: 'job-1', startedAt: new Date() };
  const result = await runStateMachine(definition, input, identity, {
    s3,
    retryScale: 0.001,
    runTask: async ({ parameters }) => parameters,
    onChild: (event) => children.push(event),
    onMapRun: (event) => maps.push(event),
    ...host,
  });
  return { ...result, children, maps } as typeof result & {
    output: never;
    children: ChildEvent[];
    maps: MapRunEvent[];
  };
}

/** Items that say `bad` fail, all others give themselves back. */
const failOnBad: StateMachineHost['runTask'] = async ({ parameters }) => {
  if (JSON.stringify(parameters).includes('bad')) throw new StatesError('Runtime.ExitError', 'exit status 3');
  return parameters;
};

async function resultsOf(output: { MapRunArn: string; ResultWriterDetails: { Key: string } }) {
  const manifest = JSON.parse(await get(output.ResultWriterDetails.Key));
  const read = async (status: string) => {
    const files: { Key: string; Size: number }[] = manifest.ResultFiles[status];
    const texts = await Promise.all(files.map(({ Key }) => get(Key)));
    expect(texts.map((text) => Buffer.byteLength(text))).toEqual(files.map(({ Size }) => Size));
    return texts.flatMap((text) => JSON.parse(text));
  };
  return {
    manifest,
    succeeded: await read('SUCCEEDED'),
    failed: await read('FAILED'),
    pending: await read('PENDING'),
  };
}

describe('the ResultWriter', () => {
  it('writes the layout and the fields that AWS writes', async () => {
    const definition = mapOf({
      ...writerTo('jobs/a/map-run'),
      ToleratedFailurePercentage: 100,
      MaxConcurrency: 1,
    });
    const { output, status } = await run(definition, [{ n: 1 }, { n: 'bad' }], { runTask: failOnBad });
    expect(status).toBe('SUCCEEDED');
    const { MapRunArn } = output as { MapRunArn: string };
    expect(MapRunArn).toMatch(/^arn:aws:states:us-east-1:\d{12}:mapRun:press\/Each:[0-9a-f-]{36}$/);
    const uuid = MapRunArn.split(':').at(-1);
    const at = `jobs/a/map-run/${uuid}`;
    expect(output).toEqual({
      MapRunArn,
      ResultWriterDetails: { Bucket: 'work', Key: `${at}/manifest.json` },
    });

    const { manifest, succeeded, failed } = await resultsOf(output);
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
        Input: '{"n":1}',
        Output: '{"n":1}',
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
        Input: '{"n":"bad"}',
        RedriveStatus: 'REDRIVABLE_BY_MAP_RUN',
        Status: 'FAILED',
      },
    ]);
  });

  it('accounts for what was never started after the threshold stopped the run', async () => {
    const items = ['a', 'bad', ...Array.from({ length: 50 }, (_, n) => `later ${n}`)];
    const definition = mapOf({
      ...writerTo('stop'),
      MaxConcurrency: 1,
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
    });
    const { output, children, maps } = await run(definition, items, { runTask: failOnBad });
    expect(output).toMatchObject({ Error: 'States.ExceedToleratedFailureThreshold' });
    expect(children).toHaveLength(2);
    expect(maps.at(-1)?.itemCounts).toEqual({
      total: 52,
      pending: 50,
      running: 0,
      succeeded: 1,
      failed: 1,
      aborted: 0,
    });
    const uuid = maps[0]!.mapRunArn.split(':').at(-1);
    const Key = `stop/${uuid}/manifest.json`;
    const { succeeded, failed, pending } = await resultsOf({ MapRunArn: '', ResultWriterDetails: { Key } });
    expect([succeeded.length, failed.length, pending.length]).toEqual([1, 1, 50]);
    expect(pending[0]).toEqual({ Input: '"later 0"', InputDetails: { Included: true }, Status: 'PENDING' });
  });

  it('writes children that were stopped as ABORTED', async () => {
    const definition = mapOf({ ...writerTo('aborted'), MaxConcurrency: 2 });
    const runTask: StateMachineHost['runTask'] = async ({ parameters, signal }) => {
      if (parameters === 'bad') throw new StatesError('Broken', '');
      await new Promise((done) => signal.addEventListener('abort', done));
    };
    const { children, maps } = await run(definition, ['slow', 'bad'], { runTask });
    expect(children.map(({ status }) => status).sort()).toEqual(['ABORTED', 'FAILED']);
    expect(maps.at(-1)?.itemCounts).toMatchObject({ aborted: 1, failed: 1 });
    const Key = `aborted/${maps[0]!.mapRunArn.split(':').at(-1)}/manifest.json`;
    const { failed } = await resultsOf({ MapRunArn: '', ResultWriterDetails: { Key } });
    expect(failed).toContainEqual(expect.objectContaining({ Status: 'ABORTED', Input: '"slow"' }));
    const broken = { Status: 'FAILED', Input: '"bad"', Error: 'Broken' };
    expect(failed).toContainEqual(expect.objectContaining(broken));
  });

  it.each([
    ['NONE', undefined, 3],
    ['COMPACT', [['a', 1], ['a', 2], 'b'], 3],
    ['FLATTEN', ['a', 1, 'a', 2, 'b'], 5],
  ])('writes with Transformation %s', async (Transformation, records, count) => {
    const { ResultWriter } = writerTo(`shape-${Transformation}`);
    const definition = mapOf({
      ResultWriter: { ...ResultWriter, WriterConfig: { Transformation, OutputType: 'JSON' } },
      MaxConcurrency: 1,
    });
    const { output } = await run(definition, [['a', 1], ['a', 2], 'b']);
    const { succeeded } = await resultsOf(output);
    expect(succeeded).toHaveLength(count);
    if (records) expect(succeeded).toEqual(records);
  });

  it('writes JSON Lines when told to', async () => {
    const { ResultWriter } = writerTo('lines');
    const WriterConfig = { Transformation: 'COMPACT', OutputType: 'JSONL' };
    const { output } = await run(
      mapOf({ ResultWriter: { ...ResultWriter, WriterConfig }, MaxConcurrency: 1 }),
      [1, { a: 2 }],
    );
    const { Key } = (output as { ResultWriterDetails: { Key: string } }).ResultWriterDetails;
    expect(await get(Key.replace('manifest.json', 'SUCCEEDED_0.jsonl'))).toBe('1\n{"a":2}\n');
  });

  it('fails with States.ResultWriterFailed where it cannot write', async () => {
    const ResultWriter = {
      Resource: 'arn:aws:states:::s3:putObject',
      Parameters: { Bucket: 'no-such-bucket', Prefix: 'x' },
    };
    expect(await run(mapOf({ ResultWriter }), [1])).toMatchObject({
      status: 'FAILED',
      error: 'States.ResultWriterFailed',
    });
  });

  it('leaves nothing in the folder for temporary files', async () => {
    let during: string[] = [];
    const runTask = async () => {
      during = await readdir(tmpdir());
    };
    await run(mapOf(writerTo('clean')), [1], { runTask });
    expect(during).toEqual([expect.stringMatching(/^map-run-/)]);
    expect(await readdir(tmpdir())).toEqual([]);
  });

  it('without one gives the outputs in the order of the items, and refuses too many of them', async () => {
    const runTask: StateMachineHost['runTask'] = async ({ parameters }) => {
      await new Promise((done) => setTimeout(done, 10 * Number(parameters)));
      return parameters;
    };
    expect((await run(mapOf({}), [3, 1, 2], { runTask })).output).toEqual([3, 1, 2]);
    const big = async () => 'x'.repeat(1000);
    const items = Array.from({ length: 300 }, (_, n) => n);
    expect(await run(mapOf({}), items, { runTask: big })).toMatchObject({
      status: 'FAILED',
      error: 'States.DataLimitExceeded',
    });
  });
});

describe('the ItemReader', () => {
  const rows = [
    { a: 'x', b: '1' },
    { a: 'ü,"', b: '' },
  ];
  const csv = '\uFEFFa,b\nx,1,surplus\n"ü,"""\n';

  it.each<[string, string | Uint8Array, object, unknown[]]>([
    ['list.jsonl', '{"a":1}\n\n{"a":"ü"}', { InputType: 'JSONL' }, [{ a: 1 }, { a: 'ü' }]],
    ['list.jsonl.gz', gzipSync('1\r\n2\r\n'), { InputType: 'JSONL' }, [1, 2]],
    ['list.jsonl.zst', zstdCompressSync('1\n2\n'), { InputType: 'JSONL' }, [1, 2]],
    ['list.json', '[1,{"a":[2]},null]', { InputType: 'JSON' }, [1, { a: [2] }, null]],
    ['empty.json', '[]', { InputType: 'JSON' }, []],
    ['deep-empty.json', '{"a":{}}', { InputType: 'JSON', ItemsPointer: '/a' }, []],
    [
      'object.json',
      '{"a":1,"b":[2]}',
      { InputType: 'JSON' },
      [
        { Key: 'a', Value: 1 },
        { Key: 'b', Value: [2] },
      ],
    ],
    [
      'deep.json',
      '{"x":[9],"a/b":{"list":[1,2]}}',
      { InputType: 'JSON', ItemsPointer: '/a~1b/list' },
      [1, 2],
    ],
    ['most.json', '[1,2,3,4]', { InputType: 'JSON', MaxItems: 2 }, [1, 2]],
    ['first-row.csv', csv, { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' }, rows],
    [
      'given.csv',
      'x|1\n',
      { InputType: 'CSV', CSVHeaderLocation: 'GIVEN', CSVHeaders: ['a', 'b'], CSVDelimiter: 'PIPE' },
      [{ a: 'x', b: '1' }],
    ],
  ])('reads %s', async (key, body, config, items) => {
    await put(`read/${key}`, body);
    expect((await run(mapOf(readerOf(`read/${key}`, config)), {})).output).toEqual(items);
  });

  it('lists objects as AWS shows them', async () => {
    await put('list/b', 'bb');
    await put('list/a', 'a');
    const ItemReader = {
      Resource: 'arn:aws:states:::s3:listObjectsV2',
      Parameters: { Bucket: 'work', 'Prefix.$': '$.prefix' },
    };
    const { output } = await run(mapOf({ ItemReader }), { prefix: 'list/' });
    const seconds = expect.toSatisfy((value) => Number.isInteger(value) && value > 1.6e9 && value < 1e10);
    expect(output).toEqual(
      ['list/a', 'list/b'].map((Key, n) => ({
        Etag: expect.stringMatching(/^".+"$/),
        Key,
        LastModified: seconds,
        Size: n + 1,
        StorageClass: 'STANDARD',
      })),
    );
  });

  it.each([
    ['nothing-here.jsonl', undefined, { InputType: 'JSONL' }],
    ['broken.jsonl', '{"a":1}\n{"a":', { InputType: 'JSONL' }],
    ['broken.json', '[1,2', { InputType: 'JSON' }],
    ['broken.jsonl.gz', gzipSync('1\n2\n3\n').subarray(0, 15), { InputType: 'JSONL' }],
    ['number.json', '5', { InputType: 'JSON' }],
    ['null.json', ' null', { InputType: 'JSON' }],
    ['no-such-place.json', '{"a":1}', { InputType: 'JSON', ItemsPointer: '/b' }],
  ])('fails with States.ItemReaderFailed on %s', async (key, body, config) => {
    if (body !== undefined) await put(`bad/${key}`, body);
    const { error, maps } = (await run(
      mapOf({ ...readerOf(`bad/${key}`, config), ToleratedFailurePercentage: 100 }),
      {},
    )) as never as { error: string; maps: MapRunEvent[] };
    expect(error).toBe('States.ItemReaderFailed');
    expect(maps.map(({ phase }) => phase)).toEqual(['started', 'ended']);
  });

  it('tells the ItemSelector of the item, its place and its source', async () => {
    await put('select.jsonl', '"x"\n"y"\n');
    const ItemSelector = {
      'i.$': '$$.Map.Item.Index',
      'v.$': '$$.Map.Item.Value',
      's.$': '$$.Map.Item.Source',
      'job.$': '$$.Execution.Name',
      'fixed.$': '$.fixed',
    };
    const { output } = await run(
      mapOf({ ...readerOf('select.jsonl', { InputType: 'JSONL' }), ItemSelector }),
      { fixed: 1 },
    );
    expect(output).toEqual(
      ['x', 'y'].map((v, i) => ({ i, v, s: 'S3://work/select.jsonl', job: 'job-1', fixed: 1 })),
    );
  });
});

describe('the ItemBatcher', () => {
  const items = Array.from({ length: 25 }, (_, n) => n);

  it('fills batches by count and adds BatchInput', async () => {
    const ItemBatcher = { MaxItemsPerBatch: 10, BatchInput: { 'job.$': '$$.Execution.Name' } };
    const { output, children } = await run(mapOf({ ItemBatcher, ItemsPath: '$.items' }), { items });
    expect(output).toEqual(
      [items.slice(0, 10), items.slice(10, 20), items.slice(20)].map((Items) => ({
        BatchInput: { job: 'job-1' },
        Items,
      })),
    );
    expect(children.map((child) => child.items).sort()).toEqual([10, 10, 5]);
  });

  it('never makes an input larger than the bytes allowed', async () => {
    const texts = items.map((n) => String(n).padStart(100, 'ü'));
    const ItemBatcher = { MaxInputBytesPerBatchPath: '$.most' };
    const { children } = await run(mapOf({ ItemBatcher, ItemsPath: '$.texts' }), { texts, most: 1000 });
    const sizes = children.map(({ input }) => Buffer.byteLength(JSON.stringify(input)));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(700);
    expect(children.reduce((sum, child) => sum + child.items, 0)).toBe(25);
  });
});

describe('tolerated failures', () => {
  const tenWithBad = (bad: number) =>
    Array.from({ length: 10 }, (_, n) => (n < bad ? `bad ${n}` : `good ${n}`));
  it.each<[object, number, string]>([
    [{}, 1, 'FAILED'],
    [{ ToleratedFailurePercentage: 0 }, 1, 'FAILED'],
    [{ ToleratedFailurePercentage: 30 }, 3, 'SUCCEEDED'],
    [{ ToleratedFailurePercentage: 30 }, 4, 'FAILED'],
    [{ ToleratedFailurePercentage: 100 }, 10, 'SUCCEEDED'],
    [{ ToleratedFailureCount: 2 }, 2, 'SUCCEEDED'],
    [{ ToleratedFailureCount: 2 }, 3, 'FAILED'],
    [{ ToleratedFailureCount: 9, ToleratedFailurePercentage: 20 }, 3, 'FAILED'],
    [{ ToleratedFailureCountPath: '$.most' }, 4, 'SUCCEEDED'],
    [{ ToleratedFailurePercentagePath: '$.most' }, 4, 'FAILED'],
  ])('with %j and %i of 10 failed ends %s', async (fields, bad, status) => {
    const definition = mapOf({ ...fields, ItemsPath: '$.items', ...writerTo('tolerance') });
    expect(await run(definition, { items: tenWithBad(bad), most: 4 }, { runTask: failOnBad })).toMatchObject({
      status,
    });
  });

  it('counts a failed batch with all its items', async () => {
    const definition = mapOf({ ItemBatcher: { MaxItemsPerBatch: 5 }, ToleratedFailurePercentage: 40 });
    const result = await run(definition, tenWithBad(1), { runTask: failOnBad });
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.ExceedToleratedFailureThreshold' });
  });

  it.each([
    [{ ToleratedFailurePercentagePath: '$.n' }, 101],
    [{ ToleratedFailureCountPath: '$.n' }, -1],
    [{ MaxConcurrencyPath: '$.n' }, 'many'],
  ])('refuses %j of %s', async (fields, n) => {
    const definition = mapOf({ ...fields, ItemsPath: '$.items' });
    expect(await run(definition, { items: [], n })).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
    });
  });
});

describe('children', () => {
  const cases: [fields: object, maxChildren: number | undefined, most: number][] = [
    [{ MaxConcurrency: 3 }, undefined, 3],
    [{ MaxConcurrencyPath: '$.most' }, undefined, 4],
    [{}, 5, 5],
    [{ MaxConcurrency: 100 }, 5, 5],
  ];
  it.each(
    cases,
  )('run at once as %j and %s children on this machine allow', async (fields, maxChildren, most) => {
    let running = 0;
    let peak = 0;
    const runTask = async () => {
      peak = Math.max(peak, ++running);
      await new Promise((done) => setTimeout(done, 5));
      running--;
    };
    const items = Array.from({ length: 30 }, (_, n) => n);
    await run(mapOf({ ...fields, ItemsPath: '$.items' }), { items, most: 4 }, { runTask, maxChildren });
    expect(peak).toBe(most);
  });

  it('are executions of their own, with retries, catches and loops inside', async () => {
    const attempts = new Map<string, number>();
    const runTask: StateMachineHost['runTask'] = async ({ state, parameters }) => {
      const { id, left } = parameters as { id: string; left: number };
      const attempt = (attempts.get(`${state} ${id}`) ?? 0) + 1;
      attempts.set(`${state} ${id}`, attempt);
      if (state === 'OnFargate') return { left: 0 };
      if (id === 'throttled' && attempt === 1)
        throw new StatesError('Lambda.TooManyRequestsException', 'slow down');
      if (id === 'deadly') throw new StatesError('Runtime.ExitError', '{"errorType":"Runtime.ExitError"}');
      return { left: left - 1 };
    };
    const parameters = { 'id.$': '$.id', 'left.$': '$.left' };
    const states = {
      OnLambda: {
        Type: 'Task',
        Resource: 'arn:lambda',
        Parameters: parameters,
        ResultSelector: { 'left.$': '$.left', 'child.$': '$$.Execution.Input' },
        ResultPath: '$.result',
        Retry: [{ ErrorEquals: ['Lambda.TooManyRequestsException'] }],
        Catch: [{ ErrorEquals: ['Runtime.ExitError'], ResultPath: '$.failure', Next: 'OnFargate' }],
        Next: 'More?',
      },
      'More?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.result.left', NumericGreaterThan: 0, Next: 'Note' }],
        Default: 'Done',
      },
      Note: { Type: 'Pass', Parameters: { 'id.$': '$.id', 'left.$': '$.result.left' }, Next: 'OnLambda' },
      OnFargate: {
        Type: 'Task',
        Resource: 'arn:ecs',
        Parameters: parameters,
        ResultPath: '$.result',
        Next: 'Done',
      },
      Done: { Type: 'Succeed' },
    };
    const items = [
      { id: 'short', left: 1 },
      { id: 'long', left: 3 },
      { id: 'throttled', left: 1 },
      { id: 'deadly', left: 1 },
    ];
    const { output, status } = await run(mapOf({}, { StartAt: 'OnLambda', States: states }), items, {
      runTask,
    });
    expect(status).toBe('SUCCEEDED');
    expect(output).toMatchObject([
      { id: 'short', result: { left: 0, child: { id: 'short', left: 1 } } },
      { id: 'long', result: { left: 0, child: { id: 'long', left: 3 } } },
      { id: 'throttled' },
      { id: 'deadly', failure: { Error: 'Runtime.ExitError', Cause: '{"errorType":"Runtime.ExitError"}' } },
    ]);
    expect(Object.fromEntries(attempts)).toEqual({
      'OnLambda short': 1,
      'OnLambda long': 3,
      'OnLambda throttled': 2,
      'OnLambda deadly': 1,
      'OnFargate deadly': 1,
    });
  });

  it('fail when their input is larger than an execution takes', async () => {
    await put('huge.jsonl', JSON.stringify({ a: 'x'.repeat(300_000) }));
    const reader = readerOf('huge.jsonl', { InputType: 'JSONL' });
    const { children } = await run(mapOf(reader), {});
    expect(children).toMatchObject([{ status: 'FAILED', error: 'States.DataLimitExceeded' }]);
    const ItemSelector = { small: true };
    expect(await run(mapOf({ ...reader, ItemSelector }), {})).toMatchObject({ output: [{ small: true }] });
  });

  it('end in good order when the execution is stopped', async () => {
    const stop = new AbortController();
    let running = 0;
    const runTask: StateMachineHost['runTask'] = async ({ signal }) => {
      running++;
      if (running === 2) stop.abort();
      if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done));
      running--;
    };
    const definition = mapOf({ ...writerTo('stopped'), MaxConcurrency: 2 });
    const { status, maps } = await run(definition, [1, 2, 3, 4], { runTask, signal: stop.signal });
    expect(status).toBe('ABORTED');
    expect(running).toBe(0);
    expect(maps.at(-1)?.itemCounts).toMatchObject({ total: 4, aborted: 2, pending: 2 });
  });
});
