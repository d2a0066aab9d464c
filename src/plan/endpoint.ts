import type { Job } from '../core/job.ts';
import { type EndpointCheck, ObjectStoreError } from '../core/object-store.ts';
import { PlanError } from '../core/plan.ts';

/** Refuses a job in place over buckets where replacing an object is not safe. @throws PlanError, ObjectStoreError */
export async function refuseUnsafeEndpoint(job: Job, buckets: Iterable<string>, check: EndpointCheck): Promise<void> {
  if (job.output !== 'in-place' || job.dryRun) return;
  const problems: string[] = [];
  for (const bucket of buckets) {
    const problem = await problemOf(bucket, check);
    if (problem) problems.push(`the endpoint of s3://${bucket}/ ${problem}`);
  }
  if (problems.length > 0) throw new PlanError(REFUSAL, problems);
}

/** Undefined as well where PlanJob may not write, as in the stack: its role only reads the sources. */
async function problemOf(bucket: string, check: EndpointCheck): Promise<string | undefined> {
  try {
    return await check(bucket);
  } catch (error) {
    if (error instanceof ObjectStoreError && error.code === 'AccessDenied') return undefined;
    throw error;
  }
}

const REFUSAL =
  "'output' must be s3://bucket/prefix/ here: this S3 endpoint lacks what replacing images in place relies on";
