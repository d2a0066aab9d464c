import { expect, it, onTestFinished } from 'vitest';
import { startStepFunctionsServer } from '../../../local/step-functions/step-functions-server.ts';

const STATE_MACHINE = 'arn:aws:states:us-east-1:000000000000:stateMachine:press';

async function serve(refuse: () => string | undefined = () => undefined) {
  const started: unknown[] = [];
  const server = await startStepFunctionsServer({ run: (execution) => started.push(execution), refuse });
  onTestFinished(server.close);
  const call = async (action: string, name: string, input: object) => {
    const body = JSON.stringify({ name, input: JSON.stringify(input), stateMachineArn: STATE_MACHINE });
    const headers = { 'x-amz-target': `AWSStepFunctions.${action}` };
    const response = await fetch(server.endpoint, { method: 'POST', headers, body });
    return {
      status: response.status,
      body: (await response.json()) as { __type?: string; executionArn?: string },
    };
  };
  return { started, call };
}

it('starts an execution by its name with its input', async () => {
  const { started, call } = await serve();
  const { status, body } = await call('StartExecution', 'job-1', { n: 1 });
  expect(status).toBe(200);
  expect(body.executionArn).toBe('arn:aws:states:us-east-1:000000000000:execution:press:job-1');
  expect(started).toEqual([{ name: 'job-1', input: { n: 1 }, startedAt: expect.any(Date) }]);
});

it('starts an execution once: again with the same input is the same execution, with another an error', async () => {
  const { started, call } = await serve();
  const first = await call('StartExecution', 'job-1', { n: 1 });
  expect(await call('StartExecution', 'job-1', { n: 1 })).toEqual(first);
  const other = await call('StartExecution', 'job-1', { n: 2 });
  expect(other).toMatchObject({ status: 400, body: { __type: 'ExecutionAlreadyExists' } });
  expect(started).toHaveLength(1);
});

it('refuses any other action by name', async () => {
  const { started, call } = await serve();
  const { status, body } = await call('StopExecution', 'job-1', {});
  expect(status).toBe(400);
  expect(body).toMatchObject({ __type: 'NotImplemented', message: expect.stringContaining('StopExecution') });
  expect(started).toEqual([]);
});

it('starts nothing for a request that the caller refuses', async () => {
  const { started, call } = await serve(() => 'not from here');
  const { body } = await call('StartExecution', 'job-1', {});
  expect(body).toMatchObject({ __type: 'AccessDeniedException', message: 'not from here' });
  expect(started).toEqual([]);
});
