import { compressBatch } from '../src/compress/compress-batch.ts';
import type { BatchRef, BatchSummary } from '../src/core/job.ts';
import { environment } from '../src/hosts/environment.ts';
import { lambdaHandler } from '../src/hosts/lambda-handler.ts';
import { closingBefore, lambdaLimits, MARGINS_MS } from '../src/hosts/lambda-limits.ts';
import { log } from '../src/hosts/log.ts';
import { createListingBackoff } from '../src/store/absent-keys-cache.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';

const store = createS3Store(createS3Client());
const listingBackoff = createListingBackoff();

export const handler = lambdaHandler<BatchRef, BatchSummary>(async (ref, context) => {
  log.appendKeys({ jobId: ref.jobId, batchId: ref.batchId });
  using closing = closingBefore(context.getRemainingTimeInMillis(), MARGINS_MS.images);
  const summary = await compressBatch(ref, {
    store,
    listingBackoff,
    workBucket: environment('WORK_BUCKET'),
    log,
    closing: closing.signal,
    largerFollows: process.env.FARGATE === 'deployed',
    ...lambdaLimits(Number(context.memoryLimitInMB)),
  });
  log.info(summary.remaining > 0 ? 'batch handed back' : 'batch done', { summary });
  return summary;
});
