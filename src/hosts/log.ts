import { Logger } from '@aws-lambda-powertools/logger';

/** One JSON line per event. Handlers append `jobId` and `batchId`, so that a job can be followed through all hosts. */
export const log = new Logger({ serviceName: 'image-press' });

/** Their messages say what the owner of the job has to change; ObjectStoreError, where S3 named the reason. */
const EXPECTED: ReadonlySet<string> = new Set([
  'EnvironmentError',
  'FileListError',
  'JobInputError',
  'ObjectStoreError',
  'PlanError',
]);

/** Logs an error that ends a call, with its stack, unless its message alone says what happened. */
export function logUnlessExpected(error: unknown): void {
  const { name, code } = error as { name?: string; code?: string };
  if (EXPECTED.has(name ?? '') && code !== 'Unexpected') return;
  log.error('unexpected error', error instanceof Error ? error : new Error(String(error)));
}
