import { z } from 'zod';
import { compileRule } from './choice-rules.ts';
import { DATA_ROOTS, ITEM_ROOTS, parsePath, type Scope, STATE_ROOTS } from './paths.ts';
import { compileObject, compileStrings } from './templates.ts';

/**
 * The part of the Amazon States Language (JSONPath) that is supported: every field with how it is read. A field or a
 * value that is not in these tables is refused by parse-definition.ts.
 */

/** Reads a field by `parse`, whose SyntaxError says what was expected. */
function readBy<T>(parse: (value: unknown) => T) {
  return z.unknown().transform((value, context): T => {
    try {
      if (value === undefined) throw new SyntaxError('expected a value');
      return parse(value);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: value });
      return z.NEVER;
    }
  });
}

const wholePath = parsePath('$', DATA_ROOTS);
const path = readBy((text) => parsePath(text, STATE_ROOTS));
const resultPath = readBy((text) => parsePath(text, DATA_ROOTS)).default(wholePath);
const wholeData = ({ data }: Scope): unknown => data;
const template = readBy((value) => compileObject(value)).default(() => wholeData);
const itemTemplate = readBy((value) => compileObject(value, ITEM_ROOTS));
const s3Object = readBy((value) => compileStrings(value, ['Bucket', 'Key']));
const s3Prefix = readBy((value) => compileStrings(value, ['Bucket', 'Prefix']));

/** Node's timers hold 2^31 - 1 ms. */
const MAX_TIMER_SECONDS = 2_147_483;
const seconds = z.number().positive().max(MAX_TIMER_SECONDS);
const errorNames = z.array(z.string()).min(1);

const retrier = z.strictObject({
  ErrorEquals: errorNames,
  IntervalSeconds: seconds,
  MaxAttempts: z.int().min(0),
  BackoffRate: z.number().min(1),
  MaxDelaySeconds: seconds,
  JitterStrategy: z.literal('FULL'),
});
export type Retrier = z.infer<typeof retrier>;

const catcher = z.strictObject({ ErrorEquals: errorNames, ResultPath: resultPath, Next: z.string() });
export type Catcher = z.infer<typeof catcher>;

const ALL_LAST = 'expected States.ALL alone and last';
const retriers = z.array(retrier).refine(isAllLast, ALL_LAST).default([]);
const catchers = z.array(catcher).refine(isAllLast, ALL_LAST).default([]);

function isAllLast(handlers: readonly { readonly ErrorEquals: readonly string[] }[]): boolean {
  return handlers.every(
    ({ ErrorEquals }, n) =>
      !ErrorEquals.includes('States.ALL') || (ErrorEquals.length === 1 && n === handlers.length - 1),
  );
}

const comment = { Comment: z.string().optional() };
const transition = { Next: z.string().optional(), End: z.literal(true).optional() };

function hasOneExit({ Next, End }: { readonly Next?: string; readonly End?: boolean }): boolean {
  return (Next === undefined) === (End === true);
}

const task = z
  .strictObject({
    ...comment,
    ...transition,
    Type: z.literal('Task'),
    Resource: z.string(),
    TimeoutSeconds: seconds.optional(),
    Parameters: template,
    ResultSelector: template,
    ResultPath: resultPath,
    OutputPath: path.default(wholePath),
    Retry: retriers,
    Catch: catchers,
  })
  .refine(hasOneExit, 'expected either Next or End');

const pass = z
  .strictObject({
    ...comment,
    ...transition,
    Type: z.literal('Pass'),
    Parameters: template,
    Result: z.unknown().optional(),
    ResultPath: resultPath,
  })
  .refine(hasOneExit, 'expected either Next or End');

const choice = z.strictObject({
  ...comment,
  Type: z.literal('Choice'),
  Choices: z.array(readBy(compileRule)).min(1),
  Default: z.string(),
});

const succeed = z.strictObject({ ...comment, Type: z.literal('Succeed') });
const fail = z.strictObject({ ...comment, Type: z.literal('Fail'), ErrorPath: path, CausePath: path });

/** What a machine runs: the job itself, or a child execution of its Distributed Map. */
export interface Machine {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

const childState = z.discriminatedUnion('Type', [task, pass, choice, succeed, fail], {
  error: 'expected a state of Type Task, Pass, Choice, Succeed or Fail',
});

const map = z
  .strictObject({
    ...comment,
    ...transition,
    Type: z.literal('Map'),
    Label: z.string().regex(/^[\w-]{1,40}$/),
    MaxConcurrency: z.int().positive(),
    ToleratedFailurePercentage: z.number().min(0).max(100),
    ItemReader: z.strictObject({
      Resource: z.literal('arn:aws:states:::s3:getObject'),
      ReaderConfig: z.strictObject({ InputType: z.literal('JSONL') }),
      Parameters: s3Object,
    }),
    ItemSelector: itemTemplate,
    ItemProcessor: z.strictObject({
      ...comment,
      ProcessorConfig: z.strictObject({ Mode: z.literal('DISTRIBUTED'), ExecutionType: z.literal('STANDARD') }),
      StartAt: z.string(),
      States: z.record(z.string(), childState),
    }),
    ResultWriter: z.strictObject({ Resource: z.literal('arn:aws:states:::s3:putObject'), Parameters: s3Prefix }),
    ResultPath: resultPath,
    Catch: catchers,
  })
  .refine(hasOneExit, 'expected either Next or End');

const state = z.discriminatedUnion('Type', [task, pass, choice, succeed, fail, map], {
  error: 'expected a state of Type Task, Pass, Choice, Succeed, Fail or Map',
});

export const machine = z.strictObject({ ...comment, StartAt: z.string(), States: z.record(z.string(), state) });

export type State = z.infer<typeof state>;
export type StateOf<Type extends State['Type']> = Extract<State, { readonly Type: Type }>;
