import { setMaxListeners } from 'node:events';
import { executeStates } from './execute-states.ts';
import { type ExecutionResult, resultOfError, type StateMachineHost } from './execution.ts';
import { parseDefinition } from './parse-definition.ts';
import type { Context } from './paths.ts';
import { limitPayload } from './states-error.ts';

/**
 * Runs one execution of a state machine in this process, as Step Functions would. A failed execution is a result.
 * @throws DefinitionError before any state is entered, naming everything in the definition that is not supported
 */
export async function runStateMachine(
  definition: unknown,
  input: unknown,
  { stateMachineName, ...context }: Context & { readonly stateMachineName: string },
  host: StateMachineHost,
): Promise<ExecutionResult> {
  const machine = parseDefinition(definition, host.resources);
  const signal = AbortSignal.any(host.signal ? [host.signal] : []);
  setMaxListeners(0, signal);
  const execution = { host, stateMachineName, context, signal, history: { events: 0 } };
  try {
    limitPayload(input, 'input of the execution');
    return { status: 'SUCCEEDED', output: await executeStates(machine, input, execution) };
  } catch (error) {
    return resultOfError(error);
  }
}
