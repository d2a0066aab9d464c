/** functions/compress-batch.ts with a codec that some images take down. */
import { createS3Client, createS3Store } from '../../../src/aws/s3-store.ts';
import { compressBatch } from '../../../src/compress-batch.ts';
import type { BatchRef } from '../../../src/core/job.ts';
import { lambdaRoom } from '../../../src/lambda-room.ts';
import { poisonedCodec } from './poisoned-codec.ts';

const store = createS3Store(createS3Client());

export const handler = (ref: BatchRef) =>
  compressBatch(ref, {
    store,
    workBucket: process.env.WORK_BUCKET!,
    closing: new AbortController().signal,
    ...lambdaRoom(1769),
    compress: poisonedCodec,
  });
