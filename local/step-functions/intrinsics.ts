import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { StatesError } from './states-error.ts';

export type Intrinsic =
  | { readonly literal: unknown }
  | { readonly path: string }
  | { readonly call: string; readonly args: readonly Intrinsic[] };

/** Evaluates an intrinsic function such as `States.Format('{}.jpg', $.name)`. @throws StatesError States.IntrinsicFailure */
export function evaluateIntrinsic(text: string, read: (path: string) => unknown): unknown {
  return evaluate(parseIntrinsic(text), read);
}

/** @throws SyntaxError naming what was expected and where */
export function parseIntrinsic(text: string): Intrinsic {
  const reader = { text, at: 0 };
  const parsed = parseExpression(reader);
  skipSpace(reader);
  if (reader.at < text.length || !('call' in parsed)) throw unexpected(reader, 'an intrinsic function');
  return parsed;
}

const FUNCTIONS: Readonly<Record<string, (...args: never[]) => unknown>> = {
  'States.Array': (...items: unknown[]) => items,
  'States.ArrayContains': (items: unknown[], wanted: unknown) =>
    items.some((item) => isDeepStrictEqual(item, wanted)),
  'States.ArrayGetItem': (items: unknown[], index: number) => {
    if (!(index in items)) throw new RangeError(`index ${index} is outside of the array`);
    return items[index];
  },
  'States.ArrayLength': (items: unknown[]) => items.length,
  'States.ArrayPartition': (items: unknown[], size: number) => partition(items, size),
  'States.ArrayRange': (first: number, last: number, increment: number) => range(first, last, increment),
  'States.ArrayUnique': (items: unknown[]) =>
    items.filter((item, n) => items.findIndex((other) => isDeepStrictEqual(item, other)) === n),
  'States.Base64Decode': (text: string) => Buffer.from(text, 'base64').toString('utf8'),
  'States.Base64Encode': (text: string) => Buffer.from(text, 'utf8').toString('base64'),
  'States.Format': (template: string, ...values: unknown[]) => format(template, values),
  'States.Hash': (value: unknown, algorithm: string) =>
    createHash(algorithm.toLowerCase().replace('sha-', 'sha')).update(asText(value)).digest('hex'),
  'States.JsonMerge': (first: object, second: object, deep: boolean) => {
    if (deep) throw new TypeError('only the shallow merge exists (third argument false)');
    return { ...first, ...second };
  },
  'States.JsonToString': (value: unknown) => JSON.stringify(value),
  'States.MathAdd': (first: number, second: number) => Math.round(first) + Math.round(second),
  'States.StringToJson': (text: string) => JSON.parse(text),
  'States.UUID': () => randomUUID(),
};

function evaluate(expression: Intrinsic, read: (path: string) => unknown): unknown {
  if ('literal' in expression) return expression.literal;
  if ('path' in expression) return read(expression.path);
  const args = expression.args.map((argument) => evaluate(argument, read));
  try {
    return FUNCTIONS[expression.call]!(...(args as never[]));
  } catch (error) {
    throw new StatesError(
      'States.IntrinsicFailure',
      `${expression.call} failed: ${(error as Error).message}`,
    );
  }
}

interface Reader {
  readonly text: string;
  at: number;
}

function parseExpression(reader: Reader): Intrinsic {
  skipSpace(reader);
  const string = take(reader, /'((?:[^'\\]|\\['\\])*)'/y);
  if (string) return { literal: string[1]!.replace(/\\(['\\])/g, '$1') };
  const path = take(reader, /\$[^,()\s]*/y);
  if (path) return { path: path[0] };
  const literal = take(reader, /(?:-?\d+(?:\.\d+)?|true|false|null)(?![\w.])/y);
  if (literal) return { literal: JSON.parse(literal[0]) };
  const call = take(reader, /(States\.\w+)\(/y);
  if (!call) throw unexpected(reader, 'a function, a path, a number, true, false, null or a quoted string');
  if (!Object.hasOwn(FUNCTIONS, call[1]!)) throw new SyntaxError(`${call[1]} is not run locally`);
  return { call: call[1]!, args: parseArguments(reader) };
}

function parseArguments(reader: Reader): Intrinsic[] {
  const args: Intrinsic[] = [];
  skipSpace(reader);
  if (take(reader, /\)/y)) return args;
  for (;;) {
    args.push(parseExpression(reader));
    skipSpace(reader);
    if (take(reader, /\)/y)) return args;
    if (!take(reader, /,/y)) throw unexpected(reader, "',' or ')'");
  }
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.text);
  if (match) reader.at = pattern.lastIndex;
  return match;
}

function skipSpace(reader: Reader): void {
  take(reader, /\s*/y);
}

function unexpected({ text, at }: Reader, expected: string): SyntaxError {
  return new SyntaxError(`Expected ${expected} at letter ${at + 1} of "${text}"`);
}

function format(template: string, values: unknown[]): string {
  const places = template.split('{}');
  if (places.length !== values.length + 1) {
    throw new TypeError(`${places.length - 1} places for ${values.length} values in '${template}'`);
  }
  return places.map((text, n) => (n === 0 ? text : asText(values[n - 1]) + text)).join('');
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function partition(items: unknown[], size: number): unknown[][] {
  if (!(size > 0)) throw new RangeError(`a chunk of ${size} items`);
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) =>
    items.slice(n * size, (n + 1) * size),
  );
}

function range(first: number, last: number, increment: number): number[] {
  const length = Math.floor((last - first) / increment) + 1;
  if (!(length <= 1000)) throw new RangeError('an array holds at most 1000 numbers');
  return Array.from({ length: Math.max(0, length) }, (_, n) => first + n * increment);
}
