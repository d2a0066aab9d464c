import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { untrustedHost } from '../s3/loopback.ts';

export interface StepFunctionsServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** What the server knows of an execution. */
interface Started {
  readonly executionArn: string;
  readonly startDate: number;
  readonly input: string;
}

/**
 * The one call of the Step Functions API that the handlers make, StartExecution, on loopback: so that start-job runs
 * here as it runs deployed. A name that was used before is refused, as AWS refuses it.
 */
export async function startStepFunctionsServer(
  run: (execution: { readonly name: string; readonly input: unknown; readonly startedAt: Date }) => void,
): Promise<StepFunctionsServer> {
  const executions = new Map<string, Started>();
  const server = createServer(async (request, response) => {
    const answer = await startExecution(request, executions, run).catch((error: Error) =>
      refusal('InternalError', error.message),
    );
    response.writeHead('__type' in answer ? 400 : 200, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function startExecution(
  request: IncomingMessage,
  executions: Map<string, Started>,
  run: Parameters<typeof startStepFunctionsServer>[0],
): Promise<object> {
  const stranger = untrustedHost(request.headers);
  if (stranger) return refusal('AccessDeniedException', stranger);
  const action = String(request.headers['x-amz-target']);
  if (action !== 'AWSStepFunctions.StartExecution')
    return refusal('NotImplemented', `${action} is not answered locally`);
  const { name, input, stateMachineArn } = await bodyOf(request);
  const known = executions.get(name);
  if (known?.input === input) return { executionArn: known.executionArn, startDate: known.startDate };
  if (known) return refusal('ExecutionAlreadyExists', `Execution Already Exists: '${known.executionArn}'`);
  const startedAt = new Date();
  const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
  executions.set(name, { executionArn, startDate: startedAt.getTime() / 1000, input });
  run({ name, input: JSON.parse(input), startedAt });
  return { executionArn, startDate: startedAt.getTime() / 1000 };
}

async function bodyOf(
  request: IncomingMessage,
): Promise<{ name: string; input: string; stateMachineArn: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function refusal(type: string, message: string) {
  return { __type: type, message };
}
