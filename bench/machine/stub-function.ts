/** functions/compress-batch.ts with a codec that costs nothing: half of the bytes, at once. */

import { compressBatch } from '../../src/compress/compress-batch.ts';
import type { ImageContext } from '../../src/compress/image-context.ts';
import type { BatchRef } from '../../src/core/job.ts';
import { environment } from '../../src/hosts/environment.ts';
import { lambdaLimits } from '../../src/hosts/lambda-limits.ts';
import { log } from '../../src/hosts/log.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';

const store = createS3Store(createS3Client());

const stub: ImageContext['compress'] = async (bytes) => ({
  status: 'compressed',
  bytes: bytes.subarray(0, bytes.length >> 1),
  contentType: 'image/jpeg',
  encoding: { format: 'jpeg', lossless: false, quality: 78, effort: 'best', progressive: true },
});

export const handler = (ref: BatchRef) =>
  compressBatch(ref, {
    store,
    workBucket: environment('WORK_BUCKET'),
    log,
    closing: new AbortController().signal,
    ...lambdaLimits(1769),
    compress: stub,
  });
