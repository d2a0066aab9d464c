import type { StateOf } from './definition.ts';
import { type Execution, throwIfAborted } from './execution.ts';
import { limitPayload, StatesError } from './states-error.ts';

/** Runs one attempt at a Task state. @throws StatesError, ExecutionAborted, and whatever the host throws */
export async function runTask(
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
