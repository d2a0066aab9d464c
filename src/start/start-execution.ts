import { ExecutionAlreadyExists, type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';

/**
 * Starts an execution under a name of the caller's choice.
 * @returns `already-started` when that name was used before (AWS remembers names for 90 days).
 */
export type StartExecution = (name: string, input: unknown) => Promise<'started' | 'already-started'>;

export function createStartExecution(client: SFNClient, stateMachineArn: string): StartExecution {
  return async (name, input) => {
    try {
      await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
      return 'started';
    } catch (error) {
      if (error instanceof ExecutionAlreadyExists) return 'already-started';
      throw error;
    }
  };
}
