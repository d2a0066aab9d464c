import { parseJson } from './parse-json.ts';
import type { JobFailure } from './report.ts';

/**
 * An error of the state machine in plain text: Lambda wraps the message in JSON, Fargate returns the description of its
 * whole task.
 */
export function explainFailure(error: string | undefined, cause: string | undefined): JobFailure {
  return { error: error || 'Unknown', cause: shorten(plainCause(cause ?? '')) };
}

const MAX_CAUSE_LENGTH = 600;

function plainCause(cause: string): string {
  const details = Object(cause.startsWith('{') && parseJson(cause)) as Record<string, unknown>;
  if (typeof details.errorMessage === 'string') return details.errorMessage;
  if ('Containers' in details || 'StoppedReason' in details) return plainTask(details);
  return cause;
}

function plainTask(task: Record<string, unknown>): string {
  const containers: { ExitCode?: number; Reason?: string }[] = Array.isArray(task.Containers) ? task.Containers : [];
  const exits = containers.flatMap(({ ExitCode, Reason }) => [
    ...(ExitCode === undefined ? [] : [`exit code ${ExitCode}`]),
    ...(Reason ? [Reason] : []),
  ]);
  const reasons = [task.StopCode, task.StoppedReason].filter((text) => typeof text === 'string');
  return `Fargate task: ${[...reasons, ...exits].join(', ') || 'stopped without a reason'}`;
}

function shorten(text: string): string {
  return text.length <= MAX_CAUSE_LENGTH ? text : `${text.slice(0, MAX_CAUSE_LENGTH)}…`;
}
