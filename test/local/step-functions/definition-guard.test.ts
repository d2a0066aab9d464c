import { describe, expect, it } from 'vitest';
import { DefinitionError, guardDefinition } from '../../../local/step-functions/definition-guard.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';

const task = { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', End: true };
const pass = { Type: 'Pass', End: true };
const alone = (state: object) => ({ StartAt: 'One', States: { One: state } });
const reader = { Resource: 'arn:aws:states:::s3:getObject', ReaderConfig: { InputType: 'JSONL' } };
const distributed = (fields: object, states: object = alone(pass)) => ({
  Type: 'Map',
  End: true,
  ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }, ...states },
  ...fields,
});
const withReaderConfig = (ReaderConfig: object) => distributed({ ItemReader: { ...reader, ReaderConfig } });
const choice = (rule: object) => ({ Type: 'Choice', Choices: [{ Next: 'One', ...rule }] });

const REFUSED: readonly [what: string, state: object, told: RegExp][] = [
  ['JSONata', { ...pass, QueryLanguage: 'JSONata' }, /write JSONPath/],
  ['Arguments', { ...task, Arguments: {} }, /write Parameters/],
  ['variables', { ...pass, Assign: { x: 1 } }, /hand the value on with ResultPath/],
  [
    'task tokens',
    { ...task, Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken' },
    /waitForTaskToken/,
  ],
  ['heartbeats', { ...task, HeartbeatSeconds: 5 }, /write TimeoutSeconds/],
  ['a misspelt field', { ...task, TimeOutSeconds: 5 }, /'TimeOutSeconds' in a Task is not run/],
  ['a timeout of 0', { ...task, TimeoutSeconds: 0 }, /above 0/],
  ['wildcards', { ...pass, InputPath: '$.list[*].x' }, /plain path/],
  ['filters', { ...pass, Parameters: { 'a.$': '$.list[?(@.x > 1)]' } }, /plain path/],
  ['negative indexes', { ...pass, OutputPath: '$.list[-1]' }, /plain path/],
  ['deep scans', { ...task, ResultSelector: { 'a.$': '$..x' } }, /plain path/],
  ['variables in paths', { ...pass, Parameters: { 'a.$': '$x' } }, /plain path/],
  ['functions where a path belongs', { ...pass, InputPath: "States.Format('a')" }, /plain path/],
  [
    'task tokens in paths',
    { ...task, Parameters: { deep: [{ 't.$': '$$.Task.Token' }] } },
    /\$\$\.Execution/,
  ],
  ['$$.Map.Item outside of a Map', { ...pass, Parameters: { 'i.$': '$$.Map.Item.Value' } }, /ItemSelector/],
  [
    '$$.Map.Item in a distributed child',
    distributed({}, alone({ ...pass, InputPath: '$$.Map.Item.Value' })),
    /ItemSelector/,
  ],
  ['a ResultPath into the context', { ...pass, ResultPath: '$$.Execution.Name' }, /cannot be written/],
  [
    'unknown functions',
    { ...pass, Parameters: { 'a.$': 'States.MathRandom(1, 2)' } },
    /MathRandom is not run locally/,
  ],
  ['broken functions', { ...pass, Parameters: { 'a.$': "States.Format('a" } }, /letter 15/],
  [
    'wildcards inside functions',
    { ...pass, Parameters: { 'a.$': 'States.ArrayLength($.a[*])' } },
    /plain path/,
  ],
  ['unknown comparisons', choice({ Variable: '$.a', NumericNotEquals: 1 }), /one comparison/],
  [
    'two comparisons in one rule',
    choice({ Variable: '$.a', IsNull: false, StringEquals: 'a' }),
    /one comparison/,
  ],
  ['rules without Next', { Type: 'Choice', Choices: [{ Variable: '$.a', IsNull: true }] }, /name the state/],
  ['a Next to nowhere', { Type: 'Pass', Next: 'Two' }, /'Two' is no state/],
  ['a state without an exit', { Type: 'Pass' }, /Next and End/],
  ['States.ALL beside others', { ...task, Retry: [{ ErrorEquals: ['States.ALL', 'A'] }] }, /stand alone/],
  [
    'States.ALL before the last',
    {
      ...task,
      Catch: [
        { ErrorEquals: ['States.ALL'], Next: 'One' },
        { ErrorEquals: ['A'], Next: 'One' },
      ],
    },
    /last place/,
  ],
  ['waits beyond the timer', { Type: 'Wait', Seconds: 3e6, End: true }, /2147483/],
  [
    'tolerance of an inline Map',
    { Type: 'Map', End: true, ItemProcessor: alone(pass), ToleratedFailureCount: 1 },
    /Mode INLINE/,
  ],
  ['a Map without states', { Type: 'Map', End: true }, /ItemProcessor/],
  [
    'a distributed Map without ExecutionType',
    { Type: 'Map', End: true, ItemProcessor: { ...alone(pass), ProcessorConfig: { Mode: 'DISTRIBUTED' } } },
    /ExecutionType/,
  ],
  ['Parquet', withReaderConfig({ InputType: 'PARQUET' }), /PARQUET is not run locally/],
  ['inventories', withReaderConfig({ ManifestType: 'S3_INVENTORY' }), /S3_INVENTORY/],
  [
    'flattened listings',
    withReaderConfig({ InputType: 'JSON', Transformation: 'LOAD_AND_FLATTEN' }),
    /LOAD_AND_FLATTEN/,
  ],
  [
    'pointers into arrays',
    withReaderConfig({ InputType: 'JSON', ItemsPointer: '/a/0/b' }),
    /without dots, stars and indexes/,
  ],
  ['CSV without a header place', withReaderConfig({ InputType: 'CSV' }), /CSVHeaderLocation/],
  [
    'other readers',
    distributed({ ItemReader: { ...reader, Resource: 'arn:aws:states:::dynamodb:scan' } }),
    /s3:getObject/,
  ],
  ['two sources of items', distributed({ ItemReader: reader, ItemsPath: '$.a' }), /leave ItemsPath out/],
  ['empty result writers', distributed({ ResultWriter: {} }), /empty ResultWriter/],
];

describe('guardDefinition', () => {
  it.each(REFUSED)('refuses %s, naming the state and what to write instead', (_what, state, told) => {
    expect(() => guardDefinition(alone(state))).toThrow(told);
    expect(() => guardDefinition(alone(state))).toThrow(/^- One: .+: .+\.$/m);
  });

  it('tells all complaints at once, also those of states inside of Maps and branches', () => {
    const inner = { StartAt: 'Two', States: { Two: { ...pass, InputPath: '$..a' } } };
    const branch = { StartAt: 'Three', States: { Three: { ...pass, InputPath: '$..b' } } };
    const map = { Type: 'Map', Next: 'Side', ItemProcessor: inner };
    const machine = {
      StartAt: 'One',
      States: { One: map, Side: { Type: 'Parallel', Branches: [branch], End: true } },
    };
    expect(() => guardDefinition(machine)).toThrow(/- Two: [\s\S]*- Three: /);
  });

  it('refuses one name for two states', () => {
    const map = { Type: 'Map', End: true, ItemProcessor: alone(pass) };
    expect(() => guardDefinition(alone(map))).toThrow(/used twice/);
  });

  it.each([null, [], 'text', {}, { StartAt: 'A' }])('refuses %j, which is no state machine', (value) => {
    expect(() => guardDefinition(value)).toThrow(DefinitionError);
  });

  it('speaks before any task runs', async () => {
    let calls = 0;
    const host = { s3: undefined as never, runTask: async () => ++calls };
    const machine = {
      StartAt: 'First',
      States: { First: { ...task, End: undefined, Next: 'One' }, One: { ...pass, InputPath: '$..x' } },
    };
    const identity = { stateMachineName: 'm', executionName: 'e', startedAt: new Date() };
    await expect(runStateMachine(machine, {}, identity, host)).rejects.toThrow(DefinitionError);
    expect(calls).toBe(0);
  });
});
