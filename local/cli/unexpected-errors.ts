import { parseJson } from '../../src/core/parse-json.ts';
import { printable } from './terminal-text.ts';

type ErrorText = Readonly<Pick<Error, 'name' | 'message' | 'stack'> & { cause?: ErrorText }>;

/** The stack of an unexpected error as lines for the terminal, when this log line of a function or task carries one. */
export function unexpectedErrorIn(logLine: string): string | undefined {
  if (!logLine.includes('"message":"unexpected error"')) return undefined;
  const { source, error } = Object(parseJson(logLine)) as { source?: string; error?: ErrorText };
  if (typeof error?.message !== 'string') return undefined;
  const title = source === undefined ? 'Unexpected error' : `Unexpected error with ${source}`;
  return [title, ...stackLines(error)].map(printable).join('\n');
}

function stackLines({ name, message, stack, cause }: ErrorText): string[] {
  const lines = (stack ?? `${name}: ${message}`).split('\n');
  return cause?.message ? [...lines, 'caused by', ...stackLines(cause)] : lines;
}
