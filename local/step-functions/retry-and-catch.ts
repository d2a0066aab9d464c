import type { Catcher, Retrier } from './definition.ts';

/** Counts the attempts of one visit to a state and returns how long to wait before the next one. */
export class RetryPolicy {
  readonly #retriers: readonly { readonly retrier: Retrier; attempts: number }[];

  constructor(retriers: readonly Retrier[]) {
    this.#retriers = retriers.map((retrier) => ({ retrier, attempts: 0 }));
  }

  /** Seconds until the next attempt, or undefined when `errorName` is not retried (any more). */
  next(errorName: string): number | undefined {
    const found = this.#retriers.find(({ retrier }) => covers(retrier.ErrorEquals, errorName));
    if (!found || found.attempts >= found.retrier.MaxAttempts) return undefined;
    return delaySeconds(found.retrier, found.attempts++);
  }
}

export function findCatcher(catchers: readonly Catcher[], errorName: string): Catcher | undefined {
  return catchers.find(({ ErrorEquals }) => covers(ErrorEquals, errorName));
}

/** Full jitter, the only JitterStrategy that is supported. */
function delaySeconds({ IntervalSeconds, BackoffRate, MaxDelaySeconds }: Retrier, attempts: number): number {
  return Math.random() * Math.min(IntervalSeconds * BackoffRate ** attempts, MaxDelaySeconds);
}

/** No wildcard covers these: they fail the execution unless they are named. */
const NOT_COVERED_BY_WILDCARDS = new Set(['States.DataLimitExceeded', 'States.Runtime']);

function covers(errorEquals: readonly string[], name: string): boolean {
  return errorEquals.some((wanted) => {
    if (wanted === name) return true;
    if (NOT_COVERED_BY_WILDCARDS.has(name)) return false;
    return wanted === 'States.ALL' || (wanted === 'States.TaskFailed' && name !== 'States.Timeout');
  });
}
