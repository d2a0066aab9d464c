import type { ChoiceRule, State } from './definition.ts';
import { findPath, readPath, type Scope } from './state-data.ts';
import { StatesError } from './states-error.ts';

/** The state that a Choice goes on with. @throws StatesError `States.NoChoiceMatched` */
export function chooseNext(choice: State, scope: Scope): string {
  const rule = choice.Choices!.find((candidate) => holds(candidate, scope));
  const next = rule?.Next ?? choice.Default;
  if (next === undefined) {
    throw new StatesError('States.NoChoiceMatched', 'No rule of the Choice holds, and it has no Default.');
  }
  return next;
}

/** The comparison that a rule makes, or undefined when it has none, several, or one that does not exist. */
export function comparisonOf(rule: ChoiceRule): string | undefined {
  const names = Object.keys(rule).filter((name) => !['Variable', 'Next', 'Comment'].includes(name));
  return names.length === 1 && COMPARISON.test(names[0]!) ? names[0] : undefined;
}

const COMPARISON =
  /^(?:(String|Numeric|Timestamp)(Equals|LessThan|GreaterThan|LessThanEquals|GreaterThanEquals)(Path)?|(Boolean)(Equals)(Path)?|StringMatches|Is(?:Present|Null|Numeric|String|Boolean|Timestamp))$/;

function holds(rule: ChoiceRule, scope: Scope): boolean {
  if (rule.And) return rule.And.every((part) => holds(part, scope));
  if (rule.Or) return rule.Or.some((part) => holds(part, scope));
  if (rule.Not) return !holds(rule.Not, scope);
  const name = comparisonOf(rule)!;
  if (name === 'IsPresent') return (findPath(rule.Variable!, scope) !== undefined) === rule[name];
  const value = readPath(rule.Variable!, scope);
  if (name in TYPE_TESTS) return TYPE_TESTS[name]!(value) === rule[name];
  if (name === 'StringMatches') return typeof value === 'string' && matches(value, String(rule[name]));
  return compare(value, name, rule[name], scope);
}

const TYPE_TESTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  IsNull: (value) => value === null,
  IsNumeric: (value) => typeof value === 'number',
  IsString: (value) => typeof value === 'string',
  IsBoolean: (value) => typeof value === 'boolean',
  IsTimestamp: (value) => asTimestamp(value) !== undefined,
};

type Comparable = string | number | boolean;

/** A value of another type than the comparison's is no error: the rule does not hold. */
const AS_TYPE: Readonly<Record<string, (value: unknown) => Comparable | undefined>> = {
  String: (value) => (typeof value === 'string' ? value : undefined),
  Numeric: (value) => (typeof value === 'number' ? value : undefined),
  Boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  Timestamp: asTimestamp,
};

const ORDER: Readonly<Record<string, (left: Comparable, right: Comparable) => boolean>> = {
  Equals: (left, right) => left === right,
  LessThan: (left, right) => left < right,
  GreaterThan: (left, right) => left > right,
  LessThanEquals: (left, right) => left <= right,
  GreaterThanEquals: (left, right) => left >= right,
};

function compare(value: unknown, name: string, operand: unknown, scope: Scope): boolean {
  const parts = COMPARISON.exec(name)!;
  const type = (parts[1] ?? parts[4])!;
  const order = (parts[2] ?? parts[5])!;
  const isPath = (parts[3] ?? parts[6]) !== undefined;
  const left = AS_TYPE[type]!(value);
  const right = AS_TYPE[type]!(isPath ? readPath(String(operand), scope) : operand);
  return left !== undefined && right !== undefined && ORDER[order]!(left, right);
}

function asTimestamp(value: unknown): number | undefined {
  const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
  if (typeof value !== 'string' || !rfc3339.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

/** `*` stands for any text; `\*` for the letter itself. */
function matches(value: string, pattern: string): boolean {
  const parts = pattern.match(/\\[*\\]|[^*\\]+|\*|\\/g) ?? [];
  const source = parts.map((part) => (part === '*' ? '.*' : literally(part.replace(/^\\([*\\])/, '$1'))));
  return new RegExp(`^${source.join('')}$`, 's').test(value);
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
