import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { StatesError } from '../step-functions/states-error.ts';
import { bareEnvironment, forwardLines } from './process-lines.ts';

export interface ContainerOptions {
  /** The program that is the container's entry point. */
  readonly program: URL;
  /** The task definition's environment; a request's overrides are added to it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Tasks at once on this machine; further ones wait. Default 1: a task uses all cores. */
  readonly tasksAtOnce?: number;
  /** From SIGTERM to SIGKILL. Default 30, as Fargate's stopTimeout. */
  readonly stopTimeoutSeconds?: number;
  readonly onLog: (line: string) => void;
}

/** The Parameters of `ecs:runTask.sync`, as far as they matter here. */
export interface RunTaskRequest {
  readonly Cluster?: string;
  readonly TaskDefinition?: string;
  readonly Overrides?: {
    readonly ContainerOverrides?: readonly {
      readonly Name?: string;
      readonly Environment?: readonly { readonly Name: string; readonly Value: string }[];
    }[];
  };
}

const MOST_OVERRIDES_CHARACTERS = 8192;

/**
 * A stand-in for `ecs:runTask.sync`: each task is a process with the container's environment.
 * It answers the stopped task in the shape of DescribeTasks, which carries no data of the program.
 * @throws StatesError `States.TaskFailed` with that shape as its cause when the exit code is not 0 or the task was
 *   stopped by `signal`; `ECS.InvalidParameterException` when the overrides are larger than ECS takes
 */
export function createRunTask(
  options: ContainerOptions,
): (request: RunTaskRequest, signal: AbortSignal) => Promise<unknown> {
  const turn = createTurns(options.tasksAtOnce ?? 1);
  return async (request, signal) => {
    checkOverrides(request);
    return turn(async () => {
      const task = describeTask(request, await runProcess(request, options, signal));
      if (task.Containers[0].ExitCode === 0 && task.StopCode === 'EssentialContainerExited') return task;
      throw new StatesError('States.TaskFailed', JSON.stringify(task));
    });
  };
}

function checkOverrides({ Overrides = {} }: RunTaskRequest): void {
  const characters = JSON.stringify(Overrides).length;
  if (characters <= MOST_OVERRIDES_CHARACTERS) return;
  throw new StatesError(
    'ECS.InvalidParameterException',
    `Container Overrides length must be at most ${MOST_OVERRIDES_CHARACTERS}: it is ${characters}.`,
  );
}

interface Stopped {
  readonly exitCode: number | undefined;
  readonly startedAt: Date;
  readonly reason: string;
  readonly code: 'EssentialContainerExited' | 'TaskFailedToStart' | 'UserInitiated';
}

function runProcess(
  request: RunTaskRequest,
  options: ContainerOptions,
  signal: AbortSignal,
): Promise<Stopped> {
  const startedAt = new Date();
  if (signal.aborted) {
    const stopped = {
      exitCode: undefined,
      startedAt,
      reason: 'Stopped before it began',
      code: 'UserInitiated',
    };
    return Promise.resolve(stopped as Stopped);
  }
  // A group of its own: Ctrl-C is the parent's to hear, and reaches the task as SIGTERM.
  const child = spawn(process.execPath, [fileURLToPath(options.program)], {
    env: { ...bareEnvironment(), ...options.environment, ...overridesOf(request) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  });
  forwardLines([child.stdout, child.stderr], options.onLog);
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    killer = setTimeout(() => child.kill('SIGKILL'), (options.stopTimeoutSeconds ?? 30) * 1000);
  };
  signal.addEventListener('abort', stop, { once: true });
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  return new Promise<Stopped>((resolve) => {
    child.once('error', ({ message }) => {
      resolve({ exitCode: undefined, startedAt, reason: message, code: 'TaskFailedToStart' });
    });
    child.once('close', (exit, killedBy) => {
      const exitCode = exit ?? 128 + constants.signals[killedBy!];
      const reason = signal.aborted ? 'Task stopped by Step Functions' : 'Essential container in task exited';
      resolve({
        exitCode,
        startedAt,
        reason,
        code: signal.aborted ? 'UserInitiated' : 'EssentialContainerExited',
      });
    });
  }).finally(() => {
    clearTimeout(killer);
    signal.removeEventListener('abort', stop);
    process.off('exit', orphan);
  });
}

function overridesOf({ Overrides }: RunTaskRequest): Record<string, string> {
  const environment =
    Overrides?.ContainerOverrides?.flatMap((container) => container.Environment ?? []) ?? [];
  return Object.fromEntries(environment.map(({ Name, Value }) => [Name, Value]));
}

function describeTask(
  { Cluster = 'default', TaskDefinition = 'local', Overrides = {} }: RunTaskRequest,
  end: Stopped,
) {
  const home = 'arn:aws:ecs:us-east-1:000000000000';
  const TaskArn = `${home}:task/${Cluster}/${randomUUID().replaceAll('-', '')}`;
  const StoppedAt = Date.now();
  const container = {
    ContainerArn: `${home}:container/${randomUUID()}`,
    ...(end.exitCode === undefined ? {} : { ExitCode: end.exitCode }),
    LastStatus: 'STOPPED',
    Name: Overrides.ContainerOverrides?.[0]?.Name ?? 'container',
    TaskArn,
  };
  return {
    ClusterArn: Cluster.startsWith('arn:') ? Cluster : `${home}:cluster/${Cluster}`,
    Containers: [container] as const,
    DesiredStatus: 'STOPPED',
    LastStatus: 'STOPPED',
    LaunchType: 'FARGATE',
    Overrides,
    StartedAt: end.startedAt.getTime(),
    StartedBy: 'AWS Step Functions',
    StopCode: end.code,
    StoppedAt,
    StoppedReason: end.reason,
    TaskArn,
    TaskDefinitionArn: TaskDefinition.startsWith('arn:')
      ? TaskDefinition
      : `${home}:task-definition/${TaskDefinition}`,
  };
}

/** Runs work in its turn, `atOnce` at a time. */
function createTurns(atOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= atOnce) await new Promise<void>((go) => waiting.push(go));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
