import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import { environment } from '../src/hosts/environment.ts';
import { log } from '../src/hosts/log.ts';
import { type ReportRequest, type ReportSummary, reportJob } from '../src/report/report-job.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';

export interface ReportJobEvent extends Pick<ReportRequest, 'jobId' | 'startedAt'> {
  /** The input of the ReportJob state: how the map ended. */
  readonly executionState?: Pick<ReportRequest, 'failure' | 'mapRun'>;
  /** The field's name in executions that started before it was renamed. To be removed in the next release. */
  readonly course?: Pick<ReportRequest, 'failure' | 'mapRun'>;
}

const store = createS3Store(createS3Client());

export const handler = middy<ReportJobEvent, ReportSummary>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(log, { resetKeys: true }))
  .handler(async ({ jobId, startedAt, executionState, course }) => {
    log.appendKeys({ jobId });
    const workBucket = environment('WORK_BUCKET');
    const jobFiles = process.env.JOB_FILES ?? `s3://${workBucket}/`;
    const { BUCKET_FOLDERS } = process.env;
    const folders = BUCKET_FOLDERS && JSON.parse(BUCKET_FOLDERS);
    const { failure, mapRun } = executionState ?? course ?? {};
    const request = { jobId, startedAt, failure, mapRun };
    const report = await reportJob(request, { store, workBucket, jobFiles, folders, now: () => new Date() });
    log.info('job reported', { report });
    return report;
  });
