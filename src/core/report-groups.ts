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
  const advice = report.folders ? { ...ADVICE, AccessDenied: 'Grant the permission named below.' } : ADVICE;
  return entriesOf(counts)
    .map(([code, count]) => ({ code, count, meaning: MEANINGS[code], advice: advice[code] }))
    .sort((a, b) => b.count - a.count);
}

const MEANINGS: Readonly<Record<FailureCode | 'Lost', string>> = {
  ...FAILURE_CODES,
  Lost: 'its host stopped before it wrote a result',
};

const ADVICE: Readonly<Record<FailureCode | 'Lost', string>> = {
  NotFound:
    'Compare the key in the list with the object, character by character: keys are not decoded, + and %20 stand for themselves.',
  AccessDenied:
    'Deploy with --param sourceBuckets=… for buckets that are read, outputBuckets=… for buckets that are written and kmsKeyArns=… for their keys. In another account, the policies of the bucket and of the key must allow access too.',
  CorruptImage: 'Restore the original from a backup: the file is damaged. It was not changed.',
  MetadataLeft:
    "Remove the metadata with another program or convert the image. With metadataLeft 'keep' such images are kept and counted.",
  TooLarge: 'Give the host more memory, or raise limits.maxPixels.',
  EncoderCrash: 'Keep the file as it is, or convert it by hand. The other images of its batch are finished.',
  OutputExists: 'Choose another output prefix, or move the object that is there.',
  Throttled: 'Run failed.jsonl again later, or with a lower concurrency.',
  Unexpected: 'Read the message. Running failed.jsonl again helps only if the cause was temporary.',
  Lost: 'Run failed.jsonl again: these images have no result.',
};

function entriesOf<Key extends string>(counts: Partial<Record<Key, number>>): [Key, number][] {
  return Object.entries(counts) as [Key, number][];
}
