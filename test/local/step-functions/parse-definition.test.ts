import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DefinitionError, parseDefinition as parseFor } from '../../../local/step-functions/parse-definition.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';
import { ANY_RESOURCES, aMachine, aMap } from '../../support/state-machines.ts';

const task = { Type: 'Task', Resource: 'arn:work', End: true };
const parseDefinition = (definition: unknown) => parseFor(definition, ANY_RESOURCES);
const pass = { Type: 'Pass', End: true };
const one = (state: object) => aMachine({ One: state });
const retrier = {
  ErrorEquals: ['A'],
  IntervalSeconds: 1,
  MaxAttempts: 1,
  BackoffRate: 2,
  MaxDelaySeconds: 9,
  JitterStrategy: 'FULL',
};
const choice = (rule: object) => ({ Type: 'Choice', Choices: [{ Next: 'One', ...rule }], Default: 'One' });
const parameters = (value: string) => ({ ...pass, Parameters: { deep: [{ 'a.$': value }] } });
const { ItemReader, ResultWriter, ItemProcessor } = aMap;

describe('parseDefinition', () => {
  it.each<[what: string, state: object, message: string]>([
    ['Parallel', { Type: 'Parallel', Branches: [], End: true }, 'One: Type "Parallel": expected a state of'],
    ['Wait', { Type: 'Wait', Seconds: 5, End: true }, 'One: Type "Wait": expected a state of'],
    ['a misspelt field', { ...task, TimeOutSeconds: 5 }, 'One: TimeOutSeconds 5: the field is not supported'],
    ['InputPath', { ...pass, InputPath: '$.a' }, 'One: InputPath "$.a": the field is not supported'],
    ['OutputPath of a Pass', { ...pass, OutputPath: '$.a' }, 'One: OutputPath "$.a": the field is not'],
    ['JSONata', { ...pass, QueryLanguage: 'JSONata' }, 'One: QueryLanguage "JSONata": the field is not'],
    ['Arguments', { ...task, Arguments: {} }, 'One: Arguments {}: the field is not supported'],
    ['Assign', { ...pass, Assign: { x: 1 } }, 'One: Assign {"x":1}: the field is not supported'],
    ['HeartbeatSeconds', { ...task, HeartbeatSeconds: 5 }, 'One: HeartbeatSeconds 5: the field is not'],
    ['TimeoutSecondsPath', { ...task, TimeoutSecondsPath: '$.t' }, 'One: TimeoutSecondsPath "$.t": the field'],
    ['a timeout of 0', { ...task, TimeoutSeconds: 0 }, 'One: TimeoutSeconds 0: Too small'],
    ['a timeout beyond the timers', { ...task, TimeoutSeconds: 3e6 }, 'One: TimeoutSeconds 3000000: Too big'],
    ['a ResultPath of null', { ...pass, ResultPath: null }, "One: ResultPath null: 'null' does not begin with $"],
    ['a ResultPath in the context', { ...pass, ResultPath: '$$.Execution.Name' }, 'does not begin with $'],
    [
      'wildcards',
      { ...task, OutputPath: '$.list[*].x' },
      `One: OutputPath "$.list[*].x": '$.list[*].x' is not a path of plain names`,
    ],
    ['indexes', parameters('$.list[0]'), 'is not a path of plain names'],
    ['filters', parameters('$.list[?(@.x > 1)]'), 'is not a path of plain names'],
    ['deep scans', parameters('$..x'), 'is not a path of plain names'],
    ['variables', parameters('$x'), 'does not begin with $, $$.Execution.Name, $$.Execution.StartTime'],
    ['the whole context', parameters('$$'), 'does not begin with $, $$.Execution.Name'],
    ['task tokens', parameters('$$.Task.Token'), 'does not begin with $, $$.Execution.Name'],
    ['$$.State.RetryCount', parameters('$$.State.RetryCount'), 'does not begin with $, $$.Execution.Name'],
    ['$$.Map.Item.Value outside of ItemSelector', parameters('$$.Map.Item.Value'), 'does not begin with $, $$'],
    ['a field with .$ that is no text', { ...pass, Parameters: { 'a.$': 5 } }, 'expected a path or a function'],
    ['States.ArrayLength', parameters('States.ArrayLength($.a)'), 'States.ArrayLength is not supported'],
    ['nested functions', parameters("States.Format('{}', States.UUID())"), "at 'States.UUID()'"],
    ['unfinished functions', parameters("States.Format('a"), "States.Format('a is not supported"],
    ['wildcards in functions', parameters('States.JsonToString($.a[*])'), 'is not a path of plain names'],
    ['a function without an argument', parameters('States.MathAdd(1)'), 'States.MathAdd received 1 arguments'],
    ['NumericGreaterThan', choice({ Variable: '$.a', NumericGreaterThan: 1 }), "'NumericGreaterThan' is not supported"],
    ['two operators in a rule', choice({ Variable: '$.a', StringEquals: 'a', NumericEquals: 1 }), 'is not supported'],
    ['a rule without an operator', choice({ Variable: '$.a' }), 'expected one of StringEquals'],
    ['an operand of another type', choice({ Variable: '$.a', NumericEquals: '1' }), 'expected a number to compare'],
    ['Or', choice({ Or: [{ Variable: '$.a', StringEquals: 'a' }] }), "'Or' is not supported"],
    ['Not inside And', choice({ And: [{ Not: { Variable: '$.a', StringEquals: 'a' } }] }), "'Not' is not supported"],
    ['And with no comparison', choice({ And: [null] }), 'expected one of StringEquals'],
    ['a Variable in a list', choice({ Variable: ['$.a'], StringEquals: 'a' }), 'is not a path'],
    ['a ResultPath in a list', { ...pass, ResultPath: ['$.a'] }, 'One: ResultPath ["$.a"]: '],
    ['Parameters that are a text', { ...task, Parameters: '$.a' }, 'One: Parameters "$.a": expected an object'],
    ['Parameters that are a list', { ...pass, Parameters: ['a'] }, 'One: Parameters ["a"]: expected an object'],
    ['a ResultSelector of null', { ...task, ResultSelector: null }, 'One: ResultSelector null: expected an'],
    ['And beside an operator', choice({ And: [{}], StringEquals: 'a' }), "without 'StringEquals'"],
    ['a rule without Next', { Type: 'Choice', Choices: [{}], Default: 'One' }, 'One: Choices.0 {}: expected a rule'],
    ['a Choice without Default', { ...choice({}), Default: undefined }, 'One: Default missing'],
    ['Error of a Fail', { Type: 'Fail', Error: 'A', Cause: 'b' }, 'One: Error "A": the field is not supported'],
    ['a Next to no state', { Type: 'Pass', Next: 'Two' }, 'One: the next state "Two" does not exist'],
    [
      'a Catch to no state',
      { ...task, Catch: [{ ErrorEquals: ['A'], Next: 'Two' }] },
      'One: the next state "Two" does not exist',
    ],
    ['a state without Next and End', { Type: 'Pass' }, 'expected either Next or End'],
    ['a state with Next and End', { ...pass, Next: 'One' }, 'expected either Next or End'],
    [
      'States.ALL beside other names',
      { ...task, Retry: [{ ...retrier, ErrorEquals: ['States.ALL', 'A'] }] },
      'expected States.ALL alone and last',
    ],
    [
      'States.ALL before the last',
      {
        ...task,
        Catch: [
          { ErrorEquals: ['States.ALL'], Next: 'One' },
          { ErrorEquals: ['A'], Next: 'One' },
        ],
      },
      'expected States.ALL alone and last',
    ],
    [
      'Assign in a Catch',
      { ...task, Catch: [{ ErrorEquals: ['A'], Next: 'One', Assign: {} }] },
      'One: Catch.0.Assign {}',
    ],
    [
      'a Retry without jitter',
      { ...task, Retry: [{ ...retrier, JitterStrategy: 'NONE' }] },
      'Retry.0.JitterStrategy "NONE"',
    ],
    [
      'a Retry without a limit',
      { ...task, Retry: [{ ...retrier, MaxDelaySeconds: undefined }] },
      'One: Retry.0.MaxDelaySeconds missing',
    ],
  ])('refuses %s, naming state, field and value', (_what, state, message) => {
    expect(() => parseDefinition(one(state))).toThrow(DefinitionError);
    expect(() => parseDefinition(one(state))).toThrow('- One: ');
    expect(() => parseDefinition(one(state))).toThrow(message);
  });

  it.each<[what: string, fields: object, message: string]>([
    ['an inline Map', { ItemProcessor: one(pass) }, 'Each: ItemProcessor.ProcessorConfig missing'],
    [
      'Mode INLINE',
      { ItemProcessor: { ...ItemProcessor, ProcessorConfig: { Mode: 'INLINE', ExecutionType: 'STANDARD' } } },
      'Each: ItemProcessor.ProcessorConfig.Mode "INLINE": expected "DISTRIBUTED"',
    ],
    [
      'express children',
      {
        ItemProcessor: {
          ...ItemProcessor,
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' },
        },
      },
      'Each: ItemProcessor.ProcessorConfig.ExecutionType "EXPRESS": expected "STANDARD"',
    ],
    ['a Map inside a Map', { ItemProcessor: { ...ItemProcessor, States: { Inner: aMap } } }, 'Inner: Type "Map"'],
    ['Iterator', { Iterator: one(pass) }, 'Each: Iterator {'],
    ['ItemsPath', { ItemsPath: '$.a' }, 'Each: ItemsPath "$.a": the field is not supported'],
    ['ItemBatcher', { ItemBatcher: { MaxItemsPerBatch: 5 } }, 'Each: ItemBatcher {"MaxItemsPerBatch":5}'],
    ['MaxConcurrencyPath', { MaxConcurrencyPath: '$.n' }, 'Each: MaxConcurrencyPath "$.n"'],
    ['a MaxConcurrency of 0', { MaxConcurrency: 0 }, 'Each: MaxConcurrency 0: Too small'],
    ['ToleratedFailureCount', { ToleratedFailureCount: 1 }, 'Each: ToleratedFailureCount 1: the field is not'],
    ['a tolerance above 100 %', { ToleratedFailurePercentage: 101 }, 'Each: ToleratedFailurePercentage 101: Too big'],
    ['Retry of a Map', { Retry: [retrier] }, 'Each: Retry [{'],
    [
      'CSV',
      { ItemReader: { ...ItemReader, ReaderConfig: { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' } } },
      'Each: ItemReader.ReaderConfig.CSVHeaderLocation "FIRST_ROW": the field is not supported',
    ],
    [
      'JSON items',
      { ItemReader: { ...ItemReader, ReaderConfig: { InputType: 'JSON' } } },
      'Each: ItemReader.ReaderConfig.InputType "JSON": expected "JSONL"',
    ],
    [
      'MaxItems',
      { ItemReader: { ...ItemReader, ReaderConfig: { InputType: 'JSONL', MaxItems: 5 } } },
      'Each: ItemReader.ReaderConfig.MaxItems 5: the field is not supported',
    ],
    [
      'listings',
      { ItemReader: { ...ItemReader, Resource: 'arn:aws:states:::s3:listObjectsV2' } },
      'Each: ItemReader.Resource "arn:aws:states:::s3:listObjectsV2": expected "arn:aws:states:::s3:getObject"',
    ],
    [
      'items of one version',
      { ItemReader: { ...ItemReader, Parameters: { Bucket: 'work', Key: 'a', VersionId: '1' } } },
      'Each: ItemReader.Parameters {"Bucket":"work","Key":"a","VersionId":"1"}: expected Bucket and Key; \'VersionId\' is not supported',
    ],
    [
      'items of no key',
      { ItemReader: { ...ItemReader, Parameters: { Bucket: 'work' } } },
      `Each: ItemReader.Parameters {"Bucket":"work"}: expected Bucket and Key; 'Key' is missing`,
    ],
    [
      'another form of results',
      { ResultWriter: { ...ResultWriter, WriterConfig: { Transformation: 'COMPACT' } } },
      'Each: ResultWriter.WriterConfig {"Transformation":"COMPACT"}: the field is not supported',
    ],
    ['no ResultWriter', { ResultWriter: undefined }, 'Each: ResultWriter missing'],
    ['a text as ItemSelector', { ItemSelector: '$.a' }, 'Each: ItemSelector "$.a": expected an object'],
    ['no ItemSelector', { ItemSelector: undefined }, 'Each: ItemSelector missing: expected a value'],
  ])('refuses a Map with %s, naming field and value', (_what, fields, message) => {
    expect(() => parseDefinition(aMachine({ Each: { ...aMap, ...fields } }))).toThrow(`- ${message}`);
  });

  it.each<[what: string, fields: object, message: string]>([
    ['JSONata', { QueryLanguage: 'JSONata' }, 'The machine: QueryLanguage "JSONata": the field is not supported'],
    ['a timeout of the execution', { TimeoutSeconds: 60 }, 'The machine: TimeoutSeconds 60: the field is not'],
    ['a StartAt that is no state', { StartAt: 'Two' }, 'StartAt: the next state "Two" does not exist'],
    ['no states', { States: undefined }, 'The machine: States missing'],
  ])('refuses a machine with %s, naming field and value', (_what, fields, message) => {
    expect(() => parseDefinition({ ...one(pass), ...fields })).toThrow(`- ${message}`);
  });

  it.each([null, [], 'text', {}, { StartAt: 'A' }])('refuses %j, which is not a state machine', (value) => {
    expect(() => parseDefinition(value)).toThrow(DefinitionError);
  });

  it('refuses one name for two states', () => {
    const ItemProcessor = { ...aMap.ItemProcessor, StartAt: 'Each', States: { Each: pass } };
    expect(() => parseDefinition(aMachine({ Each: { ...aMap, ItemProcessor } }))).toThrow(
      'Each: the name is used twice',
    );
  });

  it('names every problem in one message, those of child states included', () => {
    const States = { Two: { ...pass, InputPath: '$.a' } };
    const ItemProcessor = { ...aMap.ItemProcessor, StartAt: 'Two', States };
    const Each = { ...aMap, ItemsPath: '$.b', ItemProcessor };
    expect(() => parseDefinition(aMachine({ Each }))).toThrow(/- Two: InputPath[\s\S]*- Each: ItemsPath/);
  });

  const reads = {
    'arn:work': z.strictObject({
      Name: z.string(),
      Weight: z.literal(1).optional(),
      Values: z.array(z.strictObject({ Value: z.string() })).optional(),
      Payload: z.unknown().optional(),
    }),
    'arn:other': z.unknown(),
  };
  const working = (Parameters: object) => ({ ...task, Parameters: { Name: 'a', ...Parameters } });
  it.each<[what: string, state: object, message: string]>([
    ['a Resource', { ...task, Resource: 'arn:mail' }, 'One: Resource "arn:mail": expected arn:work or arn:other'],
    ['no Parameters', task, 'One: Parameters missing: expected object'],
    ['a parameter', working({ Count: 2 }), 'One: Parameters.Count 2: the field is not supported'],
    ['a parameter with a path', working({ 'Count.$': '$.n' }), 'One: Parameters.Count "$.n": the field is not'],
    ['a value', working({ Weight: 0 }), 'One: Parameters.Weight 0: expected 1'],
    ['a path for a fixed value', working({ 'Weight.$': '$.n' }), 'One: Parameters.Weight "$.n": expected 1'],
    [
      'a parameter in a list',
      working({ Values: [{ 'Value.$': '$.a' }, { Value: 'b', From: 'c' }] }),
      'One: Parameters.Values.1.From "c": the field is not supported',
    ],
    ['a list', working({ Values: 'b' }), 'One: Parameters.Values "b": expected array'],
  ])('refuses %s that no task reads, in a child state too', (_what, state, message) => {
    const inChild = { ...aMap, ItemProcessor: { ...ItemProcessor, ...aMachine({ One: state }) } };
    expect(() => parseFor(one(state), reads)).toThrow(`- ${message}`);
    expect(() => parseFor(aMachine({ Each: inChild }), reads)).toThrow(`- ${message}`);
  });

  it('accepts parameters that the task reads, with paths as their values', () => {
    const Values = [{ 'Value.$': '$.a' }, { Value: 'b' }];
    const state = { ...task, Parameters: { 'Name.$': '$.a', Weight: 1, Values, Payload: { 'x.$': '$' } } };
    expect(() => parseFor(one(state), reads)).not.toThrow();
    expect(() => parseFor(one(working({ 'Values.$': '$.a' })), reads)).not.toThrow();
  });

  it('refuses a definition before any task is called', async () => {
    let calls = 0;
    const host = {
      s3: undefined as never,
      readObject: undefined as never,
      resources: ANY_RESOURCES,
      runTask: async () => ++calls,
    };
    const machine = aMachine({
      First: { ...task, End: undefined, Next: 'One' },
      One: { ...pass, Assign: {} },
    });
    const identity = { stateMachineName: 'm', executionName: 'e', startedAt: new Date() };
    await expect(runStateMachine(machine, {}, identity, host)).rejects.toThrow(DefinitionError);
    expect(calls).toBe(0);
  });
});
