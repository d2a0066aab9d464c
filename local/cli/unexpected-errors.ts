import { printable } from './terminal-text.ts';

interface LoggedError {
  readonly source?: string;
  readonly error: ErrorText;
}

interface ErrorText {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: ErrorText;
}

/** The stack of an unexpected error as lines for the terminal, when this log line of a function or task carries one. */
export function unexpectedErrorIn(logLine: string): string | undefined {
  if (!logLine.includes('"message":"unexpected error"')) return undefined;
  try {
    const { source, error } = JSON.parse(logLine) as LoggedError;
    const title = source === undefined ? 'Unexpected error' : `Unexpected error with ${source}`;
    return [title, ...stackLines(error)].map(printable).join('\n');
  } catch {
    return undefined;
  }
}

function stackLines({ name, message, stack, cause }: ErrorText): string[] {
  const lines = (stack ?? `${name}: ${message}`).split('\n');
  if (!cause?.message) return lines;
  return [...lines, 'caused by', ...stackLines(cause)];
}
