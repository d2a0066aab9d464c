import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseNext } from './choose-next.ts';
import { type Definition, isDistributed, processorOf, type State } from './definition.ts';
import { runDistributedMap } from './distributed-map.ts';
import { findCatcher, RetryPolicy } from './retry-and-catch.ts';
import type { StateMachineHost } from './run-state-machine.ts';
import { fillTemplate, readPath, type Scope, writePath } from './state-data.ts';
import { limitPayload, StatesError } from './states-error.ts';

/** One execution under way: the parent's, or that of a child of a Distributed Map. */
export interface Execution {
  readonly host: StateMachineHost;
  /** The context object without `State`, which each visit adds. */
  readonly context: Readonly<Record<string, unknown>>;
  /** Aborted: no further state is entered, and running tasks are told. */
  readonly signal: AbortSignal;
  /** Shared with the branches of a Parallel and the iterations of an inline Map, as on AWS. */
  readonly history: { events: number };
}

/** Thrown out of an execution that was stopped. No Retry and no Catch sees it. */
export class ExecutionAborted extends Error {
  override readonly name = 'ExecutionAborted';
}

/** Runs a definition's states from StartAt to an end and returns the output. @throws StatesError, ExecutionAborted */
export async function executeStates(
  definition: Definition,
  input: unknown,
  execution: Execution,
): Promise<unknown> {
  let name = definition.StartAt;
  let data = input;
  for (;;) {
    const state = definition.States[name]!;
    countEvents(execution, state.Type === 'Task' ? 5 : 2);
    const { output, next } = await visitState({ name, state, input: data, execution });
    limitPayload(output, `output of the state '${name}'`);
    if (next === undefined) return output;
    name = next;
    data = output;
  }
}

interface Visit {
  readonly name: string;
  readonly state: State;
  readonly input: unknown;
  readonly execution: Execution;
}

interface Outcome {
  readonly output: unknown;
  /** Undefined: the execution ends here. */
  readonly next: string | undefined;
}

async function visitState(visit: Visit): Promise<Outcome> {
  const retries = new RetryPolicy(visit.state);
  const enteredAt = new Date().toISOString();
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(visit.execution);
    const context = {
      ...visit.execution.context,
      State: { EnteredTime: enteredAt, Name: visit.name, RetryCount: attempt },
    };
    try {
      return await attemptState(visit, context);
    } catch (error) {
      if (error instanceof ExecutionAborted) throw error;
      const delaySeconds = retries.next((error as Error).name);
      if (delaySeconds === undefined) return catchError(visit, error as Error);
      await pause(delaySeconds * (visit.execution.host.retryScale ?? 1), visit.execution.signal);
      countEvents(visit.execution, 3);
    }
  }
}

function catchError({ state, input }: Visit, error: Error): Outcome {
  const catcher = findCatcher(state, error.name);
  if (!catcher) throw error;
  const caught = { Error: error.name, Cause: error.message };
  return { output: applyResultPath(catcher.ResultPath, input, caught), next: catcher.Next };
}

async function attemptState(visit: Visit, context: object): Promise<Outcome> {
  const { state, input } = visit;
  const data = selectPath(state.InputPath, { data: input, context });
  const isTemplated = 'Parameters' in state && state.Type !== 'Map';
  const effective = isTemplated ? fillTemplate(state.Parameters, { data, context }) : data;
  const scope = { data: effective, context };
  if (state.Type === 'Choice') {
    return { output: selectPath(state.OutputPath, scope), next: chooseNext(state, scope) };
  }
  const result = await ACTIONS[state.Type](visit, scope);
  const selected =
    'ResultSelector' in state ? fillTemplate(state.ResultSelector, { data: result, context }) : result;
  const merged = applyResultPath(state.ResultPath, input, selected);
  return { output: selectPath(state.OutputPath, { data: merged, context }), next: state.Next };
}

/** `null` discards what there is: AWS hands on an empty object. */
function selectPath(path: string | null | undefined, scope: Scope): unknown {
  if (path === null) return {};
  return path === undefined ? scope.data : readPath(path, scope);
}

function applyResultPath(path: string | null | undefined, input: unknown, result: unknown): unknown {
  if (path === null) return input;
  return path === undefined ? result : writePath(path, input, result);
}

type Action = (visit: Visit, scope: Scope) => unknown;

const ACTIONS: Readonly<Record<Exclude<State['Type'], 'Choice'>, Action>> = {
  Task: runTask,
  Pass: ({ state }, { data }) => ('Result' in state ? state.Result : data),
  Wait: waitAsTold,
  Succeed: (_visit, { data }) => data,
  Fail: failAsTold,
  Parallel: runBranches,
  Map: (visit, scope) =>
    isDistributed(visit.state)
      ? runDistributedMap({ ...visit, scope, executeStates })
      : runIterations(visit, scope),
};

async function runTask({ name, state, execution }: Visit, scope: Scope): Promise<unknown> {
  limitPayload(scope.data, `input of the task '${name}'`);
  const deadline = startDeadline(execution.signal, timeoutSecondsOf(state, scope));
  const task = { resource: state.Resource!, state: name, parameters: scope.data, signal: deadline.signal };
  try {
    const result = await Promise.race([execution.host.runTask(task), deadline.passed]);
    const json = JSON.stringify(result ?? null);
    return limitPayload(JSON.parse(json), `result of the task '${name}'`);
  } finally {
    deadline.clear();
    // A stopped execution is ABORTED, whatever its last task still answered.
    throwIfAborted(execution);
  }
}

function throwIfAborted({ signal }: Execution): void {
  if (signal.aborted) throw new ExecutionAborted();
}

/** Without the field a task may take as long as it likes: AWS's own default is three years. */
function timeoutSecondsOf(state: State, scope: Scope): number | undefined {
  return state.TimeoutSecondsPath ? Number(readPath(state.TimeoutSecondsPath, scope)) : state.TimeoutSeconds;
}

/** Timers hold 2^31 - 1 ms: a longer time has no meaning for a process and is taken as none. */
const LONGEST_TIMER_MS = 2_147_483_647;

function startDeadline(outer: AbortSignal, seconds: number | undefined) {
  if (seconds === undefined || seconds * 1000 > LONGEST_TIMER_MS) {
    return { signal: outer, passed: new Promise<never>(() => {}), clear: () => {} };
  }
  const late = new AbortController();
  const { promise: passed, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.abort();
    reject(new StatesError('States.Timeout', `The task did not end within ${seconds} seconds.`));
  }, seconds * 1000);
  return { signal: AbortSignal.any([outer, late.signal]), passed, clear: () => clearTimeout(timer) };
}

async function waitAsTold({ state, execution }: Visit, scope: Scope): Promise<unknown> {
  const seconds = state.SecondsPath ? Number(readPath(state.SecondsPath, scope)) : state.Seconds;
  const until = state.TimestampPath ? String(readPath(state.TimestampPath, scope)) : state.Timestamp;
  await pause(seconds ?? (Date.parse(until!) - Date.now()) / 1000, execution.signal);
  return scope.data;
}

function failAsTold({ state }: Visit, scope: Scope): never {
  const error = state.ErrorPath ? readPath(state.ErrorPath, scope) : state.Error;
  const cause = state.CausePath ? readPath(state.CausePath, scope) : state.Cause;
  for (const [field, value] of Object.entries({ ErrorPath: error, CausePath: cause })) {
    if (value !== undefined && typeof value !== 'string') {
      throw new StatesError(
        'States.Runtime',
        `${field} must point to a string, not to ${JSON.stringify(value)}.`,
      );
    }
  }
  throw new StatesError((error as string) ?? '', (cause as string) ?? '');
}

async function runBranches({ state, execution }: Visit, { data }: Scope): Promise<unknown> {
  const branches = state.Branches!;
  return runTogether(branches, branches.length, execution, (branch, together) =>
    executeStates(branch, data, together),
  );
}

const MOST_INLINE_ITERATIONS = 40;

async function runIterations({ name, state, execution }: Visit, scope: Scope): Promise<unknown> {
  const items = state.ItemsPath ? readPath(state.ItemsPath, scope) : scope.data;
  if (!Array.isArray(items))
    throw new StatesError('States.Runtime', `The items of the Map '${name}' are no array.`);
  const wanted = state.MaxConcurrencyPath ? readPath(state.MaxConcurrencyPath, scope) : state.MaxConcurrency;
  const width = Math.min(Number(wanted ?? 0) || MOST_INLINE_ITERATIONS, MOST_INLINE_ITERATIONS);
  return runTogether(items, width, execution, (item, together, index) => {
    const selector = state.ItemSelector ?? state.Parameters;
    const context = { ...execution.context, Map: { Item: { Index: index, Value: item } } };
    const input = selector === undefined ? item : fillTemplate(selector, { data: scope.data, context });
    return executeStates(processorOf(state), input, { ...together, context });
  });
}

/** Runs parts of one execution side by side. The first failure stops the others and is the whole's failure. */
async function runTogether<Part>(
  parts: readonly Part[],
  width: number,
  execution: Execution,
  run: (part: Part, together: Execution, index: number) => Promise<unknown>,
): Promise<unknown[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([execution.signal, stop.signal]);
  setMaxListeners(0, signal);
  const outputs: unknown[] = new Array(parts.length).fill(null);
  const failures: unknown[] = [];
  const queue = parts.entries();
  const work = async () => {
    for (const [index, part] of queue) {
      if (signal.aborted) return;
      try {
        outputs[index] = await run(part, { ...execution, signal }, index);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  throwIfAborted(execution);
  if (failures.length > 0) throw failures[0];
  return outputs;
}

const MOST_HISTORY_EVENTS = 25_000;

/** A loop that never ends is ended here, as the limit on an execution's history would end it on AWS. */
function countEvents(execution: Execution, events: number): void {
  execution.history.events += events;
  if (execution.history.events <= MOST_HISTORY_EVENTS) return;
  const cause = `The execution reached the maximum number of history events (${MOST_HISTORY_EVENTS}).`;
  throw new StatesError('States.Runtime', cause);
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(Math.max(seconds * 1000, 0), LONGEST_TIMER_MS);
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new ExecutionAborted();
  }
}
