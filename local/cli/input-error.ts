/** The input or the output folder cannot be used: exit code 2. */
export class InputError extends Error {
  override name = 'InputError';
}
