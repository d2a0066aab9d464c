import type { Context } from 'aws-lambda';
import { afterEach, expect, test, vi } from 'vitest';
import { ObjectStoreError } from '../../src/core/object-store.ts';
import { lambdaHandler } from '../../src/hosts/lambda-handler.ts';
import { log } from '../../src/hosts/log.ts';
import { JobInputError } from '../../src/settings/problems.ts';

afterEach(() => void vi.restoreAllMocks());

/** The error lines that a handler logs whose work ends with `error`. */
async function errorLinesOf(error: Error) {
  const write = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  const handler = lambdaHandler(async ({ jobId }: { jobId: string }) => {
    log.appendKeys({ jobId });
    throw error;
  });
  const context = { awsRequestId: 'r1', memoryLimitInMB: '128' } as Context;
  await expect(handler({ jobId: 'job-1' }, context)).rejects.toBe(error);
  return write.mock.calls.map(([line]) => JSON.parse(String(line)));
}

test('a bug of ours ends the call, and its stack and cause are logged once with the job', async () => {
  const bug = new TypeError('x is not a function', { cause: new Error('the cause') });
  expect(await errorLinesOf(bug)).toMatchObject([
    {
      level: 'ERROR',
      message: 'unexpected error',
      jobId: 'job-1',
      error: {
        stack: expect.stringContaining('lambda-handler.test.ts'),
        cause: { stack: expect.stringContaining('the cause') },
      },
    },
  ]);
});

test.each([
  new JobInputError(['unknown setting']),
  new ObjectStoreError('AccessDenied', 'PutObject s3://out/a.jpg: access denied'),
])('an error whose message says what to change leaves no stack: %s', async (error) => {
  expect(await errorLinesOf(error)).toEqual([]);
});
