import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { compressBytes } from '../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../src/codec/memory-budget.ts';
import { lambdaHandler } from '../src/hosts/lambda-handler.ts';
import { closingBefore, lambdaLimits, MARGINS_MS } from '../src/hosts/lambda-limits.ts';
import { log } from '../src/hosts/log.ts';
import { createEndpointCheck } from '../src/store/endpoint-check.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';
import { recompressUploads, type UploadMetric } from '../src/uploads/recompress-upload.ts';
import { parseUploadSettings } from '../src/uploads/upload-settings.ts';
import { createWriteRateLimit } from '../src/uploads/write-rate-limit.ts';

const store = createS3Store(createS3Client());
const endpointCheck = createEndpointCheck(store);
const settings = parseUploadSettings(process.env.UPLOAD_SETTINGS);
const writeRateLimit = createWriteRateLimit(settings.maxWritesPerHour);
// The function's full name keeps the metrics of stages apart.
const serviceName = process.env.AWS_LAMBDA_FUNCTION_NAME ?? 'recompress-upload';
const metrics = new Metrics({ namespace: 'image-press', serviceName });

/** Time to write a last image and to answer which messages are finished. */
const ANSWER_MS = 5_000;

export const handler = lambdaHandler<SQSEvent, SQSBatchResponse>(async (event, context) => {
  const { concurrency, memoryBytes } = lambdaLimits(Number(context.memoryLimitInMB));
  const budget = createMemoryBudget(memoryBytes);
  const remainingMs = () => context.getRemainingTimeInMillis();
  using closing = closingBefore(remainingMs(), MARGINS_MS.calls);
  using ending = closingBefore(remainingMs(), ANSWER_MS);
  return recompressUploads(event, {
    store,
    compress: (bytes, compression) =>
      compressBytes(bytes, compression, { budget, timeLimitMs: remainingMs() - 3 * ANSWER_MS }),
    settings,
    writeRateLimit,
    endpointCheck,
    concurrency,
    closing: closing.signal,
    ending: ending.signal,
    maxBytes: budget.capacity / concurrency,
    log,
    count: (metric: UploadMetric, value) =>
      metrics.addMetric(metric, metric.startsWith('Bytes') ? MetricUnit.Bytes : MetricUnit.Count, value),
  });
}, logMetrics(metrics));
