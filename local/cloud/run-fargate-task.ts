import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { StatesError } from '../step-functions/states-error.ts';
import { bareEnvironment, forwardLines } from './process-lines.ts';

export interface ContainerOptions {
  /** The program that is the container's entry point. */
  readonly program: URL;
  /** The task definition's environment; a request's overrides are added to it. */
  readonly environment: Readonly<Record<string, string>>;
  /** From SIGTERM to SIGKILL. Default 30, as Fargate's stopTimeout. */
  readonly stopTimeoutSeconds?: number;
  readonly onLog: (line: string) => void;
}

const environment = z.array(z.strictObject({ Name: z.string(), Value: z.string() }));
const container = z.strictObject({ Name: z.string(), Environment: environment.optional() });
const network = z.strictObject({
  Subnets: z.array(z.string()),
  SecurityGroups: z.array(z.string()).optional(),
  AssignPublicIp: z.literal('ENABLED').optional(),
});

/** The Parameters of `ecs:runTask.sync`: those that change what a process does, and those without effect on it. */
export const runTaskParameters = z.strictObject({
  Cluster: z.string().default('default'),
  TaskDefinition: z.string(),
  CapacityProviderStrategy: z
    .tuple([z.strictObject({ CapacityProvider: z.string(), Weight: z.literal(1) })])
    .optional(),
  PropagateTags: z.literal('TASK_DEFINITION').optional(),
  NetworkConfiguration: z.strictObject({ AwsvpcConfiguration: network }).optional(),
  Overrides: z.strictObject({ ContainerOverrides: z.tuple([container]) }).optional(),
});
type RunTaskRequest = z.infer<typeof runTaskParameters>;

const MAX_OVERRIDES_CHARACTERS = 8192;

/**
 * Runs `ecs:runTask.sync` locally: each task is a process with the container's environment. The result has the shape
 * of DescribeTasks, which carries no data of the program.
 * @throws StatesError `States.TaskFailed` with that shape as its cause when the exit code is not 0 or the task was
 *   stopped by `signal`; `ECS.InvalidParameterException` when the overrides are larger than ECS allows
 */
export function createRunTask(options: ContainerOptions) {
  // One task at a time, because a task uses all cores.
  let previous: Promise<unknown> = Promise.resolve();
  return async (request: RunTaskRequest, signal: AbortSignal): Promise<unknown> => {
    checkOverrides(request);
    const run = previous.then(async () => {
      const task = describeTask(request, await runProcess(request, options, signal));
      if (task.Containers[0].ExitCode === 0 && task.StopCode === 'EssentialContainerExited') return task;
      throw new StatesError('States.TaskFailed', JSON.stringify(task));
    });
    previous = run.catch(() => {});
    return run;
  };
}

function checkOverrides({ Overrides }: RunTaskRequest): void {
  const characters = JSON.stringify(Overrides ?? {}).length;
  if (characters <= MAX_OVERRIDES_CHARACTERS) return;
  const cause = `Container Overrides length must be at most ${MAX_OVERRIDES_CHARACTERS}: it is ${characters}.`;
  throw new StatesError('ECS.InvalidParameterException', cause);
}

interface Stopped {
  readonly startedAt: Date;
  /** Absent when the program never started. */
  readonly exitCode?: number;
  readonly reason: string;
  readonly code: 'EssentialContainerExited' | 'TaskFailedToStart' | 'UserInitiated';
}

async function runProcess(request: RunTaskRequest, options: ContainerOptions, signal: AbortSignal): Promise<Stopped> {
  const startedAt = new Date();
  if (signal.aborted) return { startedAt, reason: 'Stopped before it began', code: 'UserInitiated' };
  // A process group of its own: Ctrl-C reaches only the parent, which sends SIGTERM to the task.
  const child = spawn(process.execPath, [fileURLToPath(options.program)], {
    env: { ...bareEnvironment(), ...options.environment, ...overridesOf(request) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  });
  forwardLines([child.stdout, child.stderr], options.onLog);
  const release = killWith(child, signal, (options.stopTimeoutSeconds ?? 30) * 1000);
  return new Promise<Stopped>((resolve) => {
    child.once('error', ({ message }) => resolve({ startedAt, reason: message, code: 'TaskFailedToStart' }));
    child.once('close', (exit, killedBy) => {
      const exitCode = exit ?? 128 + (killedBy ? constants.signals[killedBy] : 0);
      resolve({ startedAt, exitCode, ...(signal.aborted ? STOPPED : ENDED) });
    });
  }).finally(release);
}

const STOPPED = { reason: 'Task stopped by Step Functions', code: 'UserInitiated' } as const;
const ENDED = { reason: 'Essential container in task exited', code: 'EssentialContainerExited' } as const;

/** SIGTERM when `signal` fires, SIGKILL after the timeout or with this process. @returns what removes the listeners */
function killWith(child: ChildProcess, signal: AbortSignal, timeoutMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  const kill = () => void child.kill('SIGKILL');
  const stop = () => {
    child.kill('SIGTERM');
    timer = setTimeout(kill, timeoutMs);
  };
  signal.addEventListener('abort', stop, { once: true });
  process.once('exit', kill);
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    process.off('exit', kill);
  };
}

function overridesOf({ Overrides }: RunTaskRequest): Record<string, string> {
  const variables = Overrides?.ContainerOverrides.flatMap(({ Environment }) => Environment ?? []) ?? [];
  return Object.fromEntries(variables.map(({ Name, Value }) => [Name, Value]));
}

function describeTask(request: RunTaskRequest, end: Stopped) {
  const { Cluster, TaskDefinition, Overrides } = request;
  const home = 'arn:aws:ecs:us-east-1:000000000000';
  const TaskArn = `${home}:task/${Cluster}/${randomUUID().replaceAll('-', '')}`;
  const arnOf = (kind: string, name: string) => (name.startsWith('arn:') ? name : `${home}:${kind}/${name}`);
  const container = {
    ContainerArn: `${home}:container/${randomUUID()}`,
    ...(end.exitCode === undefined ? {} : { ExitCode: end.exitCode }),
    LastStatus: 'STOPPED',
    Name: Overrides?.ContainerOverrides[0].Name ?? 'container',
    TaskArn,
  };
  return {
    ClusterArn: arnOf('cluster', Cluster),
    Containers: [container] as const,
    DesiredStatus: 'STOPPED',
    LastStatus: 'STOPPED',
    LaunchType: 'FARGATE',
    Overrides: Overrides ?? {},
    StartedAt: end.startedAt.getTime(),
    StartedBy: 'AWS Step Functions',
    StopCode: end.code,
    StoppedAt: Date.now(),
    StoppedReason: end.reason,
    TaskArn,
    TaskDefinitionArn: arnOf('task-definition', TaskDefinition),
  };
}
