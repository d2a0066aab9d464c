import { FAILURE_CODES, type FailureCode, KEPT_REASONS, type KeptReason, SKIPPED_REASONS } from './image-result.ts';
import { countOf } from './readable.ts';
import { imagesToCheck, type JobReport } from './report.ts';

/** Why images were kept or skipped, the most frequent reason first. */
export function reasonGroups(report: JobReport) {
  const kept = entriesOf(report.keptReasons).map(
    ([reason, count]) => ({ status: 'kept', reason, count, meaning: keptMeaning(reason, report) }) as const,
  );
  const skipped = entriesOf(report.skippedReasons).map(
    ([reason, count]) => ({ status: 'skipped', reason, count, meaning: SKIPPED_REASONS[reason] }) as const,
  );
  return [...kept, ...skipped].sort((a, b) => b.count - a.count);
}

/** Why an image was kept. The job's own `minSavings` is named where the report has the settings. */
export function keptMeaning(reason: KeptReason, { settings }: Pick<JobReport, 'settings'>): string {
  if (reason !== 'no-gain' || !settings) return KEPT_REASONS[reason];
  const { percent, bytes } = settings.compression.minSavings;
  return `saves less than ${percent > 0 ? `${percent} %` : countOf(Math.max(1, bytes), 'byte')} (minSavings)`;
}

/**
 * Failures and losses by code, the most frequent first; `advice` is what to do next. Images that a stopped job has not
 * started are not in it.
 */
export function failureGroups(report: JobReport) {
  const lost = imagesToCheck(report) - report.failed;
  const counts: Partial<Record<FailureCode | 'Lost', number>> = {
    ...report.failureCodes,
    ...(lost > 0 && { Lost: lost }),
  };
  // On the user's own machine nothing was deployed, so there are no deployment parameters to change.
  const local: Partial<Record<FailureCode | 'Lost', string>> = report.folders
    ? { AccessDenied: 'Grant the permission named below.' }
    : {};
  return entriesOf(counts)
    .map(([code, count]) => {
      const { meaning, advice } = GROUPS[code];
      return { code, count, meaning, advice: local[code] ?? advice };
    })
    .sort((a, b) => b.count - a.count);
}

const GROUPS: Readonly<Record<FailureCode | 'Lost', { readonly meaning: string; readonly advice: string }>> = {
  ...FAILURE_CODES,
  Lost: {
    meaning: 'its host stopped before it wrote a result',
    advice: 'Run failed.jsonl again: these images have no result.',
  },
};

function entriesOf<Key extends string>(counts: Partial<Record<Key, number>>): [Key, number][] {
  return Object.entries(counts) as [Key, number][];
}
