import { environment } from '../src/hosts/environment.ts';
import { lambdaHandler } from '../src/hosts/lambda-handler.ts';
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

export const handler = lambdaHandler<ReportJobEvent, ReportSummary>(async (event) => {
  const { jobId, startedAt } = event;
  log.appendKeys({ jobId });
  const workBucket = environment('WORK_BUCKET');
  const { JOB_FILES: jobFiles = `s3://${workBucket}/`, BUCKET_FOLDERS } = process.env;
  const folders = BUCKET_FOLDERS && JSON.parse(BUCKET_FOLDERS);
  const { failure, mapRun } = event.executionState ?? event.course ?? {};
  const request = { jobId, startedAt, failure, mapRun };
  const report = await reportJob(request, { store, workBucket, jobFiles, folders, now: () => new Date() });
  log.info('job reported', { report });
  return report;
});
