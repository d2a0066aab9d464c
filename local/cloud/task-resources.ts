import type { StateTask } from '../step-functions/execution.ts';
import { StatesError } from '../step-functions/states-error.ts';
import type { LambdaHost } from './lambda-host.ts';
import { type ContainerOptions, createRunTask, type RunTaskRequest } from './run-fargate-task.ts';

export interface TaskResourcesOptions {
  readonly lambda: LambdaHost;
  readonly fargate: ContainerOptions;
}

export type RunTask = (task: StateTask) => Promise<unknown>;

/** A `runTask` for runStateMachine, with a local replacement for each Resource of the project's state machine. */
export function createTaskResources({ lambda, fargate }: TaskResourcesOptions): RunTask {
  const runFargateTask = createRunTask(fargate);
  const resources: Readonly<Record<string, RunTask>> = {
    'arn:aws:states:::lambda:invoke': (task) => invokeFunction(lambda, task),
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
    throw new StatesError(
      'States.Runtime',
      `FunctionName must be a text, ${JSON.stringify(FunctionName)} given.`,
    );
  }
  const payload = await lambda.invoke(nameOf(FunctionName), Payload, signal);
  return { ExecutedVersion: '$LATEST', Payload: payload, StatusCode: 200 };
}

/** `plan-job` of `plan-job`, `plan-job:$LATEST` and `arn:aws:lambda:…:function:plan-job`. */
function nameOf(functionName: string): string {
  return functionName.replace(/^.*:function:/, '').replace(/:[^:]+$/, '');
}
