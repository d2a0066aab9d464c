import type { Catcher, Retrier, State } from './definition.ts';

/** Counts the attempts of one visit to a state and answers how long to wait before the next one. */
export class RetryPolicy {
  readonly #retriers: readonly Retrier[];
  readonly #attempts: number[];

  constructor(state: State) {
    this.#retriers = state.Retry ?? [];
    this.#attempts = this.#retriers.map(() => 0);
  }

  /** Seconds until the next attempt, or undefined when `errorName` is not to be retried (any more). */
  next(errorName: string): number | undefined {
    const index = this.#retriers.findIndex((retrier) => covers(retrier.ErrorEquals, errorName));
    if (index < 0) return undefined;
    const retrier = this.#retriers[index]!;
    const made = this.#attempts[index]!;
    if (made >= (retrier.MaxAttempts ?? 3)) return undefined;
    this.#attempts[index] = made + 1;
    return delaySeconds(retrier, made);
  }
}

export function findCatcher(state: State, errorName: string): Catcher | undefined {
  return state.Catch?.find((catcher) => covers(catcher.ErrorEquals, errorName));
}

function delaySeconds(retrier: Retrier, attemptsMade: number): number {
  const grown = (retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** attemptsMade;
  const capped = Math.min(grown, retrier.MaxDelaySeconds ?? Number.POSITIVE_INFINITY);
  return retrier.JitterStrategy === 'FULL' ? Math.random() * capped : capped;
}

/** These two fail the execution whatever the wildcards say. */
const BEYOND_WILDCARDS = new Set(['States.DataLimitExceeded', 'States.Runtime']);

function covers(errorEquals: readonly string[], name: string): boolean {
  return errorEquals.some((wanted) => {
    if (wanted === name) return true;
    if (BEYOND_WILDCARDS.has(name)) return false;
    return wanted === 'States.ALL' || (wanted === 'States.TaskFailed' && name !== 'States.Timeout');
  });
}
