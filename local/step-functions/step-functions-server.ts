import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface StepFunctionsServerOptions {
  /** Starts an execution; it is not waited for. */
  run(execution: { readonly name: string; readonly input: unknown; readonly startedAt: Date }): void;
  /** Why a request with these headers is refused; undefined when it is accepted. */
  refuse(headers: IncomingHttpHeaders): string | undefined;
}

/**
 * Serves the one call of the Step Functions API that the handlers make, StartExecution, on loopback: start-job runs
 * here as it runs deployed. A name that was used before with another input is refused, as AWS refuses it.
 */
export async function startStepFunctionsServer(options: StepFunctionsServerOptions) {
  const executions: Parameters<typeof startExecution>[1] = new Map();
  const server = createServer(async (request, response) => {
    const answer = await startExecution(request, executions, options).catch((error: Error) =>
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
  executions: Map<string, { executionArn: string; startDate: number; input: string }>,
  { run, refuse }: StepFunctionsServerOptions,
): Promise<object> {
  const reason = refuse(request.headers);
  if (reason) return refusal('AccessDeniedException', reason);
  const action = String(request.headers['x-amz-target']);
  if (action !== 'AWSStepFunctions.StartExecution')
    return refusal('NotImplemented', `${action} is not supported locally`);
  const { name, input, stateMachineArn } = (await json(request)) as Record<
    'name' | 'input' | 'stateMachineArn',
    string
  >;
  const known = executions.get(name);
  if (known && known.input !== input)
    return refusal('ExecutionAlreadyExists', `Execution Already Exists: '${known.executionArn}'`);
  if (known) return { executionArn: known.executionArn, startDate: known.startDate };
  const startedAt = new Date();
  const startDate = startedAt.getTime() / 1000;
  const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
  executions.set(name, { executionArn, startDate, input });
  run({ name, input: JSON.parse(input), startedAt });
  return { executionArn, startDate };
}

function refusal(type: string, message: string) {
  return { __type: type, message };
}
