import { readFileSync } from 'node:fs';
import path from 'node:path';
import aslValidator from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const FILE = path.join(import.meta.dirname, '../../statemachines/compress-images.asl.yml');
const machine = parse(readFileSync(FILE, 'utf8'));
const map = machine.States.CompressBatches;
const child = map.ItemProcessor;

type States = Record<string, State>;
// biome-ignore lint/suspicious/noExplicitAny: states differ by type, and the tests name what they check
type State = any;

function next(state: State): string[] {
  const choices = (state.Choices ?? []).map((choice: State) => choice.Next);
  const catches = (state.Catch ?? []).map((caught: State) => caught.Next);
  return [state.Next, state.Default, ...choices, ...catches].filter(Boolean);
}

function reachable(startAt: string, states: States): Set<string> {
  const found = new Set<string>();
  const walk = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    next(states[name]).forEach(walk);
  };
  walk(startAt);
  return found;
}

const tasks: [string, State][] = [machine.States, child.States].flatMap((states: States) =>
  Object.entries(states).filter(([, state]) => state.Type === 'Task'),
);
const catchersOf = (name: string): State[] => child.States[name].Catch;

describe('the state machine', () => {
  it('is valid in the Amazon States Language', () => {
    const { isValid, errorsText } = aslValidator(machine);
    expect(errorsText?.('\n') ?? '').toBe('');
    expect(isValid).toBe(true);
  });

  it('has no unreachable state and no dead end', () => {
    for (const { StartAt, States } of [machine, child]) {
      expect([...reachable(StartAt, States)].sort()).toEqual(Object.keys(States).sort());
      for (const [name, state] of Object.entries<State>(States)) {
        const ends = state.End === true || ['Succeed', 'Fail'].includes(state.Type);
        expect([name, ends || next(state).length > 0]).toEqual([name, true]);
      }
    }
  });

  it('reports even when the map fails, and fails when the report says so', () => {
    expect(map.Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'ReportJob' }]);
    expect(machine.States.ChooseOutcome.Default).toBe('DescribeFailures');
    expect(machine.States.DescribeFailures.Next).toBe('JobFailed');
    expect(reachable('ReportJob', machine.States)).toContain('JobSucceeded');
  });

  it('succeeds only after a report', () => {
    const before = Object.entries<State>(machine.States).filter(([, state]) => next(state).includes('JobSucceeded'));
    expect(before.map(([name]) => name)).toEqual(['ChooseOutcome']);
  });

  it('does not retry errors that only the user can fix', () => {
    const [refusal] = machine.States.PlanJob.Catch;
    expect(refusal.ErrorEquals).toEqual(['FileListError', 'JobInputError', 'PlanError']);
    const retried = machine.States.PlanJob.Retry.flatMap((retrier: State) => retrier.ErrorEquals);
    for (const name of [...refusal.ErrorEquals, 'States.ALL', 'States.TaskFailed']) {
      expect(retried).not.toContain(name);
    }
  });

  it.each(tasks)('spreads the retries of %s over time and limits them', (_name, state) => {
    for (const retrier of state.Retry) {
      expect(retrier).toMatchObject({ JitterStrategy: 'FULL', BackoffRate: 2 });
      expect(retrier.MaxAttempts).toBeLessThanOrEqual(20);
      expect(retrier.MaxDelaySeconds).toBeLessThanOrEqual(600);
    }
  });

  it.each(
    tasks.filter(([, { Resource }]) => Resource.endsWith('lambda:invoke')),
  )('retries long enough when %s is throttled', (_name, state) => {
    const throttled = state.Retry.find(({ ErrorEquals }: State) =>
      ErrorEquals.includes('Lambda.TooManyRequestsException'),
    );
    expect(throttled.MaxAttempts).toBeGreaterThanOrEqual(12);
  });
});

describe('a batch', () => {
  it('does not stop the others when it fails for good', () => {
    expect(map.ToleratedFailurePercentage).toBe(100);
  });

  it('runs in a standard child execution, because only that can wait for a Fargate task', () => {
    expect(child.ProcessorConfig).toEqual({ Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' });
  });

  it('continues on another host, however its Lambda failed', () => {
    const [crashes] = catchersOf('CompressBatchOnLambda');
    expect(crashes.ErrorEquals).toEqual(
      expect.arrayContaining([
        'Sandbox.Timedout',
        'Lambda.Unknown',
        'Runtime.ExitError',
        'Runtime.OutOfMemory',
        'Runtime.UnhandledPromiseRejection',
        'TimeoutError',
        'States.Timeout',
      ]),
    );
    const after = reachable(crashes.Next, child.States);
    expect(after).toContain('CompressBatchOnFargate');
    expect(after).toContain('CompressBatchOnLambda');
  });

  it('is called again only while fewer images remain than before, or a bounded number of times', () => {
    const [done, progress] = child.States['MoreToDo?'].Choices;
    expect(done).toMatchObject({ NumericLessThanEquals: 0, Next: 'BatchDone' });
    expect(progress).toMatchObject({ NumericLessThanPath: '$.remaining', Next: 'RecordProgress' });
    const bounded = child.States.ChooseWhereToContinue.Choices.at(-1);
    expect(bounded).toMatchObject({ Variable: '$.attemptsWithoutProgress.count', NumericLessThan: 25 });
    // Every path back to a host passes one of the two counters, or the switch from Spot, which happens once.
    expect(next(child.States.CompressBatchOnLambda).sort()).toEqual([
      'BatchFailed',
      'CountAttemptWithoutProgress',
      'MoreToDo?',
    ]);
    expect(next(child.States.CompressBatchOnFargate).sort()).toEqual(['BatchDone', 'ChooseCapacity']);
    expect(child.States.SwitchToOnDemand).toMatchObject({
      Result: 'FARGATE',
      ResultPath: '$.capacityProvider',
    });
  });

  it('prefers Spot and falls back to on-demand Fargate', () => {
    expect(map.ItemSelector.capacityProvider).toBe('FARGATE_SPOT');
    expect(child.States.CompressBatchOnFargate.Parameters.CapacityProviderStrategy).toEqual([
      { 'CapacityProvider.$': '$.capacityProvider', Weight: 1 },
    ]);
    expect(child.States.CompressBatchOnFargate.Catch[0].Next).toBe('ChooseCapacity');
  });

  it('passes a reference to its task, far below the limit of 8,192 characters in ECS', () => {
    const [{ Environment }] = child.States.CompressBatchOnFargate.Parameters.Overrides.ContainerOverrides;
    expect(Environment.map((variable: State) => variable.Name)).toEqual(['JOB_BUCKET', 'BATCH_REF']);
    expect(Environment[1]['Value.$']).toBe('States.JsonToString($.batch)');
  });
});
