import type { Logger } from '@aws-lambda-powertools/logger';
import type { Outcome } from '../core/image-result.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/**
 * Logs the error behind an unexpected failure, once, with its stack and cause.
 * @returns the outcome as results and reports carry it: with the error's message, without the error
 */
export function logUnexpected(
  outcome: Outcome,
  { bucket, key }: S3Location,
  job: { readonly jobId?: string; readonly batchId?: string },
  log: Pick<Logger, 'error'>,
): Outcome {
  if (outcome.status !== 'failed') return outcome;
  const { cause, ...failed } = outcome;
  if (failed.code !== 'Unexpected') return failed;
  const error = cause instanceof Error ? cause : new Error(failed.message, { cause });
  log.error('unexpected error', { ...job, source: formatS3Uri({ bucket, key }), key, error });
  return { ...failed, message: `Unexpected error: ${failed.message}` };
}
