/**
 * Reads one of the host's settings.
 * @throws when it is not set: a host without it would work on the wrong bucket or none.
 */
export function environment(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`Expected the environment variable ${name}, but it is not set; serverless.yml sets it`);
}
