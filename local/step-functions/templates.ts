import { compileIntrinsic } from './intrinsics.ts';
import { parsePath, type Roots, readPath, type Scope, STATE_ROOTS } from './paths.ts';
import { StatesError } from './states-error.ts';

/** A compiled payload template: each field `name.$` gets the value of its path or intrinsic function. */
export type Template = (scope: Scope) => unknown;

/** @throws SyntaxError for anything but an object, and for a path or a function that is not supported */
export function compileObject(template: unknown, roots: Roots = STATE_ROOTS): Template {
  if (typeof template === 'object' && template !== null && !Array.isArray(template))
    return compileTemplate(template, roots);
  throw new SyntaxError('expected an object');
}

function compileTemplate(template: unknown, roots: Roots): Template {
  if (typeof template !== 'object' || template === null) return () => template;
  if (Array.isArray(template)) {
    const parts = template.map((part) => compileTemplate(part, roots));
    return (scope) => parts.map((part) => part(scope));
  }
  const fields = Object.entries(template).map(([name, value]) =>
    name.endsWith('.$')
      ? ([name.slice(0, -2), compileExpression(value, roots)] as const)
      : ([name, compileTemplate(value, roots)] as const),
  );
  return (scope) => Object.fromEntries(fields.map(([name, value]) => [name, value(scope)]));
}

function compileExpression(text: unknown, roots: Roots): Template {
  if (typeof text !== 'string') throw new SyntaxError('expected a path or a function in a field that ends in .$');
  if (!text.startsWith('$')) return compileIntrinsic(text, roots);
  const path = parsePath(text, roots);
  return (scope) => readPath(path, scope);
}

/**
 * Compiles the Parameters of an S3 call: exactly the fields `names`, each with a string.
 * @throws SyntaxError naming a field that is missing or unknown
 */
export function compileStrings<Name extends string>(template: unknown, names: readonly Name[]) {
  const given = Object.keys(Object(template)).map((field) => field.replace(/\.\$$/, ''));
  const missing = names.find((name) => !given.includes(name));
  if (missing) throw new SyntaxError(`expected ${names.join(' and ')}; '${missing}' is missing`);
  const unknown = given.find((name) => !names.some((known) => known === name));
  if (unknown) throw new SyntaxError(`expected ${names.join(' and ')}; '${unknown}' is not supported`);
  const filled = compileObject(template);
  return (scope: Scope): Readonly<Record<Name, string>> => {
    const values = filled(scope) as Record<Name, string>;
    const wrong = names.find((name) => typeof values[name] !== 'string' || values[name] === '');
    if (!wrong) return values;
    const cause = `${wrong} must be a string, ${JSON.stringify(values[wrong])} given.`;
    throw new StatesError('States.Runtime', cause);
  };
}
