/** fargate/main.ts with a codec that some images crash. */
import { fileURLToPath } from 'node:url';
import { endWithSupervisor, supervise } from '../../../fargate/supervise.ts';
import { compressBatch } from '../../../src/compress/compress-batch.ts';
import { environment } from '../../../src/hosts/environment.ts';
import { log } from '../../../src/hosts/log.ts';
import { createS3Client, createS3Store } from '../../../src/store/s3-store.ts';
import { poisonedCodec } from './poisoned-codec.ts';

if (process.argv[2] === '--worker') {
  endWithSupervisor();
  await compressBatch(JSON.parse(environment('BATCH_REF')), {
    store: createS3Store(createS3Client()),
    workBucket: environment('JOB_BUCKET'),
    log,
    concurrency: 4,
    closing: new AbortController().signal,
    memoryBytes: 1e9,
    compress: poisonedCodec,
  });
} else {
  process.exitCode = await supervise({
    program: fileURLToPath(import.meta.url),
    environment: process.env,
    maxRestarts: 25,
    onCrash: ({ cause }) => console.log(`the worker crashed: ${cause}`),
  });
}
