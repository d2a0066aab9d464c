import { FAILURE_CODES, type FailureCode } from '../../src/core/image-result.ts';
import type { JobReport } from '../../src/core/report.ts';

/** Scripts may rely on these. 130 is what shells use for Ctrl-C. */
export const EXIT = { done: 0, someFailed: 1, usage: 2, jobFailed: 3, interrupted: 130 } as const;

/** Names of errors of PlanJob that say what the user has to change. */
export const INPUT_ERRORS: ReadonlySet<string> = new Set(['FileListError', 'JobInputError', 'PlanError']);

/** Images with metadata left in them count like failed ones. Failed images alone do not make a job fail; lost images do, and so does a job that did not finish. */
export function exitCodeOf(report: JobReport): number {
  if (report.lost > 0 || (report.status === 'FAILED' && report.failed === 0)) return EXIT.jobFailed;
  const failed = Object.keys(report.failureCodes).map((code) => FAILURE_CODES[code as FailureCode].exitCode);
  return Math.max(EXIT.done, report.metadataLeft > 0 ? EXIT.someFailed : EXIT.done, ...failed);
}
