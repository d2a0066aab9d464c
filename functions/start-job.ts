import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { SFNClient } from '@aws-sdk/client-sfn';
import middy from '@middy/core';
import type { S3Event } from 'aws-lambda';
import { environment } from '../src/hosts/environment.ts';
import { log } from '../src/hosts/log.ts';
import { createStartExecution } from '../src/start/start-execution.ts';
import { type StartedJob, startJobs } from '../src/start/start-job.ts';

const stepFunctions = new SFNClient({});

// 0: middy's early timeout would abandon work that still runs.
export const handler = middy<S3Event, StartedJob[]>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(log))
  .handler(async (event) => {
    const startExecution = createStartExecution(stepFunctions, environment('STATE_MACHINE_ARN'));
    const jobs = await startJobs(event, startExecution);
    for (const job of jobs) log.info('job started', { ...job });
    return jobs;
  });
