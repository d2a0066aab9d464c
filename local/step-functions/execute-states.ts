import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine, State, StateOf } from './definition.ts';
import { runDistributedMap } from './distributed-map.ts';
import { countEvents, type Execution, ExecutionAborted, throwIfAborted } from './execution.ts';
import { type Path, readPath, type Scope, writePath } from './paths.ts';
import { findCatcher, RetryPolicy } from './retry-and-catch.ts';
import { limitPayload, StatesError } from './states-error.ts';

/** Runs a machine's states from StartAt to an end and returns the output. @throws StatesError, ExecutionAborted */
export async function executeStates(machine: Machine, input: unknown, execution: Execution): Promise<unknown> {
  let name: string | undefined = machine.StartAt;
  let data = input;
  while (name !== undefined) {
    const state: State | undefined = machine.States[name];
    if (!state) throw new StatesError('States.Runtime', `The state '${name}' does not exist.`);
    countEvents(execution, state.Type === 'Task' ? 5 : 2);
    const { output, next }: Outcome = await visitState({ name, state, input: data, execution });
    limitPayload(output, `output of the state '${name}'`);
    name = next;
    data = output;
  }
  return data;
}

interface Visit<S = State> {
  readonly name: string;
  readonly state: S;
  readonly input: unknown;
  readonly execution: Execution;
}

interface Outcome {
  readonly output: unknown;
  /** Undefined: the execution ends here. */
  readonly next: string | undefined;
}

async function visitState(visit: Visit): Promise<Outcome> {
  const { state, execution } = visit;
  const retries = new RetryPolicy('Retry' in state ? state.Retry : []);
  for (;;) {
    throwIfAborted(execution);
    try {
      return await attemptState(visit);
    } catch (error) {
      if (error instanceof ExecutionAborted) throw error;
      const delaySeconds = retries.next((error as Error).name);
      if (delaySeconds === undefined) return catchError(visit, error as Error);
      const delayMs = delaySeconds * 1000 * (execution.host.retryScale ?? 1);
      await sleep(delayMs, undefined, { signal: execution.signal }).catch(() => throwIfAborted(execution));
      countEvents(execution, 3);
    }
  }
}

function catchError({ state, input }: Visit, error: Error): Outcome {
  const catcher = findCatcher('Catch' in state ? state.Catch : [], error.name);
  if (!catcher) throw error;
  const caught = { Error: error.name, Cause: error.message };
  return { output: writePath(catcher.ResultPath, input, caught), next: catcher.Next };
}

async function attemptState(visit: Visit): Promise<Outcome> {
  const { state, input, execution } = visit;
  const scope = { data: input, context: execution.context };
  switch (state.Type) {
    case 'Task':
      return attemptTask({ ...visit, state }, scope);
    case 'Pass': {
      const result = state.Result === undefined ? state.Parameters(scope) : state.Result;
      return { output: writePath(state.ResultPath, input, result), next: state.Next };
    }
    case 'Map': {
      const result = await runDistributedMap(state, scope, execution, executeStates);
      return { output: writePath(state.ResultPath, input, result), next: state.Next };
    }
    case 'Choice':
      return { output: input, next: state.Choices.find(({ holds }) => holds(scope))?.next ?? state.Default };
    case 'Succeed':
      return { output: input, next: undefined };
    case 'Fail':
      throw new StatesError(readString(state.ErrorPath, scope), readString(state.CausePath, scope));
  }
}

async function attemptTask({ name, state, input, execution }: Visit<StateOf<'Task'>>, scope: Scope): Promise<Outcome> {
  const result = await runTask(state, name, state.Parameters(scope), execution);
  const selected = state.ResultSelector({ ...scope, data: result });
  const merged = writePath(state.ResultPath, input, selected);
  return { output: readPath(state.OutputPath, { ...scope, data: merged }), next: state.Next };
}

/** Runs one attempt at a Task state. @throws StatesError, ExecutionAborted, and whatever the host throws */
async function runTask(
  state: StateOf<'Task'>,
  name: string,
  parameters: unknown,
  execution: Execution,
): Promise<unknown> {
  limitPayload(parameters, `input of the task '${name}'`);
  const deadline = startDeadline(execution.signal, state.TimeoutSeconds);
  const task = { resource: state.Resource, state: name, parameters, signal: deadline.signal };
  try {
    const result = await Promise.race([execution.host.runTask(task), deadline.passed]);
    return limitPayload(JSON.parse(JSON.stringify(result ?? null)), `result of the task '${name}'`);
  } finally {
    deadline.clear();
    // A stopped execution is ABORTED even if its last task still returned a result.
    throwIfAborted(execution);
  }
}

/** Without TimeoutSeconds there is none: AWS's own default is three years. */
function startDeadline(outer: AbortSignal, seconds: number | undefined) {
  const late = new AbortController();
  const { promise: passed, reject } = Promise.withResolvers<never>();
  if (seconds === undefined) return { signal: outer, passed, clear: () => {} };
  const timer = setTimeout(() => {
    late.abort();
    reject(new StatesError('States.Timeout', `The task did not end within ${seconds} seconds.`));
  }, seconds * 1000);
  return { signal: AbortSignal.any([outer, late.signal]), passed, clear: () => clearTimeout(timer) };
}

function readString(path: Path, scope: Scope): string {
  const value = readPath(path, scope);
  if (typeof value === 'string') return value;
  throw new StatesError('States.Runtime', `${path.text} must be a string, not ${JSON.stringify(value)}.`);
}
