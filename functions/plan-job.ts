import type { PlanSummary } from '../src/core/plan.ts';
import { environment } from '../src/hosts/environment.ts';
import { lambdaHandler } from '../src/hosts/lambda-handler.ts';
import { closingBefore, MARGINS_MS } from '../src/hosts/lambda-limits.ts';
import { log } from '../src/hosts/log.ts';
import { type PlanRequest, planJob } from '../src/plan/plan-job.ts';
import { createEndpointCheck } from '../src/store/endpoint-check.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';

const store = createS3Store(createS3Client());
const endpointCheck = createEndpointCheck(store);

export const handler = lambdaHandler<PlanRequest, PlanSummary>(async (event, context) => {
  log.appendKeys({ jobId: event.jobId });
  using closing = closingBefore(context.getRemainingTimeInMillis(), MARGINS_MS.calls);
  const plan = await planJob(event, {
    store,
    workBucket: environment('WORK_BUCKET'),
    defaultOutput: `s3://${environment('OUTPUT_BUCKET')}/`,
    endpointCheck,
    closing: closing.signal,
  });
  log.info('job planned', { plan });
  return plan;
});
