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
  const details = parseObject(cause);
  if (!details) return cause;
  if (typeof details.errorMessage === 'string') return details.errorMessage;
  if ('Containers' in details || 'StoppedReason' in details) return plainTask(details);
  return cause;
}

interface Container {
  readonly ExitCode?: number;
  readonly Reason?: string;
}

function plainTask(task: Record<string, unknown>): string {
  const containers = Array.isArray(task.Containers) ? (task.Containers as Container[]) : [];
  const exits = containers.flatMap(({ ExitCode, Reason }) => [
    ...(ExitCode === undefined ? [] : [`exit code ${ExitCode}`]),
    ...(Reason ? [Reason] : []),
  ]);
  const reasons = [task.StopCode, task.StoppedReason].filter((text) => typeof text === 'string');
  return `Fargate task: ${[...reasons, ...exits].join(', ') || 'stopped without a reason'}`;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function shorten(text: string): string {
  return text.length <= MAX_CAUSE_LENGTH ? text : `${text.slice(0, MAX_CAUSE_LENGTH)}…`;
}
