import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy, { type MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';
import { log, logUnlessExpected } from './log.ts';

/** A Lambda handler around `run`: each log line carries the call's context, and an error of ours leaves its stack. */
export function lambdaHandler<Event, Result>(
  run: (event: Event, context: Context) => Promise<Result>,
  ...middlewares: MiddlewareObj<Event, Result>[]
) {
  // 0: middy's early timeout would abandon work that still runs.
  return middy<Event, Result>({ timeoutEarlyInMillis: 0 })
    .use(injectLambdaContext(log, { resetKeys: true }))
    .use(middlewares)
    .onError(({ error }) => logUnlessExpected(error))
    .handler(run);
}
