import type { Job } from '../core/job.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import { PlanError } from '../core/plan.ts';
import { statusOf } from '../store/s3-errors.ts';

/**
 * Refuses a job that would destroy originals: lossy, in place, without `backup`, and in a bucket that keeps no versions.
 * Where S3 does not say whether it keeps them, it counts as a bucket that does not.
 * @throws PlanError that names the buckets and the ways out; ObjectStoreError when S3 asks to slow down
 */
export async function refuseIrreversible(job: Job, buckets: Iterable<string>, store: ObjectStore): Promise<void> {
  if (!mayDestroyOriginals(job)) return;
  const problems: string[] = [];
  for (const bucket of buckets) {
    const problem = await problemOf(bucket, store);
    if (problem) problems.push(`s3://${bucket}/ ${problem}`);
  }
  if (problems.length > 0) throw new PlanError(REFUSAL, problems);
}

const REFUSAL =
  'An in-place job that is not lossless must keep the originals, and this one keeps them nowhere: ' +
  "switch on versioning of the bucket, or set 'backup' to s3://bucket/prefix/, " +
  'or set "irreversible": true to replace them for good ("encoding": {"mode": "lossless"} changes no pixel)';

function mayDestroyOriginals({ output, compression, backup, dryRun, irreversible }: Job): boolean {
  if (output !== 'in-place' || compression.mode === 'lossless') return false;
  return backup === null && !dryRun && !irreversible;
}

async function problemOf(bucket: string, store: ObjectStore): Promise<string | undefined> {
  try {
    return PROBLEMS[await store.versioning(bucket)];
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || !isRefusal(error)) throw error;
    return `does not say whether it keeps versions (${error.message})`;
  }
}

/** S3 answered, and would answer the same again: it denies it, or is a server that does not know the call. */
function isRefusal({ code, cause }: ObjectStoreError): boolean {
  const status = statusOf(cause) ?? 0;
  return code === 'AccessDenied' || code === 'NotFound' || status === 501 || (status >= 400 && status < 429);
}

const PROBLEMS = {
  Enabled: undefined,
  Suspended: 'has suspended versioning: what is replaced now is gone',
  Off: 'has no versions',
} as const;
