import { evaluateIntrinsic } from './intrinsics.ts';
import { StatesError } from './states-error.ts';

/** What paths of a state can see: `$` is `data`, `$$` is `context`. */
export interface Scope {
  readonly data: unknown;
  readonly context: unknown;
}

type Steps = readonly (string | number)[];

/** Reads a reference path such as `$.images[0].key` or `$$.Execution.Name`. @throws StatesError States.Runtime */
export function readPath(path: string, scope: Scope): unknown {
  const value = findPath(path, scope);
  if (value === undefined) {
    throw new StatesError(
      'States.Runtime',
      `The JSONPath '${path}' could not be found in the input '${shortened(path.startsWith('$$') ? scope.context : scope.data)}'.`,
    );
  }
  return value;
}

/** As readPath, but undefined where there is nothing. */
export function findPath(path: string, scope: Scope): unknown {
  const root = path.startsWith('$$') ? scope.context : scope.data;
  return stepsOf(path).reduce<unknown>(step, root);
}

/** The steps of a reference path, or undefined for what is none (wildcards, filters, slices, negative indexes). */
export function parsePath(path: string): Steps | undefined {
  const text = path.replace(/^\$\$?/, '');
  if (text === path) return undefined;
  const steps: (string | number)[] = [];
  const pattern = /\.([\p{L}\p{N}_-]+)|\[(\d+)\]|\['([^'\\]+)'\]|\["([^"\\]+)"\]/uy;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (!match) return undefined;
    steps.push(match[2] === undefined ? (match[1] ?? match[3] ?? match[4])! : Number(match[2]));
  }
  return steps;
}

/** Puts `value` at a ResultPath of `target`, making the objects on the way; `target` itself is left as it is. */
export function writePath(path: string, target: unknown, value: unknown): unknown {
  return writeSteps(stepsOf(path), target, value, path);
}

/** Fills a payload template: every field `name.$` is replaced by what its path or intrinsic function gives. */
export function fillTemplate(template: unknown, scope: Scope): unknown {
  if (Array.isArray(template)) return template.map((value) => fillTemplate(value, scope));
  if (typeof template !== 'object' || template === null) return template;
  const filled: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(template)) {
    if (key.endsWith('.$')) filled[key.slice(0, -2)] = evaluate(String(value), scope);
    else filled[key] = fillTemplate(value, scope);
  }
  return filled;
}

function evaluate(expression: string, scope: Scope): unknown {
  if (expression.startsWith('$')) return readPath(expression, scope);
  return evaluateIntrinsic(expression, (path) => readPath(path, scope));
}

function stepsOf(path: string): Steps {
  const steps = parsePath(path);
  if (!steps) throw new StatesError('States.Runtime', `'${path}' is no reference path.`);
  return steps;
}

function step(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value) !== (typeof key === 'number')) return undefined;
  return Object.hasOwn(value, key) ? (value as Record<string | number, unknown>)[key] : undefined;
}

function writeSteps(steps: Steps, target: unknown, value: unknown, path: string): unknown {
  const [key, ...rest] = steps;
  if (key === undefined) return value;
  const inside = target === undefined ? {} : target;
  const fits =
    typeof inside === 'object' && inside !== null && Array.isArray(inside) === (typeof key === 'number');
  if (!fits || (Array.isArray(inside) && Number(key) >= inside.length)) {
    throw new StatesError(
      'States.ResultPathMatchFailure',
      `Unable to apply ResultPath '${path}' to the state's input '${shortened(target)}'.`,
    );
  }
  const written = writeSteps(rest, step(inside, key), value, path);
  return Array.isArray(inside) ? inside.with(Number(key), written) : { ...inside, [key]: written };
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
