import type { z } from 'zod';
import { didYouMean, nearestWords } from './did-you-mean.ts';
import { JOB_SETTINGS, settingsIn, UPLOAD_SETTINGS } from './schema.ts';

/** An input that cannot be obeyed; `problems` names every setting at fault with its rule and its value. */
export class JobInputError extends Error {
  override name = 'JobInputError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Checks settings one by one and fills in every default.
 * @throws JobInputError naming each setting at fault: `'encoding.quality' must be 1 to 100, '700' given`
 */
export function parseSettings<Schema extends z.ZodObject>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new JobInputError(parsed.error.issues.flatMap((issue) => problemsOf(issue, input, schema)));
}

/**
 * What is wrong with one value; undefined where nothing is.
 * @param name what the user calls the setting: `--format`
 */
export function problemWith(rule: z.ZodType, value: unknown, name: string): string | undefined {
  const issue = rule.safeParse(value).error?.issues[0];
  return issue && brokenRule(issue, value, name);
}

/** The value at a path such as `encoding.mode`; undefined where there is none. */
export function valueAt(input: unknown, path: string): unknown {
  const steps = path === '' ? [] : path.split('.');
  return steps.reduce<unknown>((within, step) => Object(within)[step], input);
}

/** `'70' given` */
export function given(value: unknown): string {
  if (value === undefined) return 'nothing given';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `'${text.length > 120 ? `${text.slice(0, 119)}…` : text}' given`;
}

function problemsOf(issue: z.core.$ZodIssue, input: unknown, schema: z.ZodObject): string[] {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys')
    return [brokenRule(issue, valueAt(input, path), path === '' ? 'input' : path)];
  return issue.keys.map((key) => {
    const full = path === '' ? key : `${path}.${key}`;
    return unknownSetting(full, given(Object(valueAt(input, path))[key]), schema);
  });
}

function unknownSetting(path: string, value: string, schema: z.ZodObject): string {
  const known = pathsIn(schema);
  const isJob = schema === JOB_SETTINGS;
  const isOfOther = pathsIn(isJob ? UPLOAD_SETTINGS : JOB_SETTINGS).includes(path);
  if (isOfOther && !known.includes(path))
    return `'${path}' works only in ${isJob ? 'UPLOAD_SETTINGS' : 'jobs'}, ${value}`;
  const hint = known.includes(path)
    ? `write '${nameOf(path)}' inside '${groupOf(path)}'`
    : (didYouMean(similarSettings(path, known)) ??
      `known here: ${inGroup(groupOf(path), known).map(nameOf).join(', ')}`);
  return `unknown setting '${path}'; ${hint} (${value})`;
}

function brokenRule(issue: z.core.$ZodIssue, value: unknown, name: string): string {
  const words = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const hint = typeof value === 'string' && didYouMean(nearestWords(value, words));
  return `'${name}' ${issue.message}, ${given(value)}${hint ? `; ${hint}` : ''}`;
}

/** Those in the same place, or else those in any other. */
function similarSettings(path: string, known: readonly string[]): readonly string[] {
  const similar = nearestWords(nameOf(path), known, nameOf);
  const siblings = inGroup(groupOf(path), similar);
  return siblings.length > 0 ? siblings : similar;
}

/** Of all settings and groups. */
function pathsIn(schema: z.ZodObject): readonly string[] {
  const paths = settingsIn(schema).flatMap(({ path }) => [groupOf(path), path]);
  return [...new Set(paths)].filter((path) => path !== '');
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('.') + 1);
const groupOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('.')));
const inGroup = (group: string, paths: readonly string[]) => paths.filter((path) => groupOf(path) === group);
