import { z } from 'zod';
import type { StateMachineHost } from '../step-functions/execution.ts';
import { StatesError } from '../step-functions/states-error.ts';
import type { LambdaHost } from './lambda-host.ts';
import { type ContainerOptions, createRunTask, runTaskParameters } from './run-fargate-task.ts';

export type RunTask = StateMachineHost['runTask'];

/** The functions of the state machine. */
export const JOB_FUNCTIONS = ['plan-job', 'compress-batch', 'report-job'];

const invokeParameters = z.strictObject({
  FunctionName: z
    .string()
    .refine((name) => JOB_FUNCTIONS.includes(nameIn(name)), `expected one of ${JOB_FUNCTIONS.join(', ')}`),
  Payload: z.unknown().default({}),
});

/** Each Resource of the project's state machine, with the Parameters that its local replacement reads. */
export const TASK_PARAMETERS = {
  'arn:aws:states:::lambda:invoke': invokeParameters,
  'arn:aws:states:::ecs:runTask.sync': runTaskParameters,
};

/** A `runTask` for runStateMachine with TASK_PARAMETERS as its resources. */
export function createTaskResources(hosts: { lambda: LambdaHost; fargate: ContainerOptions }): RunTask {
  const runFargateTask = createRunTask(hosts.fargate);
  const resources: Readonly<Record<keyof typeof TASK_PARAMETERS, RunTask>> = {
    'arn:aws:states:::lambda:invoke': async ({ parameters, signal }) => {
      const { FunctionName, Payload } = evaluated(invokeParameters, parameters);
      const result = await hosts.lambda.invoke(nameIn(FunctionName), Payload, signal);
      return { ExecutedVersion: '$LATEST', Payload: result, StatusCode: 200 };
    },
    'arn:aws:states:::ecs:runTask.sync': ({ parameters, signal }) =>
      runFargateTask(evaluated(runTaskParameters, parameters), signal),
  };
  return async (task) => resources[task.resource as keyof typeof resources](task);
}

/** Paths have their values only now. @throws StatesError `States.Runtime` for a value that the task does not read */
function evaluated<T>(schema: z.ZodType<T>, parameters: unknown): T {
  const { data, error } = schema.safeParse(parameters);
  if (error) throw new StatesError('States.Runtime', `The Parameters do not run locally: ${error.message}`);
  return data as T;
}

/** `plan-job` of `plan-job`, `plan-job:$LATEST` and `arn:aws:lambda:…:function:plan-job`. */
function nameIn(functionName: string): string {
  return functionName.replace(/^.*:function:/, '').replace(/:[^:]+$/, '');
}
