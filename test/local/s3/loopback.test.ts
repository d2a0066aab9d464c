import { describe, expect, it, onTestFinished } from 'vitest';
import { untrustedHost } from '../../../local/s3/loopback.ts';
import { startStepFunctionsServer } from '../../../local/step-functions/step-functions-server.ts';
import { rawRequest, serveBucket } from '../../support/served-bucket.ts';

describe('the local servers', () => {
  it.each([
    ['by 127.0.0.1', '127.0.0.1:9090', 200],
    ['by localhost', 'LOCALHOST', 200],
    ['by a name that was made to point here', 'evil.example:9090', 403],
    ['by a name that begins like this machine', 'localhost.evil.example', 403],
    ['by an address that begins like it', '127.0.0.1.evil.example', 403],
  ])('are reached %s or not at all', async (_case, host, status) => {
    const { server } = await serveBucket();
    expect(await rawRequest(server, 'GET', '/', { host })).toMatchObject({ status });
  });

  it('refuse web pages, which could send a form to them', async () => {
    const { server } = await serveBucket();
    const headers = { origin: 'https://evil.example', 'content-type': 'text/plain' };
    const answer = await rawRequest(server, 'POST', '/photos?delete', headers, '<Delete></Delete>');
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(answer.body.toString()).toContain('not for web pages');
  });

  it('start no execution for a request from an untrusted host', async () => {
    const started: unknown[] = [];
    const { endpoint, close } = await startStepFunctionsServer({
      run: (execution) => started.push(execution),
      refuse: untrustedHost,
    });
    onTestFinished(close);
    const answer = await rawRequest(
      { port: Number(new URL(endpoint).port) },
      'POST',
      '/',
      { host: 'evil.example', 'x-amz-target': 'AWSStepFunctions.StartExecution' },
      JSON.stringify({ name: 'a', input: '{}', stateMachineArn: 'arn' }),
    );
    expect(answer.status).toBe(400);
    expect(answer.body.toString()).toContain('AccessDenied');
    expect(started).toEqual([]);
  });
});
