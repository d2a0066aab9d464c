/** functions/compress-batch.ts with a codec that some images crash. */

import { compressBatch } from '../../../src/compress/compress-batch.ts';
import type { BatchRef } from '../../../src/core/job.ts';
import { environment } from '../../../src/hosts/environment.ts';
import { lambdaLimits } from '../../../src/hosts/lambda-limits.ts';
import { log } from '../../../src/hosts/log.ts';
import { createS3Client, createS3Store } from '../../../src/store/s3-store.ts';
import { poisonedCodec } from './poisoned-codec.ts';

const store = createS3Store(createS3Client());

export const handler = (ref: BatchRef) =>
  compressBatch(ref, {
    store,
    workBucket: environment('WORK_BUCKET'),
    log,
    closing: new AbortController().signal,
    ...lambdaLimits(1769),
    compress: poisonedCodec,
  });
