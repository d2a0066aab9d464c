import type { Job } from '../core/job.ts';
import type { EndpointCheck } from '../core/object-store.ts';
import { PlanError } from '../core/plan.ts';

/** Refuses a job in place over buckets where replacing an object is not safe. @throws PlanError, ObjectStoreError */
export async function refuseUnsafeEndpoint(job: Job, buckets: Iterable<string>, check: EndpointCheck): Promise<void> {
  if (job.output !== 'in-place' || job.dryRun) return;
  const problems: string[] = [];
  for (const bucket of buckets) {
    const problem = await check(bucket);
    if (problem) problems.push(`the endpoint of s3://${bucket}/ ${problem}`);
  }
  if (problems.length > 0) throw new PlanError(REFUSAL, problems);
}

const REFUSAL =
  "'output' must be s3://bucket/prefix/ here: this S3 endpoint lacks what replacing images in place relies on";
