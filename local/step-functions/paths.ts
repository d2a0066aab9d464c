import { StatesError } from './states-error.ts';

/** What the paths of a state can read: `$` is `data`, `$$` is `context`. */
export interface Scope {
  readonly data: unknown;
  readonly context: Context;
}

export interface Context {
  readonly executionName: string;
  readonly startedAt: Date;
  /** The item of a Distributed Map; only its ItemSelector reads it. */
  readonly item?: unknown;
}

/** A parsed reference path such as `$.plan.batches` or `$$.Execution.Name`. */
export interface Path {
  readonly text: string;
  readonly root: (scope: Scope) => unknown;
  readonly steps: readonly string[];
}

/** Where a path may begin: each root with the value it stands for. */
export type Roots = Readonly<Record<string, Path['root']>>;

export const DATA_ROOTS: Roots = { $: ({ data }) => data };
export const STATE_ROOTS: Roots = {
  ...DATA_ROOTS,
  '$$.Execution.Name': ({ context }) => context.executionName,
  '$$.Execution.StartTime': ({ context }) => context.startedAt.toISOString(),
};
export const ITEM_ROOTS: Roots = { ...STATE_ROOTS, '$$.Map.Item.Value': ({ context }) => context.item };

/** @throws SyntaxError for another root, and for wildcards, filters, slices, indexes and quoted names */
export function parsePath(text: unknown, roots: Roots): Path {
  const found = Object.entries(roots).find(([name]) => `${text}.`.startsWith(`${name}.`));
  if (!found) throw new SyntaxError(`'${text}' does not begin with ${Object.keys(roots).join(', ')}`);
  const [name, root] = found;
  const rest = String(text).slice(name.length);
  if (typeof text !== 'string' || !/^(?:\.[\p{L}\p{N}_-]+)*$/u.test(rest))
    throw new SyntaxError(`'${text}' is not a path of plain names`);
  return { text, root, steps: rest.split('.').slice(1) };
}

/** @throws StatesError `States.Runtime` when the path has no value */
export function readPath({ text, root, steps }: Path, scope: Scope): unknown {
  const start = root(scope);
  const value = steps.reduce<unknown>(fieldOf, start);
  if (value !== undefined) return value;
  const cause = `The JSONPath '${text}' could not be found in the input '${shortened(start)}'.`;
  throw new StatesError('States.Runtime', cause);
}

/**
 * Returns `target` with `value` at the path of a ResultPath; missing objects are created, `target` is not changed.
 * @throws StatesError `States.ResultPathMatchFailure`
 */
export function writePath(path: Path, target: unknown, value: unknown): unknown {
  const [name, ...steps] = path.steps;
  if (name === undefined) return value;
  const object = target === undefined ? {} : target;
  if (!isObject(object)) {
    const cause = `Unable to apply ResultPath '${path.text}' to the state's input '${shortened(object)}'.`;
    throw new StatesError('States.ResultPathMatchFailure', cause);
  }
  return { ...object, [name]: writePath({ ...path, steps }, fieldOf(object, name), value) };
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
