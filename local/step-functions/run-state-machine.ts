import { setMaxListeners } from 'node:events';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Definition } from './definition.ts';
import { guardDefinition } from './definition-guard.ts';
import type { ChildEvent, MapRunEvent } from './distributed-map.ts';
import { ExecutionAborted, executeStates } from './execute-states.ts';
import { limitPayload, StatesError } from './states-error.ts';

export { StatesError } from './states-error.ts';

/** What the interpreter needs of the world around it. */
export interface StateMachineHost {
  /** Reads the items and writes the results of Distributed Maps. */
  readonly s3: S3Client;
  /**
   * Does the work of a Task state with its evaluated Parameters. A thrown error's `name` is what Retry and
   * Catch see, its `message` becomes the Cause. When `signal` fires the task should end soon: the
   * interpreter waits for it, so that nothing runs on after the execution ended.
   */
  runTask(task: StateTask): Promise<unknown>;
  onMapRun?(event: MapRunEvent): void;
  onChild?(event: ChildEvent): void;
  /** Children of a Distributed Map at once on this machine, whatever MaxConcurrency allows on AWS. Default 40. */
  readonly maxChildren?: number;
  /** Factor on the waits of Retry: tests use 0.001. */
  readonly retryScale?: number;
  /** Fires: the execution is stopped as by StopExecution. */
  readonly signal?: AbortSignal;
}

export interface StateTask {
  readonly resource: string;
  readonly state: string;
  readonly parameters: unknown;
  readonly signal: AbortSignal;
}

export interface ExecutionIdentity {
  readonly stateMachineName: string;
  readonly executionName: string;
  readonly startedAt: Date;
}

export type ExecutionResult = { readonly executionArn: string } & (
  | { readonly status: 'SUCCEEDED'; readonly output: unknown }
  | { readonly status: 'FAILED'; readonly error: string; readonly cause: string }
  | { readonly status: 'ABORTED' }
);

/**
 * Runs one execution of a state machine in this process, as Step Functions would.
 * A failed execution is a result; only a definition that cannot be run right throws.
 * @throws DefinitionError before any state is entered, naming every construct that is not run locally
 */
export async function runStateMachine(
  definition: unknown,
  input: unknown,
  identity: ExecutionIdentity,
  host: StateMachineHost,
): Promise<ExecutionResult> {
  guardDefinition(definition);
  const context = contextOf(identity, input);
  const executionArn = context.Execution.Id;
  const stop = stopSignal(definition, host.signal);
  try {
    limitPayload(input, 'input of the execution');
    const execution = { host, context, signal: stop.signal, history: { events: 0 } };
    const output = await executeStates(definition, input, execution);
    return { executionArn, status: 'SUCCEEDED', output };
  } catch (error) {
    const failure = stop.timedOut() ?? error;
    if (failure instanceof ExecutionAborted) return { executionArn, status: 'ABORTED' };
    const { name, message } = failure as Error;
    return { executionArn, status: 'FAILED', error: name, cause: message };
  }
}

const HOME = 'arn:aws:states:us-east-1:000000000000';

function contextOf({ stateMachineName, executionName, startedAt }: ExecutionIdentity, input: unknown) {
  return {
    Execution: {
      Id: `${HOME}:execution:${stateMachineName}:${executionName}`,
      Input: input,
      Name: executionName,
      RedriveCount: 0,
      RoleArn: 'arn:aws:iam::000000000000:role/local',
      StartTime: startedAt.toISOString(),
    },
    StateMachine: { Id: `${HOME}:stateMachine:${stateMachineName}`, Name: stateMachineName },
  };
}

function stopSignal({ TimeoutSeconds }: Definition, outer: AbortSignal | undefined) {
  const late = TimeoutSeconds === undefined ? undefined : AbortSignal.timeout(TimeoutSeconds * 1000);
  const signal = AbortSignal.any([outer, late].filter((one) => one !== undefined));
  setMaxListeners(0, signal);
  const timedOut = () =>
    late?.aborted && !outer?.aborted
      ? new StatesError('States.Timeout', `The execution did not end within ${TimeoutSeconds} seconds.`)
      : undefined;
  return { signal, timedOut };
}
