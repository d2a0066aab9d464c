import type { z } from 'zod';
import type { Machine } from './definition.ts';

/** The Resources that a host runs, each with the schema of the Parameters that it reads. */
export type Resources = Readonly<Record<string, z.ZodType>>;
type Place = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** Issues of Task states whose Resource the host does not run, or whose Parameters it does not read. */
export function taskIssues(machine: Machine, definition: unknown, resources: Resources, place: Place = []) {
  return Object.entries(machine.States).flatMap(([name, one]): Issue[] => {
    const at = [...place, 'States', name];
    if (one.Type === 'Map') return taskIssues(one.ItemProcessor, definition, resources, [...at, 'ItemProcessor']);
    if (one.Type !== 'Task') return [];
    const schema = Object.hasOwn(resources, one.Resource) ? resources[one.Resource] : undefined;
    if (schema) return parameterIssues(schema, definition, [...at, 'Parameters']);
    const message = `expected ${Object.keys(resources).join(' or ')}`;
    return [{ code: 'custom', path: [...at, 'Resource'], message }];
  });
}

function parameterIssues(schema: z.ZodType, definition: unknown, place: Place): Issue[] {
  const parameters = withoutExpressions(valueAt(definition, place));
  const issues = schema.safeParse(parameters).error?.issues ?? [];
  return issues
    .filter(({ code, path }) => code === 'invalid_value' || valueAt(parameters, path) !== EXPRESSION)
    .map((issue) => ({ ...issue, path: [...place, ...issue.path] }));
}

/** The value of a path or a function: any value, but not one that must be fixed. */
const EXPRESSION = Symbol('expression');

/** `{ "a.$": "$.b" }` as `{ a: EXPRESSION }`. */
function withoutExpressions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExpressions);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, part]) =>
    name.endsWith('.$') ? [name.slice(0, -2), EXPRESSION] : [name, withoutExpressions(part)],
  );
  return Object.fromEntries(fields);
}

/** The part of a definition at a place, whose field may have an expression: `name.$`. */
export function valueAt(definition: unknown, place: Place): unknown {
  return place.reduce<unknown>((part, key) => {
    const fields = Object(part);
    return Object.hasOwn(fields, key) ? fields[key] : fields[`${String(key)}.$`];
  }, definition);
}
