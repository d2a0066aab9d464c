import type { JobReport } from '../../src/core/report.ts';

/** What scripts may rely on; 130 is the shells' own for Ctrl-C. */
export const EXIT = { done: 0, someFailed: 1, usage: 2, jobFailed: 3, interrupted: 130 } as const;

/** Errors of PlanJob that say what the user has to change. */
export const USERS_FAULT: ReadonlySet<string> = new Set(['FileListError', 'JobInputError', 'PlanError']);

/** A job whose only fault is that images failed did its work; one that lost some, or did not get through, did not. */
export function exitCodeOf(report: JobReport): number {
  if (report.lost > 0 || (report.status === 'FAILED' && report.failed === 0)) return EXIT.jobFailed;
  return report.failed > 0 ? EXIT.someFailed : EXIT.done;
}
