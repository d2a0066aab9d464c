import { spawn } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm start -- …args`, as its user would run it; `interruptAt` presses Ctrl-C at these words of stderr. */
export function start(
  cwd: string,
  args: readonly string[],
  { env, interruptAt }: { env?: NodeJS.ProcessEnv; interruptAt?: RegExp | undefined } = {},
): Promise<Run> {
  const child = spawn(process.execPath, [path.join(root, 'local/cli/main.ts'), ...args], { cwd, env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    if (interruptAt?.test(stderr)) child.kill('SIGINT');
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}
