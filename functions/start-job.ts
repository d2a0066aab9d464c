import { SFNClient } from '@aws-sdk/client-sfn';
import type { S3Event } from 'aws-lambda';
import { environment } from '../src/hosts/environment.ts';
import { lambdaHandler } from '../src/hosts/lambda-handler.ts';
import { log } from '../src/hosts/log.ts';
import { createStartExecution, startJobs } from '../src/start/start-job.ts';

const stepFunctions = new SFNClient({});

export const handler = lambdaHandler(async (event: S3Event) => {
  const startExecution = createStartExecution(stepFunctions, environment('STATE_MACHINE_ARN'));
  const jobs = await startJobs(event, startExecution);
  for (const job of jobs) log.info('job started', { ...job });
  return jobs;
});
