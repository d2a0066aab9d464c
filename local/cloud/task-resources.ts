import type { StateMachineHost, StateTask } from '../step-functions/execution.ts';
import { StatesError } from '../step-functions/states-error.ts';
import type { LambdaHost } from './lambda-host.ts';
import { type ContainerOptions, createRunTask, type RunTaskRequest } from './run-fargate-task.ts';

export type RunTask = StateMachineHost['runTask'];

/** A `runTask` for runStateMachine, with a local replacement for each Resource of the project's state machine. */
export function createTaskResources(hosts: { lambda: LambdaHost; fargate: ContainerOptions }): RunTask {
  const runFargateTask = createRunTask(hosts.fargate);
  const resources: Readonly<Record<string, RunTask>> = {
    'arn:aws:states:::lambda:invoke': (task) => invokeFunction(hosts.lambda, task),
    'arn:aws:states:::ecs:runTask.sync': ({ parameters, signal }) =>
      runFargateTask(parameters as RunTaskRequest, signal),
  };
  return async (task) => {
    const resource = resources[task.resource];
    if (resource) return resource(task);
    const known = Object.keys(resources).join(', ');
    const cause = `The Resource '${task.resource}' of ${task.state} does not run locally. Those that do: ${known}.`;
    throw new StatesError('States.Runtime', cause);
  };
}

async function invokeFunction(lambda: LambdaHost, { parameters, signal }: StateTask): Promise<unknown> {
  const { FunctionName, Payload = {} } = parameters as { FunctionName?: unknown; Payload?: unknown };
  if (typeof FunctionName !== 'string') {
    const cause = `FunctionName must be a text, ${JSON.stringify(FunctionName)} given.`;
    throw new StatesError('States.Runtime', cause);
  }
  // `plan-job` of `plan-job`, `plan-job:$LATEST` and `arn:aws:lambda:…:function:plan-job`.
  const name = FunctionName.replace(/^.*:function:/, '').replace(/:[^:]+$/, '');
  return { ExecutedVersion: '$LATEST', Payload: await lambda.invoke(name, Payload, signal), StatusCode: 200 };
}
