/** What scripts may rely on; 130 is the shells' own for Ctrl-C. */
export const EXIT = { done: 0, someFailed: 1, usage: 2, jobFailed: 3, interrupted: 130 } as const;
