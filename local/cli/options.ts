import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { didYouMean, nearestWords } from '../../src/settings/did-you-mean.ts';

/** What the user typed cannot be carried out: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
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

export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`'${option}' must be a whole number from ${min} to ${max}, '${text}' given`);
}
