import { randomBytes } from 'node:crypto';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { didYouMean, nearestWords } from '../../src/settings/did-you-mean.ts';
import { EXIT } from './exit-codes.ts';
import { InputError } from './input-error.ts';

/** What the user typed cannot be carried out: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

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

/**
 * node's parseArgs, with its errors as UsageErrors that say what to do.
 * @param help the command that prints the options
 * @param advice on an option that does not exist, where the caller knows better than a similar word
 */
export function parseOptions<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  help: string,
  advice: (option: string) => string | undefined = () => undefined,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const [message = ''] = (error as Error).message.split('. To specify');
    const [, unknown] = /^Unknown option '--?(.+)'$/.exec(message) ?? [];
    if (unknown === undefined) throw new UsageError(`${message}. See ${help}`);
    const similar = nearestWords(unknown, Object.keys(options)).map((option) => `--${option}`);
    const hint = advice(unknown) ?? didYouMean(similar) ?? `see ${help}`;
    throw new UsageError(`${message.replace('Unknown', 'unknown')}; ${hint}`);
  }
}

/** @returns the exit code */
export function printHelp(text: string): number {
  console.log(text);
  return EXIT.done;
}

export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`'${option}' must be a whole number from ${min} to ${max}, '${text}' given`);
}

function isBug(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}
