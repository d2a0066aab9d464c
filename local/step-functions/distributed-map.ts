import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Machine, StateOf } from './definition.ts';
import { type Execution, type ExecutionResult, resultOfError, throwIfAborted } from './execution.ts';
import type { Context, Scope } from './paths.ts';
import { ResultWriter } from './result-writer.ts';
import { limitPayload, StatesError } from './states-error.ts';

type RunStates = (machine: Machine, input: unknown, execution: Execution) => Promise<unknown>;

/**
 * Runs a Distributed Map: every item is a child execution of its own, run by `runStates`. Results stream to the
 * ResultWriter; children that a failure or a stop left unstarted are written as PENDING.
 * @returns the output of the Map state
 * @throws StatesError States.ItemReaderFailed, States.ResultWriterFailed, States.ExceedToleratedFailureThreshold
 */
export async function runDistributedMap(
  state: StateOf<'Map'>,
  scope: Scope,
  execution: Execution,
  runStates: RunStates,
): Promise<unknown> {
  const run = openMapRun(state, scope, execution, runStates);
  const inputs = childInputs(run);
  try {
    await runChildren(run, inputs);
    await recordPending(run, inputs);
    const output = await closeResults(run);
    throwIfAborted(execution);
    if (run.failure) throw run.failure;
    return output;
  } finally {
    await inputs.return(undefined);
    run.results.discard();
  }
}

async function closeResults({ results, failure }: MapRun): Promise<unknown> {
  try {
    return await results.close();
  } catch (error) {
    // The first failure is the cause to report.
    throw failure ?? error;
  }
}

const ARN = 'arn:aws:states:us-east-1:000000000000';

type MapRun = ReturnType<typeof openMapRun>;

function openMapRun(state: StateOf<'Map'>, scope: Scope, execution: Execution, runStates: RunStates) {
  const stateMachineName = `${execution.stateMachineName}/${state.Label}`;
  const mapRunArn = `${ARN}:mapRun:${stateMachineName}:${randomUUID()}`;
  const { Bucket: bucket, Prefix: prefix } = state.ResultWriter.Parameters(scope);
  /** Fires when the run has failed. */
  const stop = new AbortController();
  /** Stops the children: the run has failed or its parent was stopped. */
  const signal = AbortSignal.any([execution.signal, stop.signal]);
  // Every child that waits for a retry adds a listener.
  setMaxListeners(0, signal);
  const results = new ResultWriter({ s3: execution.host.s3, mapRunArn, bucket, prefix });
  const progress = { failure: undefined as unknown, items: 0, isAllRead: false, failedItems: 0 };
  return { state, scope, execution, runStates, stateMachineName, results, signal, stop, ...progress };
}

function failRun(run: MapRun, error: unknown): void {
  run.failure ??= error;
  run.stop.abort();
}

/** The input of each child, as its worker asks for it. */
async function* childInputs(run: MapRun): AsyncGenerator<unknown> {
  const { state, scope } = run;
  for await (const item of readItems(run)) {
    run.items++;
    yield state.ItemSelector({ ...scope, context: { ...scope.context, item } });
  }
  run.isAllRead = true;
}

/**
 * Reads the items of a JSON Lines object one after the other; memory does not grow with their number.
 * @throws StatesError `States.ItemReaderFailed`
 */
async function* readItems({ state, scope, execution }: MapRun): AsyncGenerator<unknown> {
  const { Bucket: bucket, Key: key } = state.ItemReader.Parameters(scope);
  try {
    const lines = linesOf(execution.host.readObject({ bucket, key }));
    for await (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  } catch (error) {
    const { name, message } = error as Error;
    const place = `s3://${bucket}/${key}`;
    throw new StatesError('States.ItemReaderFailed', `Error while reading ${place}: ${name}: ${message}`);
  }
}

/** Not node:readline: it ends without an error where the stream broke, and the remaining items would be lost. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest + decoder.decode();
}

/** All workers take their next child from one generator, so it reads no faster than they work. */
async function runChildren(run: MapRun, inputs: AsyncGenerator<unknown>): Promise<void> {
  const work = async () => {
    while (!run.signal.aborted) {
      const { value: input, done } = await inputs.next();
      if (done) return;
      if (run.signal.aborted) await run.results.add({ status: 'PENDING', input });
      else await runChild(run, input);
    }
  };
  const width = Math.min(run.state.MaxConcurrency, run.execution.host.maxChildren ?? 40);
  await Promise.all(Array.from({ length: width }, () => work().catch((error) => failRun(run, error))));
  checkTolerance(run);
}

async function runChild(run: MapRun, input: unknown): Promise<void> {
  const { stateMachineName, execution } = run;
  const startedAt = new Date();
  const name = randomUUID();
  const result = await executeChild(run, { executionName: name, startedAt }, input);
  if (result.status === 'FAILED') run.failedItems++;
  const executionArn = `${ARN}:execution:${stateMachineName}:${name}`;
  const stateMachineArn = `${ARN}:stateMachine:${stateMachineName}`;
  const stoppedAt = new Date();
  await run.results.add({ executionArn, name, stateMachineArn, input, startedAt, stoppedAt, ...result });
  execution.host.onChild?.({ input, ...result });
  checkTolerance(run);
}

async function executeChild(
  { state, execution, stateMachineName, signal, runStates }: MapRun,
  context: Context,
  input: unknown,
): Promise<ExecutionResult> {
  const child = { host: execution.host, stateMachineName, context, signal, history: { events: 0 } };
  try {
    limitPayload(input, 'input of the child execution');
    return { status: 'SUCCEEDED', output: await runStates(state.ItemProcessor, input, child) };
  } catch (error) {
    return resultOfError(error);
  }
}

/** Stops the run as soon as it is certain that it has failed. */
function checkTolerance(run: MapRun): void {
  const { state, failedItems, items, isAllRead } = run;
  const tolerated = state.ToleratedFailurePercentage;
  // The number of items is known when the last one was read. No failure tolerated: the first one is too many.
  if (run.failure || (tolerated > 0 && !isAllRead) || failedItems * 100 <= tolerated * items) return;
  const cause = 'The specified tolerated failure threshold was exceeded';
  failRun(run, new StatesError('States.ExceedToleratedFailureThreshold', cause));
}

async function recordPending(run: MapRun, inputs: AsyncGenerator<unknown>): Promise<void> {
  if (!run.signal.aborted) return;
  try {
    for await (const input of inputs) await run.results.add({ status: 'PENDING', input });
  } catch (error) {
    run.failure ??= error;
  }
}
