import type { Logger } from '@aws-lambda-powertools/logger';
import type { Outcome } from '../core/image-result.ts';
import { ObjectStoreError } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/**
 * The outcome of compressing one image, as results and reports carry it. What it throws is its outcome, too; the error
 * of an unexpected failure, and what an engine said, is logged once. Never throws.
 */
export async function outcomeOrError(
  compressing: Promise<Outcome>,
  { bucket, key }: S3Location,
  job: { readonly jobId?: string; readonly batchId?: string },
  log: Pick<Logger, 'error'>,
): Promise<Outcome> {
  const outcome = await compressing.catch(outcomeOfError);
  if (outcome.status !== 'failed') return outcome;
  const { cause, ...failed } = outcome;
  const place = { ...job, source: formatS3Uri({ bucket, key }), key };
  if (failed.code !== 'Unexpected') {
    if (cause !== undefined) log.error('an engine refused an image', { ...place, code: failed.code, error: cause });
    return failed;
  }
  const error = cause instanceof Error ? cause : new Error(failed.message, { cause });
  log.error('unexpected error', { ...place, error });
  return { ...failed, message: `Unexpected error: ${failed.message}` };
}

function outcomeOfError(cause: unknown): Outcome {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof ObjectStoreError ? cause.code : 'Unexpected';
  if (code === 'Archived') return { status: 'skipped', reason: 'archived' };
  if (code === 'PreconditionFailed') return { status: 'skipped', reason: 'changed-meanwhile' };
  if (code === 'TooLarge') return { status: 'failed', code, message, hostTooSmall: true };
  return code === 'Unexpected' ? { status: 'failed', code, message, cause } : { status: 'failed', code, message };
}
