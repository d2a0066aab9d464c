import type { z } from 'zod';
import { type Machine, machine, type State } from './definition.ts';
import { type Resources, taskIssues, valueAt } from './task-parameters.ts';

/** A definition that does not run here as it runs on AWS. The message names every place in it. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}

/**
 * Compiles a state machine definition before any of it runs: refusing it is better than running it wrongly.
 * @throws DefinitionError naming the state, the field and the value of everything that is not supported
 */
export function parseDefinition(definition: unknown, resources: Resources): Machine {
  const parsed = machine.safeParse(definition);
  const issues = parsed.success ? taskIssues(parsed.data, definition, resources) : parsed.error.issues;
  const names = parsed.success ? wrongNames(parsed.data) : [];
  const refusals = [...issues.flatMap((issue) => refusalsOf(issue, definition)), ...names];
  if (parsed.success && refusals.length === 0) return parsed.data;
  const lines = refusals.map((line) => `- ${line}`).join('\n');
  throw new DefinitionError(`The state machine does not run locally as it runs on AWS:\n${lines}`);
}

function refusalsOf(issue: z.core.$ZodIssue, definition: unknown): string[] {
  if (issue.code !== 'unrecognized_keys') return [refusal(issue.path, definition, issue.message)];
  return issue.keys.map((key) => refusal([...issue.path, key], definition, 'the field is not supported'));
}

/** `CompressBatches: ItemReader.ReaderConfig.InputType "CSV": expected "JSONL"` */
function refusal(place: readonly PropertyKey[], definition: unknown, reason: string): string {
  const at = place.findLastIndex((_key, n) => place[n - 1] === 'States');
  const name = at < 0 ? 'The machine' : String(place[at]);
  const field = place.slice(at + 1).join('.');
  const given = JSON.stringify(valueAt(definition, place))?.slice(0, 200) ?? 'missing';
  return `${name}: ${field === '' ? '' : `${field} `}${given}: ${reason.replace('Invalid input: ', '')}`;
}

/** What no field shows by itself: names that are used twice, and transitions to states that do not exist. */
function wrongNames(job: z.infer<typeof machine>): string[] {
  const machines: readonly Machine[] = [
    job,
    ...Object.values(job.States).flatMap((one) => (one.Type === 'Map' ? [one.ItemProcessor] : [])),
  ];
  const names = machines.flatMap(({ States }) => Object.keys(States));
  const twice = names.filter((name, n) => names.indexOf(name) !== n);
  return [...twice.map((name) => `${name}: the name is used twice`), ...machines.flatMap(wrongTransitions)];
}

function wrongTransitions({ StartAt, States }: Machine): string[] {
  const transitions = Object.entries(States).flatMap(([name, one]) =>
    targetsOf(one).map((target) => [name, target] as const),
  );
  return [['StartAt', StartAt] as const, ...transitions]
    .filter(([, target]) => target !== undefined && !Object.hasOwn(States, target))
    .map(([name, target]) => `${name}: the next state "${target}" does not exist`);
}

function targetsOf(one: State): (string | undefined)[] {
  if (one.Type === 'Choice') return [one.Default, ...one.Choices.map(({ next }) => next)];
  const caught = 'Catch' in one ? one.Catch.map(({ Next }) => Next) : [];
  return ['Next' in one ? one.Next : undefined, ...caught];
}
