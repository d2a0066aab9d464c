import type { S3Client } from '@aws-sdk/client-s3';
import type { Context } from './paths.ts';
import { StatesError } from './states-error.ts';
import type { Resources } from './task-parameters.ts';

/** What the caller provides: storage, the work of Task states, and limits. */
export interface StateMachineHost {
  /** Receives the results of Distributed Maps. */
  readonly s3: S3Client;
  /** Reads the items of Distributed Maps. */
  readObject(location: { readonly bucket: string; readonly key: string }): AsyncIterable<Uint8Array>;
  readonly resources: Resources;
  /**
   * Does the work of a Task state with its evaluated Parameters. Retry and Catch compare the `name` of a thrown error;
   * its `message` becomes the Cause. When `signal` fires the task should end soon: a stopped execution waits for it,
   * so that nothing runs after the execution has ended.
   */
  runTask(task: StateTask): Promise<unknown>;
  /** A child execution of a Distributed Map ended. */
  onChild?(child: ChildEvent): void;
  /** Children that run at once on this machine, whatever MaxConcurrency allows on AWS. Default 40. */
  readonly maxChildren?: number;
  /** Factor on the waits of Retry: tests use 0.001. */
  readonly retryScale?: number;
  /** Stops the execution, as StopExecution does. */
  readonly signal?: AbortSignal;
}

export interface StateTask {
  readonly resource: string;
  readonly state: string;
  readonly parameters: unknown;
  readonly signal: AbortSignal;
}

export type ExecutionResult =
  | { readonly status: 'SUCCEEDED'; readonly output: unknown }
  | { readonly status: 'FAILED'; readonly error: string; readonly cause: string }
  | { readonly status: 'ABORTED' };

export type ChildEvent = ExecutionResult & { readonly input: unknown };

/** A running execution: the job's, or that of a child of a Distributed Map. */
export interface Execution {
  readonly host: StateMachineHost;
  readonly stateMachineName: string;
  readonly context: Context;
  /** Aborted: no further state is entered, and the signal of running tasks fires. */
  readonly signal: AbortSignal;
  readonly history: { events: number };
}

/** Thrown out of an execution that was stopped. No Retry and no Catch handles it. */
export class ExecutionAborted extends Error {
  override readonly name = 'ExecutionAborted';
}

export function throwIfAborted({ signal }: Execution): void {
  if (signal.aborted) throw new ExecutionAborted();
}

/** What an error that ended an execution means for its result. */
export function resultOfError(error: unknown): ExecutionResult {
  if (error instanceof ExecutionAborted) return { status: 'ABORTED' };
  const { name, message } = error as Error;
  return { status: 'FAILED', error: name, cause: message };
}

const MAX_HISTORY_EVENTS = 25_000;

/** Ends an endless loop where the limit on an execution's history would end it on AWS. @throws StatesError */
export function countEvents({ history }: Execution, events: number): void {
  history.events += events;
  if (history.events <= MAX_HISTORY_EVENTS) return;
  const cause = `The execution reached the maximum number of history events (${MAX_HISTORY_EVENTS}).`;
  throw new StatesError('States.Runtime', cause);
}
