import { parsePath, type Roots, readPath, type Scope } from './paths.ts';
import { StatesError } from './states-error.ts';

interface IntrinsicFunction {
  readonly minArguments: number;
  readonly maxArguments: number;
  /** What it throws becomes the Cause of `States.IntrinsicFailure`. */
  readonly run: (...values: unknown[]) => unknown;
}

/** Only these functions are supported: any other is refused by name. */
const FUNCTIONS: Readonly<Record<string, IntrinsicFunction>> = {
  'States.Format': { minArguments: 1, maxArguments: Number.POSITIVE_INFINITY, run: format },
  'States.JsonToString': { minArguments: 1, maxArguments: 1, run: (value) => JSON.stringify(value) },
  'States.MathAdd': { minArguments: 2, maxArguments: 2, run: add },
  'States.StringToJson': { minArguments: 1, maxArguments: 1, run: (text) => JSON.parse(stringFrom(text)) },
};

/**
 * Compiles an intrinsic function such as `States.Format('{}.jpg', $.name)`. Its arguments are quoted strings, numbers
 * and paths.
 * @throws SyntaxError for an unknown function or another argument
 */
export function compileIntrinsic(text: string, roots: Roots) {
  const [, name = text, list = ''] = /^([\w.]+)\((.*)\)$/s.exec(text) ?? [];
  const { minArguments, maxArguments, run } = functionNamed(name);
  const values = parseArguments(list).map((argument) => compileArgument(argument, roots));
  if (values.length < minArguments || values.length > maxArguments)
    throw new SyntaxError(`${name} received ${values.length} arguments`);
  return (scope: Scope): unknown => {
    const given = values.map((value) => value(scope));
    try {
      return run(...given);
    } catch (error) {
      throw new StatesError('States.IntrinsicFailure', `${name} failed: ${(error as Error).message}`);
    }
  };
}

function functionNamed(name: string): IntrinsicFunction {
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (found) return found;
  const known = Object.keys(FUNCTIONS).join(', ');
  throw new SyntaxError(`the function ${name} is not supported; expected a path or one of ${known}`);
}

type Argument = { readonly literal: string | number } | { readonly path: string };

function parseArguments(list: string): Argument[] {
  const argument = /\s*(?:'([^'\\]*)'|(\$[^,()\s]*)|(-?\d+(?:\.\d+)?))\s*(,|$)/y;
  const found: Argument[] = [];
  for (let separator: string | undefined = ','; separator === ','; ) {
    const at = argument.lastIndex;
    const match = argument.exec(list);
    if (!match) throw new SyntaxError(`expected a quoted string, a path or a number at '${list.slice(at).trim()}'`);
    const [, quoted, path, number] = match;
    separator = match[4];
    found.push(path === undefined ? { literal: quoted ?? Number(number) } : { path });
  }
  return found;
}

function compileArgument(argument: Argument, roots: Roots) {
  if ('literal' in argument) return () => argument.literal;
  const path = parsePath(argument.path, roots);
  return (scope: Scope) => readPath(path, scope);
}

function format(template: unknown, ...values: unknown[]): string {
  const [first = '', ...rest] = stringFrom(template).split('{}');
  if (rest.length !== values.length)
    throw new TypeError(`${rest.length} placeholders for ${values.length} values in '${template}'`);
  return rest.reduce((text, part, n) => text + asText(values[n]) + part, first);
}

function add(first: unknown, second: unknown): number {
  if (typeof first !== 'number' || typeof second !== 'number')
    throw new TypeError(`expected two numbers but received ${asText(first)} and ${asText(second)}`);
  return Math.round(first) + Math.round(second);
}

function stringFrom(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`expected a string but received ${asText(value)}`);
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
