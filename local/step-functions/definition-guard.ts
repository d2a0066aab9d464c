import { comparisonOf } from './choose-next.ts';
import {
  type ChoiceRule,
  type Definition,
  type ItemProcessor,
  isDistributed,
  processorOf,
  type State,
} from './definition.ts';
import { parseIntrinsic } from './intrinsics.ts';
import { FORMATS } from './read-items.ts';
import { parsePath } from './state-data.ts';

/** A definition that the local interpreter would not run as AWS does. The message names every place in it. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}

/**
 * Lets through what the local interpreter runs as AWS does and refuses the rest before anything runs: better no
 * answer than a wrong one.
 * @throws DefinitionError naming each state, what is refused there and what to write instead
 */
export function guardDefinition(definition: unknown): asserts definition is Definition {
  const complaints: string[] = [];
  if (!isObject(definition) || !isObject(definition.States)) {
    throw new DefinitionError('Expected a state machine with StartAt and States.');
  }
  checkStates(definition as unknown as Definition, { complaints, names: new Set(), iterations: 'none' });
  if (complaints.length === 0) return;
  throw new DefinitionError(
    `The state machine cannot be run locally as on AWS:\n${complaints.map((line) => `- ${line}`).join('\n')}`,
  );
}

interface Check {
  readonly complaints: string[];
  readonly names: Set<string>;
  /** Whether the states are those of an inline Map, which see `$$.Map.Item`. */
  readonly iterations: 'none' | 'inline';
}

type Complain = (what: string, instead: string) => void;

function checkStates(machine: Definition, check: Check): void {
  const states = machine.States ?? {};
  if (machine.QueryLanguage === 'JSONata') {
    check.complaints.push('The machine: QueryLanguage JSONata is not run locally: write JSONPath.');
  }
  if (!Object.hasOwn(states, String(machine.StartAt))) {
    check.complaints.push(`StartAt names '${machine.StartAt}', which is no state beside it.`);
  }
  for (const [name, state] of Object.entries(states)) {
    const complain: Complain = (what, instead) => check.complaints.push(`${name}: ${what}: ${instead}.`);
    if (check.names.has(name)) complain('the name is used twice', 'names are unique in the whole machine');
    check.names.add(name);
    checkState(state, states, check, complain);
  }
}

const COMMON = ['Type', 'Comment', 'QueryLanguage', 'InputPath', 'OutputPath'];
const MOVING = ['Next', 'End'];
const WORKING = ['ResultSelector', 'ResultPath', 'Retry', 'Catch'];

const FIELDS: Readonly<Record<State['Type'], readonly string[]>> = {
  Task: [...MOVING, ...WORKING, 'Parameters', 'Resource', 'TimeoutSeconds', 'TimeoutSecondsPath'],
  Pass: [...MOVING, 'Parameters', 'Result', 'ResultPath'],
  Choice: ['Choices', 'Default'],
  Wait: [...MOVING, 'Seconds', 'SecondsPath', 'Timestamp', 'TimestampPath'],
  Succeed: [],
  Fail: ['Error', 'ErrorPath', 'Cause', 'CausePath'],
  Parallel: [...MOVING, ...WORKING, 'Parameters', 'Branches'],
  Map: [
    ...[...MOVING, ...WORKING, 'Parameters', 'ItemProcessor', 'Iterator', 'ItemsPath', 'ItemSelector'],
    ...['MaxConcurrency', 'MaxConcurrencyPath'],
  ],
};

const DISTRIBUTED_FIELDS = [
  ...[
    'ItemReader',
    'ItemBatcher',
    'ResultWriter',
    'Label',
    'ToleratedFailureCount',
    'ToleratedFailureCountPath',
  ],
  ...['ToleratedFailurePercentage', 'ToleratedFailurePercentagePath'],
];

const INSTEAD: Readonly<Record<string, string>> = {
  Arguments: 'that is JSONata, write Parameters',
  Output: 'that is JSONata, write ResultSelector and OutputPath',
  Assign: 'variables are not run locally, hand the value on with ResultPath',
  HeartbeatSeconds: 'heartbeats are not run locally, write TimeoutSeconds',
  HeartbeatSecondsPath: 'heartbeats are not run locally, write TimeoutSeconds',
  Credentials: 'other roles are not run locally, leave it out',
};

function checkState(state: State, states: Definition['States'], check: Check, complain: Complain): void {
  const known = FIELDS[state.Type];
  if (!known) {
    complain(`Type '${state.Type}'`, `write one of ${Object.keys(FIELDS).join(', ')}`);
    return;
  }
  if (state.Type === 'Map' && !isObject(processorOf(state))) {
    complain('a Map without ItemProcessor', 'give it the states to run');
    return;
  }
  const allowed = new Set([...COMMON, ...known, ...(isDistributed(state) ? DISTRIBUTED_FIELDS : [])]);
  for (const field of Object.keys(state)) {
    if (allowed.has(field)) continue;
    const place = `a ${state.Type === 'Map' ? 'Map of Mode INLINE' : state.Type}`;
    complain(`'${field}' in ${place} is not run`, INSTEAD[field] ?? 'leave it out');
  }
  if ((state as { QueryLanguage?: string }).QueryLanguage === 'JSONata') {
    complain('QueryLanguage JSONata is not run locally', 'write JSONPath');
  }
  checkTransitions(state, states, complain);
  checkPaths(state, check, complain);
  checkErrorHandling(state, complain);
  KINDS[state.Type]?.(state, check, complain);
}

const KINDS: Partial<Record<State['Type'], (state: State, check: Check, complain: Complain) => void>> = {
  Task: checkTask,
  Choice: (state, check, complain) => {
    for (const rule of state.Choices ?? []) checkRule(rule, check, complain);
  },
  Wait: checkWait,
  Parallel: (state, check) => {
    for (const branch of state.Branches ?? []) checkStates(branch, check);
  },
  Map: checkMap,
};

function checkTransitions(state: State, states: Definition['States'], complain: Complain): void {
  const targets = [state.Next, state.Default, ...(state.Catch ?? []).map((catcher) => catcher.Next)];
  targets.push(...(state.Choices ?? []).map((rule) => rule.Next));
  for (const target of targets) {
    if (target === undefined || Object.hasOwn(states, target)) continue;
    complain(`'${target}' is no state beside it`, `write one of ${Object.keys(states).join(', ')}`);
  }
  const moves = FIELDS[state.Type].includes('Next');
  if (moves && (state.Next !== undefined) === (state.End === true)) {
    complain('neither or both of Next and End', 'write one of them');
  }
  if (state.Type === 'Choice' && !state.Choices?.every((rule) => rule.Next !== undefined)) {
    complain('a rule without Next', 'name the state to go to');
  }
}

function checkTask({ Resource, TimeoutSeconds }: State, _check: Check, complain: Complain): void {
  if (typeof Resource !== 'string') complain('no Resource', 'name the service to call');
  else if (Resource.includes('.waitForTaskToken')) {
    complain('.waitForTaskToken is not run locally', 'write a Resource that waits for its result by itself');
  }
  if (TimeoutSeconds !== undefined && !(TimeoutSeconds > 0)) {
    complain(`TimeoutSeconds ${JSON.stringify(TimeoutSeconds)}`, 'write a number above 0');
  }
}

const LONGEST_WAIT_SECONDS = 2_147_483;

function checkWait(state: State, _check: Check, complain: Complain): void {
  const given = [state.Seconds, state.SecondsPath, state.Timestamp, state.TimestampPath];
  if (given.filter((value) => value !== undefined).length !== 1) {
    complain('a Wait needs one of Seconds, SecondsPath, Timestamp, TimestampPath', 'write one of them');
  }
  if ((state.Seconds ?? 0) > LONGEST_WAIT_SECONDS) {
    complain(`Seconds ${state.Seconds}`, `a local timer waits at most ${LONGEST_WAIT_SECONDS} seconds`);
  }
}

function checkRule(rule: ChoiceRule, check: Check, complain: Complain): void {
  const parts = [...(rule.And ?? []), ...(rule.Or ?? []), ...(rule.Not ? [rule.Not] : [])];
  for (const part of parts) checkRule(part, check, complain);
  if (parts.length > 0) return;
  const name = comparisonOf(rule);
  if (!name || typeof rule.Variable !== 'string') {
    complain(`the rule ${JSON.stringify(rule)}`, 'write Variable and one comparison of the States Language');
    return;
  }
  checkPath('Variable', rule.Variable, check, complain);
  if (name.endsWith('Path')) checkPath(name, rule[name], check, complain);
}

function checkErrorHandling(state: State, complain: Complain): void {
  for (const handlers of [state.Retry ?? [], state.Catch ?? []]) {
    handlers.forEach(({ ErrorEquals, ...handler }, n) => {
      if ('Assign' in handler || 'Output' in handler) complain('Assign or Output in Catch', INSTEAD.Assign!);
      if (!ErrorEquals?.includes('States.ALL')) return;
      if (ErrorEquals.length === 1 && n === handlers.length - 1) return;
      complain('States.ALL beside others or before the last', 'let it stand alone in the last place');
    });
  }
}

function checkMap(state: State, check: Check, complain: Complain): void {
  const processor = processorOf(state);
  const mode = processor.ProcessorConfig?.Mode ?? 'INLINE';
  if (mode !== 'INLINE' && mode !== 'DISTRIBUTED') complain(`Mode '${mode}'`, 'write INLINE or DISTRIBUTED');
  if (mode === 'DISTRIBUTED') checkDistributed(state, processor, complain);
  checkStates(processor, { ...check, iterations: mode === 'DISTRIBUTED' ? 'none' : 'inline' });
}

function checkDistributed(state: State, { ProcessorConfig }: ItemProcessor, complain: Complain): void {
  const type = ProcessorConfig?.ExecutionType;
  if (type !== 'STANDARD' && type !== 'EXPRESS') complain('no ExecutionType', 'write STANDARD or EXPRESS');
  if (state.ItemReader && state.ItemsPath) complain('ItemsPath beside ItemReader', 'leave ItemsPath out');
  if (state.ItemReader) checkReader(state, complain);
  const writer = state.ResultWriter;
  if (writer && !writer.Resource && !writer.WriterConfig) {
    complain('an empty ResultWriter', 'give it Resource and Parameters');
  }
  if (writer?.Resource && writer.Resource !== 'arn:aws:states:::s3:putObject') {
    complain(`ResultWriter of '${writer.Resource}'`, 'write arn:aws:states:::s3:putObject');
  }
}

function checkReader({ ItemReader }: State, complain: Complain): void {
  const { Resource, ReaderConfig = {} } = ItemReader!;
  const { InputType } = ReaderConfig;
  for (const field of ['ManifestType', 'Transformation'] as const) {
    if (ReaderConfig[field] && ReaderConfig[field] !== 'NONE') {
      complain(`${field} ${ReaderConfig[field]} is not run locally`, 'read one JSON, JSONL or CSV file');
    }
  }
  if (Resource === 'arn:aws:states:::s3:listObjectsV2') return;
  if (Resource !== 'arn:aws:states:::s3:getObject') {
    complain(`ItemReader of '${Resource}'`, 'write arn:aws:states:::s3:getObject or …:listObjectsV2');
  }
  if (!InputType || !Object.hasOwn(FORMATS, InputType)) {
    complain(`InputType ${InputType} is not run locally`, `write ${Object.keys(FORMATS).join(', ')}`);
  }
  if (!/^(?:\/(?!\d+(?:\/|$))[^/.*]+)*$/.test(ReaderConfig.ItemsPointer ?? '')) {
    complain(`ItemsPointer ${ReaderConfig.ItemsPointer}`, 'write names without dots, stars and indexes');
  }
  if (InputType === 'CSV' && !['FIRST_ROW', 'GIVEN'].includes(ReaderConfig.CSVHeaderLocation!)) {
    complain('CSV without CSVHeaderLocation', 'write FIRST_ROW, or GIVEN with CSVHeaders');
  }
}

const PATH_FIELDS = [
  ...['InputPath', 'OutputPath', 'ItemsPath', 'MaxConcurrencyPath', 'TimeoutSecondsPath', 'SecondsPath'],
  ...[
    'TimestampPath',
    'ErrorPath',
    'CausePath',
    'ToleratedFailureCountPath',
    'ToleratedFailurePercentagePath',
  ],
] as const;

function checkPaths(state: State, check: Check, complain: Complain): void {
  for (const field of PATH_FIELDS) checkPath(field, state[field], check, complain);
  const resultPaths = [state.ResultPath, ...(state.Catch ?? []).map((catcher) => catcher.ResultPath)];
  for (const path of resultPaths) {
    checkPath('ResultPath', path, check, complain);
    if (path?.startsWith('$$')) complain(`ResultPath ${path}`, 'the context object cannot be written to');
  }
  checkTemplates(state, check, complain);
  const { ItemReader, ItemBatcher } = state;
  checkPath('MaxItemsPath', ItemReader?.ReaderConfig?.MaxItemsPath, check, complain);
  checkPath('MaxItemsPerBatchPath', ItemBatcher?.MaxItemsPerBatchPath, check, complain);
  checkPath('MaxInputBytesPerBatchPath', ItemBatcher?.MaxInputBytesPerBatchPath, check, complain);
}

function checkTemplates(state: State, check: Check, complain: Complain): void {
  const seesItem: Check = { ...check, iterations: 'inline' };
  checkTemplate(state.Parameters, state.Type === 'Map' ? seesItem : check, complain);
  checkTemplate(state.ItemSelector, seesItem, complain);
  checkTemplate(state.ResultSelector, check, complain);
  checkTemplate(state.ItemReader?.Parameters, check, complain);
  checkTemplate(state.ItemBatcher?.BatchInput, check, complain);
  checkTemplate(state.ResultWriter?.Parameters, check, complain);
}

function checkTemplate(template: unknown, check: Check, complain: Complain): void {
  if (typeof template !== 'object' || template === null) return;
  for (const [key, value] of Object.entries(template)) {
    if (!key.endsWith('.$') || Array.isArray(template)) checkTemplate(value, check, complain);
    else if (typeof value === 'string' && !value.startsWith('$')) checkIntrinsic(value, check, complain);
    else checkPath(key, value, check, complain);
  }
}

function checkIntrinsic(text: string, check: Check, complain: Complain): void {
  try {
    const pending = [parseIntrinsic(text)];
    for (const expression of pending) {
      if ('path' in expression) checkPath(text, expression.path, check, complain);
      if ('args' in expression) pending.push(...expression.args);
    }
  } catch (error) {
    complain((error as Error).message, 'write a path or another function, or let the task do it');
  }
}

function checkPath(field: string, path: unknown, check: Check, complain: Complain): void {
  if (path === undefined || path === null) return;
  if (typeof path !== 'string' || !parsePath(path)) {
    const instead = 'write a plain path such as $.images[0].key: no wildcards, filters, slices or functions';
    complain(`${field} ${JSON.stringify(path)} is not run locally`, instead);
    return;
  }
  if (path === '$$' || /^\$\$\.(?:Task)\b/.test(path)) {
    complain(`${field} ${path} is not run locally`, 'write $$.Execution, $$.State or $$.StateMachine');
  }
  if (path.startsWith('$$.Map') && check.iterations === 'none') {
    complain(`${field} ${path} is seen by ItemSelector only`, 'hand the value on with ItemSelector');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
