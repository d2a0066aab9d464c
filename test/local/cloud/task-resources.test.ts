import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LambdaHost } from '../../../local/cloud/lambda-host.ts';
import type { ContainerOptions } from '../../../local/cloud/run-fargate-task.ts';
import { createTaskResources, TASK_PARAMETERS } from '../../../local/cloud/task-resources.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';
import { aMachine } from '../../support/state-machines.ts';

let folder: string;
const log: string[] = [];

/** A container whose environment chooses what it does. */
const PROGRAM = `
  // Before the first line of the log, which tests wait for.
  process.on('SIGTERM', () => process.env.IGNORE_SIGTERM || process.exit(Number(process.env.CLOSED_CODE ?? 0)));
  console.log(JSON.stringify({ ref: process.env.BATCH_REF, bucket: process.env.JOB_BUCKET, stray: process.env.STRAY }));
  if (process.env.SIGNAL) process.kill(process.pid, process.env.SIGNAL);
  else if (process.env.WAIT_MS) setTimeout(() => process.exit(0), Number(process.env.WAIT_MS));
  else process.exit(Number(process.env.CODE ?? 0));
`;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'task-resources-'));
  await writeFile(path.join(folder, 'main.mjs'), PROGRAM);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const echo: LambdaHost = {
  invoke: async (functionName, payload) => ({ functionName, payload }),
  close: async () => {},
};

function resources(fargate: Partial<ContainerOptions> = {}) {
  log.length = 0;
  const program = pathToFileURL(path.join(folder, 'main.mjs'));
  const environment = { JOB_BUCKET: 'from the task definition' };
  return createTaskResources({
    lambda: echo,
    fargate: { program, environment, onLog: (line) => log.push(line), ...fargate },
  });
}

function invoke(parameters: unknown) {
  const task = { state: 'One', resource: 'arn:aws:states:::lambda:invoke', parameters };
  return resources()({ ...task, signal: new AbortController().signal });
}

function runTask(environment: Record<string, string>, signal = new AbortController().signal, run = resources()) {
  const Environment = Object.entries(environment).map(([Name, Value]) => ({ Name, Value }));
  const parameters = {
    Cluster: 'press',
    TaskDefinition: 'compress-batch:1',
    Overrides: { ContainerOverrides: [{ Name: 'compress-batch', Environment }] },
  };
  return run({ state: 'One', resource: 'arn:aws:states:::ecs:runTask.sync', parameters, signal });
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(
    () => expect.fail('succeeded'),
    (thrown: Error) => thrown,
  );
  return { name: error.name, message: error.message, task: () => JSON.parse(error.message) };
}

describe('lambda:invoke', () => {
  it.each([
    'plan-job',
    'plan-job:$LATEST',
    'arn:aws:lambda:us-east-1:000000000000:function:plan-job',
    'arn:aws:lambda:us-east-1:000000000000:function:plan-job:live',
  ])('finds the function by %s and answers as Lambda', async (FunctionName) => {
    expect(await invoke({ FunctionName, Payload: { n: 1 } })).toEqual({
      ExecutedVersion: '$LATEST',
      Payload: { functionName: 'plan-job', payload: { n: 1 } },
      StatusCode: 200,
    });
  });

  it('refuses a call without a function', async () => {
    await expect(invoke({ Payload: {} })).rejects.toMatchObject({ name: 'States.Runtime' });
  });
});

describe('ecs:runTask.sync', () => {
  it('runs the container with its own and the overriding environment and answers the stopped task', async () => {
    process.env.STRAY = 'not for the task';
    const task = await runTask({ BATCH_REF: '{"batchId":"b"}' });
    delete process.env.STRAY;
    expect(task).toMatchObject({
      ClusterArn: expect.stringMatching(/:cluster\/press$/),
      Containers: [{ ExitCode: 0, LastStatus: 'STOPPED', Name: 'compress-batch' }],
      LaunchType: 'FARGATE',
      StartedBy: 'AWS Step Functions',
      StopCode: 'EssentialContainerExited',
      StoppedReason: 'Essential container in task exited',
      TaskArn: expect.stringMatching(/^arn:aws:ecs:.+:task\/press\/[0-9a-f]{32}$/),
      TaskDefinitionArn: expect.stringMatching(/:task-definition\/compress-batch:1$/),
    });
    expect(log.map((line) => JSON.parse(line))).toEqual([
      { ref: '{"batchId":"b"}', bucket: 'from the task definition' },
    ]);
  });

  it('prefers overrides to the task definition', async () => {
    await runTask({ JOB_BUCKET: 'overridden' });
    expect(JSON.parse(log[0]!)).toEqual({ bucket: 'overridden' });
  });

  it.each([
    [{ CODE: '1' }, 1],
    [{ SIGNAL: 'SIGKILL' }, 137],
  ])('fails with States.TaskFailed and the task as its cause: %j gives exit code %i', async (environment, code) => {
    const { name, task } = await failureOf(runTask(environment));
    expect(name).toBe('States.TaskFailed');
    expect(task()).toMatchObject({
      StopCode: 'EssentialContainerExited',
      Containers: [{ ExitCode: code }],
    });
  });

  it('sends SIGTERM to a task that is stopped, and waits for it', async () => {
    const stop = new AbortController();
    const work = failureOf(runTask({ WAIT_MS: '60000', CLOSED_CODE: '5' }, stop.signal));
    await expect.poll(() => log.length).toBe(1);
    stop.abort();
    const { name, task } = await work;
    expect(name).toBe('States.TaskFailed');
    expect(task()).toMatchObject({ StopCode: 'UserInitiated', Containers: [{ ExitCode: 5 }] });
  });

  it('kills a task that ignores SIGTERM', async () => {
    const stop = new AbortController();
    const run = resources({ stopTimeoutSeconds: 0.1 });
    const work = failureOf(runTask({ WAIT_MS: '60000', IGNORE_SIGTERM: '1' }, stop.signal, run));
    await expect.poll(() => log.length).toBe(1);
    stop.abort();
    expect((await work).task()).toMatchObject({ Containers: [{ ExitCode: 137 }] });
  });

  it('does not start what was stopped while it waited', async () => {
    const stop = new AbortController();
    const run = resources();
    const first = runTask({ WAIT_MS: '150' }, undefined, run);
    const second = failureOf(runTask({}, stop.signal, run));
    stop.abort();
    expect((await second).task()).toMatchObject({ StopCode: 'UserInitiated' });
    await first;
    expect(log).toHaveLength(1);
  });

  it('refuses overrides of more than 8,192 characters, as ECS does', async () => {
    const { name, message } = await failureOf(runTask({ BATCH_REF: 'x'.repeat(8_192) }));
    expect(name).toBe('ECS.InvalidParameterException');
    expect(message).toMatch(/at most 8192/);
    expect(log).toEqual([]);
  });

  it('reports a program that cannot be started', async () => {
    const program = pathToFileURL(path.join(folder, 'not-here.mjs'));
    const { name } = await failureOf(runTask({}, undefined, resources({ program })));
    expect(name).toBe('States.TaskFailed');
  });
});

const run = (Resource: string, Parameters: object) => {
  const definition = aMachine({ Notify: { Type: 'Task', Resource, Parameters, End: true } });
  const identity = { stateMachineName: 'm', executionName: 'e', startedAt: new Date() };
  const unused = { s3: undefined as never, readObject: undefined as never };
  const host = { ...unused, resources: TASK_PARAMETERS, runTask: resources() };
  return runStateMachine(definition, {}, identity, host);
};
const invokes = (more: object) =>
  run('arn:aws:states:::lambda:invoke', { FunctionName: 'plan-job', 'Payload.$': '$', ...more });
const runs = (more: object) => run('arn:aws:states:::ecs:runTask.sync', { TaskDefinition: 'batch', ...more });

it.each<[work: () => Promise<unknown>, message: string]>([
  [
    () => run('arn:aws:states:::sns:publish', {}),
    'Notify: Resource "arn:aws:states:::sns:publish": expected arn:aws:states:::lambda:invoke or arn:aws:states:::ecs:runTask.sync',
  ],
  [() => invokes({ InvocationType: 'DryRun' }), 'Notify: Parameters.InvocationType "DryRun": the field is'],
  [() => invokes({ Qualifier: '$LATEST' }), 'Notify: Parameters.Qualifier "$LATEST": the field is not'],
  [
    () => invokes({ FunctionName: 'report-jbo' }),
    'Notify: Parameters.FunctionName "report-jbo": expected one of plan-job, compress-batch, report-job',
  ],
  [() => runs({ Count: 2 }), 'Notify: Parameters.Count 2: the field is not supported'],
  [() => runs({ LaunchType: 'EC2' }), 'Notify: Parameters.LaunchType "EC2": the field is not supported'],
  [
    () => runs({ CapacityProviderStrategy: [{ 'CapacityProvider.$': '$.a', Weight: 0 }] }),
    'Notify: Parameters.CapacityProviderStrategy.0.Weight 0: expected 1',
  ],
  [
    () => runs({ Overrides: { ContainerOverrides: [{ Name: 'a', Command: ['b'], Cpu: 256 }] } }),
    'Notify: Parameters.Overrides.ContainerOverrides.0.Cpu 256: the field is not supported',
  ],
])('refuses what it would not run as AWS does before it runs anything: %s', async (work, message) => {
  await expect(work()).rejects.toThrow(message);
  expect(log).toEqual([]);
});
