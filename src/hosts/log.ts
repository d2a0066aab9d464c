import { Logger } from '@aws-lambda-powertools/logger';

/** One JSON line per event. Handlers append `jobId` and `batchId`, so that a job can be followed through all hosts. */
export const log = new Logger({ serviceName: 'image-press' });
