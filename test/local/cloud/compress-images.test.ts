import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TASK_PARAMETERS } from '../../../local/cloud/task-resources.ts';
import { startS3Server } from '../../../local/s3/s3-server.ts';
import type { ChildEvent, StateTask } from '../../../local/step-functions/execution.ts';
import { readDefinition } from '../../../local/step-functions/read-definition.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';
import { StatesError } from '../../../local/step-functions/states-error.ts';
import { createS3Store } from '../../../src/store/s3-store.ts';
import { clientOf } from '../../support/served-bucket.ts';

let folder: string;
let server: Awaited<ReturnType<typeof startS3Server>>;
let s3: S3Client;
let text: string;

beforeAll(async () => {
  text = await readFile(new URL('../../../statemachines/compress-images.asl.yml', import.meta.url), 'utf8');
  folder = await mkdtemp(path.join(tmpdir(), 'compress-images-'));
  const work = { folder: path.join(folder, 'work'), state: path.join(folder, 'state') };
  server = await startS3Server({ buckets: { work } });
  s3 = clientOf(server.endpoint);
});

afterAll(async () => {
  s3.destroy();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

type Batch = { batchId: string; host: 'lambda' | 'fargate'; count: number };

/** What each host does when it is called; by default everything works at once. */
interface World {
  readonly batches?: readonly Batch[];
  /** batches.jsonl as PlanJob writes it; by default one line per batch. */
  readonly lines?: string;
  readonly fargate?: boolean;
  readonly plan?: () => unknown;
  readonly onLambda?: (batch: Batch, call: number) => unknown;
  readonly onFargate?: (batch: Batch, call: number, provider: string) => unknown;
  readonly report?: (event: { executionState: { failure?: { Error: string } } }) => unknown;
}

/** Runs the project's definition with the hosts of `world` and records their calls. */
async function run({ batches = [], fargate = true, ...world }: World) {
  const jobId = `job-${crypto.randomUUID()}`;
  const lines = world.lines ?? batches.map((batch) => JSON.stringify({ jobId, ...batch })).join('\n');
  const Key = `jobs/${jobId}/batches.jsonl`;
  const calls: string[] = [];
  const children: ChildEvent[] = [];
  const count = (name: string) => calls.filter((call) => call === name).length;

  const onLambda = async (name: string, payload: never) => {
    if (name === 'plan-job') {
      calls.push('plan');
      const plan = world.plan?.() ?? { batches: batches.length || 1 };
      await s3.send(new PutObjectCommand({ Bucket: 'work', Key, Body: Buffer.from(lines) }));
      return plan;
    }
    if (name === 'report-job') {
      calls.push('report');
      return world.report?.(payload) ?? { status: 'SUCCEEDED' };
    }
    const batch = payload as Batch;
    calls.push(`lambda ${batch.batchId}`);
    return world.onLambda?.(batch, count(`lambda ${batch.batchId}`)) ?? { batchId: batch.batchId, remaining: 0 };
  };
  const onFargate = async (parameters: never) => {
    const { Overrides, CapacityProviderStrategy } = parameters as {
      Overrides: { ContainerOverrides: [{ Environment: { Name: string; Value: string }[] }] };
      CapacityProviderStrategy: [{ CapacityProvider: string }];
    };
    const [{ Environment }] = Overrides.ContainerOverrides;
    expect(Environment).toContainEqual({ Name: 'JOB_BUCKET', Value: 'work' });
    const batch: Batch = JSON.parse(Environment.find(({ Name }) => Name === 'BATCH_REF')!.Value);
    const provider = CapacityProviderStrategy[0].CapacityProvider;
    calls.push(`${provider} ${batch.batchId}`);
    return world.onFargate?.(batch, count(`${provider} ${batch.batchId}`), provider) ?? { TaskArn: 'arn:task' };
  };
  const runTask = async ({ resource, parameters }: StateTask) => {
    if (resource !== 'arn:aws:states:::lambda:invoke') return onFargate(parameters as never);
    const { FunctionName, Payload } = parameters as { FunctionName: string; Payload: unknown };
    return {
      ExecutedVersion: '$LATEST',
      Payload: await onLambda(FunctionName, Payload as never),
      StatusCode: 200,
    };
  };

  const names = {
    nameOf: (logicalId: string) => (logicalId === 'OutputBucket' ? 'work' : logicalId),
    holds: (condition: string) => condition === 'NetworkIsOwn' || fargate,
  };
  const identity = { stateMachineName: 'image-press', executionName: jobId, startedAt: new Date() };
  const host = {
    s3,
    readObject: createS3Store(s3).read,
    resources: TASK_PARAMETERS,
    runTask,
    retryScale: 0,
    onChild: (event: ChildEvent) => void children.push(event),
  };
  const result = await runStateMachine(readDefinition(text, names), { fileList: 's3://a/b' }, identity, host);
  return { result, calls, children };
}

const batch = (batchId: string, host: Batch['host'] = 'lambda', count = 10): Batch => ({
  batchId,
  host,
  count,
});

function fail(name: string, errorMessage = 'message'): never {
  throw new StatesError(name, JSON.stringify({ errorType: name, errorMessage, trace: [] }));
}

describe('the definition of the job, as the local interpreter runs it', () => {
  it('plans, compresses each batch on its host and reports', async () => {
    const batches = [batch('a'), batch('b', 'fargate'), batch('quote " and \\')];
    const { result, calls, children } = await run({ batches });
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { status: 'SUCCEEDED' } });
    expect(calls.toSorted()).toEqual(['FARGATE_SPOT b', 'lambda a', 'lambda quote " and \\', 'plan', 'report']);
    expect(children.map((child) => 'output' in child && child.output)).toContainEqual({ batchId: 'b' });
  });

  it('reports at once when a resumed job finds nothing left to do', async () => {
    const { result, calls } = await run({
      lines: 'nothing that a map could read',
      plan: () => ({ batches: 0 }),
    });
    expect(result.status).toBe('SUCCEEDED');
    expect(calls).toEqual(['plan', 'report']);
  });

  it('calls again while images remain', async () => {
    const onLambda = ({ batchId }: Batch, call: number) => ({ batchId, remaining: [7, 3, 0][call - 1] });
    const { result, calls } = await run({ batches: [batch('a')], onLambda });
    expect(result.status).toBe('SUCCEEDED');
    expect(calls.filter((call) => call === 'lambda a')).toHaveLength(3);
  });

  it('moves a batch that makes no progress to Fargate', async () => {
    const onLambda = ({ batchId }: Batch) => ({ batchId, remaining: 10 });
    const { calls } = await run({ batches: [batch('a')], onLambda });
    expect(calls).toEqual(['plan', 'lambda a', 'FARGATE_SPOT a', 'report']);
  });

  it.each([
    'Sandbox.Timedout',
    'Runtime.ExitError',
    'Lambda.Unknown',
    'TimeoutError',
    'Runtime.OutOfMemory',
  ])('sends a batch whose Lambda failed with %s to Fargate', async (name) => {
    const { calls, children } = await run({ batches: [batch('a')], onLambda: () => fail(name) });
    expect(calls).toEqual(['plan', 'lambda a', 'FARGATE_SPOT a', 'report']);
    expect(children).toMatchObject([{ status: 'SUCCEEDED' }]);
  });

  it('keeps trying on Lambda, up to a limit, where there is no Fargate', async () => {
    const onLambda = () => fail('Runtime.ExitError');
    const { result, calls, children } = await run({
      batches: [batch('a', 'fargate')],
      fargate: false,
      onLambda,
    });
    expect(calls.filter((call) => call === 'lambda a').length).toBe(25);
    expect(children).toMatchObject([{ status: 'FAILED', error: 'Runtime.ExitError' }]);
    expect(calls.at(-1)).toBe('report');
    expect(result.status).toBe('SUCCEEDED');
  });

  it('waits where Lambda throttles', async () => {
    const onLambda = ({ batchId }: Batch, call: number) =>
      call < 5 ? fail('Lambda.TooManyRequestsException') : { batchId, remaining: 0 };
    const { calls, children } = await run({ batches: [batch('a')], onLambda });
    expect(calls.filter((call) => call === 'lambda a')).toHaveLength(5);
    expect(children).toMatchObject([{ status: 'SUCCEEDED' }]);
  });

  it('switches to on-demand Fargate when Spot tasks keep failing', async () => {
    const onFargate = (_batch: Batch, _call: number, provider: string) =>
      provider === 'FARGATE' ? { TaskArn: 'arn:task' } : fail('States.TaskFailed');
    const { calls, children } = await run({ batches: [batch('a', 'fargate')], onFargate });
    expect(calls.filter((call) => call === 'FARGATE_SPOT a').length).toBeGreaterThan(1);
    expect(calls.filter((call) => call === 'FARGATE a')).toHaveLength(1);
    expect(children).toMatchObject([{ status: 'SUCCEEDED' }]);
  });

  it('reports when batches were lost, too', async () => {
    const onLambda = ({ batchId }: Batch) => (batchId === 'a' ? fail('TypeError') : { batchId, remaining: 0 });
    let executionState: unknown;
    const report = (event: { executionState: unknown }) => {
      executionState = event.executionState;
      return { status: 'SUCCEEDED' };
    };
    const { children, calls } = await run({ batches: [batch('a'), batch('b')], onLambda, report });
    expect(children.map(({ status }) => status).sort()).toEqual(['FAILED', 'SUCCEEDED']);
    expect(calls.at(-1)).toBe('report');
    expect(executionState).toMatchObject({ mapRun: { ResultWriterDetails: { Bucket: 'work' } } });
  });

  it('reports even when the map itself failed, and passes the failure to the report', async () => {
    let failure: unknown;
    const report = (event: { executionState: { failure?: unknown } }) => {
      failure = event.executionState.failure;
      return { status: 'SUCCEEDED' };
    };
    const { calls } = await run({ lines: 'not JSON', report });
    expect(calls).toEqual(['plan', 'report']);
    expect(failure).toMatchObject({
      Error: 'States.ItemReaderFailed',
      Cause: expect.stringContaining('batches.jsonl'),
    });
  });

  it('ends FAILED with the count and the report when too many images failed', async () => {
    const report = () => ({
      status: 'FAILED',
      cause: '3 of 10 images failed.',
      report: 's3://work/report.json',
    });
    expect((await run({ report })).result).toMatchObject({
      status: 'FAILED',
      error: 'ImagesFailed',
      cause: '3 of 10 images failed. Report in s3://work/report.json',
    });
  });

  it('refuses a bad list at once, with the message of the check', async () => {
    const { result, calls } = await run({
      plan: () => fail('FileListError', 'Expected "s3://…" at batch_1[3]'),
    });
    expect(result).toMatchObject({
      status: 'FAILED',
      error: 'FileListError',
      cause: 'Expected "s3://…" at batch_1[3]',
    });
    expect(calls).toEqual(['plan']);
  });

  it('ends FAILED when planning or reporting breaks', async () => {
    expect((await run({ plan: () => fail('TypeError') })).result).toMatchObject({
      status: 'FAILED',
      error: 'TypeError',
    });
    expect((await run({ report: () => fail('TypeError') })).result).toMatchObject({
      status: 'FAILED',
      error: 'TypeError',
    });
  });
});
