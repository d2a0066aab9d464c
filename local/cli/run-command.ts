import { randomBytes } from 'node:crypto';
import { EXIT } from './exit-codes.ts';
import { InputError } from './input-error.ts';
import { UsageError } from './options.ts';

/** Runs a command with the arguments of this process. An error becomes one message on stderr and an exit code. */
export async function runCommand(command: (args: readonly string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command(process.argv.slice(2));
  } catch (error) {
    const isInputError = error instanceof UsageError || error instanceof InputError;
    console.error(isBug(error) ? error.stack : error instanceof Error ? error.message : String(error));
    process.exitCode = isInputError ? EXIT.usage : EXIT.jobFailed;
  }
}

/** `local-20261121100000-1f2e3d`: the name of an execution, and so of a job. */
export function newJobId(prefix: string): string {
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  return `${prefix}-${time}-${randomBytes(3).toString('hex')}`;
}

function isBug(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}
