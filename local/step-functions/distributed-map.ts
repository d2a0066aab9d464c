import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type Definition, processorOf, type State } from './definition.ts';
import { type Execution, ExecutionAborted } from './execute-states.ts';
import { readItems, sourceOf } from './read-items.ts';
import { collectResults, type ResultSink, writeResults } from './result-writer.ts';
import { fillTemplate, readPath, type Scope } from './state-data.ts';
import { limitPayload, MAX_PAYLOAD_BYTES, payloadBytes, StatesError } from './states-error.ts';

/** A Map Run began or ended. Counts are of items, as those of DescribeMapRun. */
export interface MapRunEvent {
  readonly phase: 'started' | 'ended';
  readonly state: string;
  readonly mapRunArn: string;
  readonly itemCounts: Readonly<ItemCounts>;
}

/** A child ended. */
export interface ChildEvent {
  readonly state: string;
  readonly mapRunArn: string;
  readonly executionArn: string;
  readonly status: 'SUCCEEDED' | 'FAILED' | 'ABORTED';
  readonly error?: string;
  readonly cause?: string;
  readonly input: unknown;
  readonly output?: unknown;
  /** How many items the child had. */
  readonly items: number;
  readonly durationMs: number;
}

export interface ItemCounts {
  total: number;
  pending: number;
  running: number;
  succeeded: number;
  failed: number;
  aborted: number;
}

export interface MapVisit {
  readonly name: string;
  readonly state: State;
  readonly execution: Execution;
  readonly scope: Scope;
  readonly executeStates: (states: Definition, input: unknown, execution: Execution) => Promise<unknown>;
}

/**
 * Runs a Map state of Mode DISTRIBUTED: every item (or batch of items) is an execution of its own.
 * Results stream to the ResultWriter; what a stop left unstarted is written as PENDING.
 * @returns the output of the Map state
 * @throws StatesError States.ItemReaderFailed, States.ResultWriterFailed, States.ExceedToleratedFailureThreshold
 */
export async function runDistributedMap(visit: MapVisit): Promise<unknown> {
  const run = await openMapRun(visit);
  const inputs = childInputs(run);
  try {
    report(run, 'started');
    await runChildren(run, inputs);
    await writePending(run, inputs);
    const output = await closeResults(run);
    report(run, 'ended');
    if (visit.execution.signal.aborted) throw new ExecutionAborted();
    if (run.failure) throw run.failure;
    return limitPayload(output, `output of the Map state '${visit.name}'`);
  } finally {
    await inputs.return(undefined);
    await run.results.discard();
  }
}

async function closeResults({ results, failure }: MapRun): Promise<unknown> {
  try {
    return await results.close();
  } catch (error) {
    // What failed first is the cause to be told.
    throw failure ?? error;
  }
}

interface MapRun extends MapVisit {
  readonly mapRunArn: string;
  readonly stateMachine: { readonly Id: string; readonly Name: string };
  readonly results: ResultSink;
  readonly width: number;
  readonly tolerated: Tolerance;
  readonly counts: ItemCounts;
  /** Stops the children when the run has failed or its parent was stopped. */
  readonly signal: AbortSignal;
  fail(error: unknown): void;
  failure: unknown;
  children: number;
  isAllRead: boolean;
}

interface Tolerance {
  readonly count: number | undefined;
  readonly percentage: number | undefined;
}

interface ChildInput {
  readonly input: unknown;
  readonly items: number;
}

async function openMapRun(visit: MapVisit): Promise<MapRun> {
  const { state, name, execution } = visit;
  const width = numberOf(visit, 'MaxConcurrency', 0, Number.POSITIVE_INFINITY) || MOST_CHILDREN;
  const tolerated = {
    count: numberOf(visit, 'ToleratedFailureCount', 0, Number.POSITIVE_INFINITY),
    percentage: numberOf(visit, 'ToleratedFailurePercentage', 0, 100),
  };
  const parent = execution.context.StateMachine as { Id: string; Name: string };
  const label = state.Label ?? name.replace(/[^\w-]/g, '').slice(0, 40);
  const stateMachine = { Id: `${parent.Id}/${label}`, Name: `${parent.Name}/${label}` };
  const mapRunArn = `${stateMachine.Id.replace(':stateMachine:', ':mapRun:')}:${randomUUID()}`;
  const stop = new AbortController();
  const signal = AbortSignal.any([execution.signal, stop.signal]);
  // Every child that waits for a retry listens.
  setMaxListeners(0, signal);
  const run: MapRun = {
    ...visit,
    mapRunArn,
    stateMachine,
    results: await openResults(visit, mapRunArn),
    width: Math.min(width, MOST_CHILDREN, execution.host.maxChildren ?? 40),
    tolerated,
    counts: { total: 0, pending: 0, running: 0, succeeded: 0, failed: 0, aborted: 0 },
    signal,
    failure: undefined,
    fail(error) {
      run.failure ??= error;
      stop.abort();
    },
    children: 0,
    isAllRead: false,
  };
  return run;
}

/** AWS runs at most this many children of one Map Run at once. */
const MOST_CHILDREN = 10_000;

async function openResults({ state, scope, execution }: MapVisit, mapRunArn: string): Promise<ResultSink> {
  const writer = state.ResultWriter;
  if (!writer?.Resource) return collectResults(writer?.WriterConfig);
  const parameters = fillTemplate(writer.Parameters, scope) as { Bucket: string; Prefix?: string };
  const { Bucket: bucket, Prefix: prefix = '' } = parameters;
  return writeResults({ s3: execution.host.s3, mapRunArn, bucket, prefix }, writer.WriterConfig);
}

type NumberField = 'MaxConcurrency' | 'ToleratedFailureCount' | 'ToleratedFailurePercentage';

function numberOf({ state, scope }: MapVisit, field: NumberField, least: number, most: number) {
  const path = state[`${field}Path`];
  const value = path === undefined ? state[field] : readPath(path, scope);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= least && value <= most) return value;
  const rule = most === Number.POSITIVE_INFINITY ? 'not be negative' : `be between ${least} and ${most}`;
  throw new StatesError('States.Runtime', `${field} must ${rule}, ${JSON.stringify(value)} given.`);
}

/** Some workers take their next child from one generator: it reads no faster than they work. */
async function runChildren(run: MapRun, inputs: AsyncGenerator<ChildInput>): Promise<void> {
  const work = async () => {
    while (!run.signal.aborted) {
      const next = await inputs.next();
      if (next.done) return;
      if (run.signal.aborted) await addPending(run, next.value);
      else await runChild(run, next.value);
    }
  };
  const workers = Array.from({ length: run.width }, () => work().catch(run.fail));
  await Promise.all(workers);
  judge(run);
}

async function runChild(run: MapRun, { input, items }: ChildInput): Promise<void> {
  const startedAt = new Date();
  const name = randomUUID();
  const executionArn = `${run.stateMachine.Id.replace(':stateMachine:', ':execution:')}:${name}`;
  const index = run.children++;
  run.counts.running += items;
  const ended = await executeChild(run, input, {
    Id: executionArn,
    Name: name,
    StartTime: startedAt.toISOString(),
  });
  const stoppedAt = new Date();
  run.counts.running -= items;
  run.counts[COUNTED_AS[ended.status]] += items;
  const stateMachineArn = run.stateMachine.Id;
  const child = { index, executionArn, name, stateMachineArn, input, startedAt, stoppedAt, ...ended };
  await run.results.add(child);
  run.execution.host.onChild?.({
    state: run.name,
    mapRunArn: run.mapRunArn,
    executionArn,
    input,
    items,
    durationMs: stoppedAt.getTime() - startedAt.getTime(),
    ...ended,
  });
  judge(run);
}

const COUNTED_AS = { SUCCEEDED: 'succeeded', FAILED: 'failed', ABORTED: 'aborted' } as const;

type Ended =
  | { readonly status: 'SUCCEEDED'; readonly output: unknown }
  | { readonly status: 'FAILED'; readonly error: string; readonly cause: string }
  | { readonly status: 'ABORTED' };

async function executeChild(run: MapRun, input: unknown, identity: object): Promise<Ended> {
  const parent = run.execution.context.Execution as { RoleArn: string };
  const Execution = { ...identity, Input: input, RedriveCount: 0, RoleArn: parent.RoleArn };
  const execution = {
    host: run.execution.host,
    context: { Execution, StateMachine: run.stateMachine },
    signal: run.signal,
    history: { events: 0 },
  };
  try {
    limitPayload(input, 'input of the child execution');
    return { status: 'SUCCEEDED', output: await run.executeStates(processorOf(run.state), input, execution) };
  } catch (error) {
    if (error instanceof ExecutionAborted) return { status: 'ABORTED' };
    return { status: 'FAILED', error: (error as Error).name, cause: (error as Error).message };
  }
}

/** Stops the run as soon as it is certain to have failed. */
function judge(run: MapRun): void {
  if (run.failure || !isExceeded(run)) return;
  const cause = 'The specified tolerated failure threshold was exceeded';
  run.fail(new StatesError('States.ExceedToleratedFailureThreshold', cause));
}

function isExceeded({ tolerated: { count, percentage }, counts, isAllRead }: MapRun): boolean {
  if (count === undefined && percentage === undefined) return counts.failed > 0;
  if (count !== undefined && counts.failed > count) return true;
  // A share of all items: of how many is known when the last one was read. None is none at any time.
  if (percentage === undefined || (!isAllRead && percentage > 0)) return false;
  return counts.failed * 100 > percentage * counts.total;
}

/** After a stop, what was never started is accounted for too. */
async function writePending(run: MapRun, inputs: AsyncGenerator<ChildInput>): Promise<void> {
  if (!run.signal.aborted) return;
  try {
    for await (const input of inputs) await addPending(run, input);
  } catch (error) {
    run.failure ??= error;
  }
}

async function addPending(run: MapRun, { input, items }: ChildInput): Promise<void> {
  run.counts.pending += items;
  await run.results.add({ status: 'PENDING', input });
}

/** The inputs of the children, in the order of AWS: read, select, batch. */
async function* childInputs(run: MapRun): AsyncGenerator<ChildInput> {
  const items = selectedItems(run);
  if (run.state.ItemBatcher) yield* batched(run, items);
  else for await (const input of items) yield { input, items: 1 };
  run.isAllRead = true;
}

async function* selectedItems(run: MapRun): AsyncGenerator<unknown> {
  const { state, scope } = run;
  const selector = state.ItemSelector ?? state.Parameters;
  const reader = state.ItemReader;
  const parameters = (fillTemplate(reader?.Parameters ?? {}, scope) ?? {}) as { Bucket: string };
  const source = sourceOf(reader, parameters);
  const most = mostItems(run);
  const items = reader ? readItems(reader, parameters, run.execution.host.s3) : itemsOfState(run);
  for await (const { key, value } of items) {
    if (run.counts.total >= most) return;
    const Item = {
      Index: run.counts.total,
      ...(key === undefined ? {} : { Key: key }),
      Value: value,
      Source: source,
    };
    run.counts.total++;
    if (selector === undefined) yield value;
    else
      yield fillTemplate(selector, {
        data: scope.data,
        context: { ...(scope.context as object), Map: { Item } },
      });
  }
}

function mostItems({ state, scope }: MapRun): number {
  const { MaxItems, MaxItemsPath } = state.ItemReader?.ReaderConfig ?? {};
  const most = MaxItemsPath === undefined ? MaxItems : readPath(MaxItemsPath, scope);
  // 0 means all, as no field does.
  return Number(most ?? 0) || Number.POSITIVE_INFINITY;
}

function itemsOfState({ state, scope, name }: MapRun): { key?: string; value: unknown }[] {
  const items = state.ItemsPath === undefined ? scope.data : readPath(state.ItemsPath, scope);
  if (Array.isArray(items)) return items.map((value) => ({ value }));
  throw new StatesError('States.Runtime', `The items of the Map '${name}' are no array.`);
}

async function* batched(run: MapRun, items: AsyncIterable<unknown>): AsyncGenerator<ChildInput> {
  const { scope, state } = run;
  const { BatchInput, ...limits } = state.ItemBatcher!;
  const fixed = BatchInput === undefined ? {} : { BatchInput: fillTemplate(BatchInput, scope) };
  const mostItems = limitOf(limits.MaxItemsPerBatch, limits.MaxItemsPerBatchPath, scope);
  const wanted = limitOf(limits.MaxInputBytesPerBatch, limits.MaxInputBytesPerBatchPath, scope);
  const mostBytes = Math.min(wanted, MAX_PAYLOAD_BYTES) - payloadBytes({ ...fixed, Items: [] });
  let batch: unknown[] = [];
  let bytes = 0;
  for await (const item of items) {
    const itemBytes = payloadBytes(item) + 1;
    if (batch.length > 0 && (batch.length >= mostItems || bytes + itemBytes > mostBytes)) {
      yield { input: { ...fixed, Items: batch }, items: batch.length };
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += itemBytes;
  }
  if (batch.length > 0) yield { input: { ...fixed, Items: batch }, items: batch.length };
}

function limitOf(value: number | undefined, path: string | undefined, scope: Scope): number {
  return Number((path === undefined ? value : readPath(path, scope)) ?? Number.POSITIVE_INFINITY);
}

function report({ execution, name, mapRunArn, counts }: MapRun, phase: MapRunEvent['phase']): void {
  execution.host.onMapRun?.({ phase, state: name, mapRunArn, itemCounts: { ...counts } });
}
