import { parsePath, readPath, type Scope, STATE_ROOTS } from './paths.ts';

/** A compiled rule of a Choice state. */
export interface Rule {
  readonly holds: (scope: Scope) => boolean;
  readonly next: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws SyntaxError naming the field or the operator that is not supported */
export function compileRule(rule: unknown): Rule {
  const { Next, And, ...comparison } = Object(rule) as Fields;
  if (typeof Next !== 'string') throw new SyntaxError('expected a rule with Next');
  if (And === undefined) return { holds: compileComparison(comparison), next: Next };
  const [extra] = Object.keys(comparison);
  if (extra !== undefined || !Array.isArray(And) || And.length === 0)
    throw new SyntaxError(`expected And with a list of comparisons${extra ? ` and without '${extra}'` : ''}`);
  const parts = And.map((part: unknown) => compileComparison(Object(part)));
  return { holds: (scope) => parts.every((part) => part(scope)), next: Next };
}

function compileComparison({ Variable, ...comparison }: Fields): Rule['holds'] {
  const [name = '', ...others] = Object.keys(comparison);
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (!operator || others.length > 0) {
    const known = Object.keys(OPERATORS).join(', ');
    throw new SyntaxError(`expected one of ${known}; '${[name, ...others].join("' and '")}' is not supported`);
  }
  const path = parsePath(Variable, STATE_ROOTS);
  const test = operator(comparison[name]);
  return (scope) => test(readPath(path, scope), scope);
}

type Operator = (operand: unknown) => (value: unknown, scope: Scope) => boolean;

/** A value of another type than the operand is no error: the rule does not hold. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: compareTo('string', (value, operand) => value === operand),
  NumericEquals: compareTo('number', (value, operand) => value === operand),
  NumericLessThan: compareTo('number', (value, operand) => value < operand),
  NumericLessThanEquals: compareTo('number', (value, operand) => value <= operand),
  NumericLessThanPath: (operand) => {
    const path = parsePath(operand, STATE_ROOTS);
    return (value, scope) => {
      const limit = readPath(path, scope);
      return typeof value === 'number' && typeof limit === 'number' && value < limit;
    };
  },
};

type Comparable = string | number;

function compareTo(type: 'string' | 'number', holds: (value: Comparable, operand: Comparable) => boolean): Operator {
  const isComparable = (value: unknown): value is Comparable => typeof value === type;
  return (operand) => {
    if (!isComparable(operand)) throw new SyntaxError(`expected a ${type} to compare with`);
    return (value) => isComparable(value) && holds(value, operand);
  };
}
