import type { Readable } from 'node:stream';
import { linesOf } from '../../src/core/lines.ts';

/** Calls `onLine` with each line that a process writes. */
export function forwardLines(streams: readonly (Readable | null)[], onLine: (line: string) => void): void {
  for (const stream of streams) if (stream) void forward(stream, onLine);
}

async function forward(stream: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of linesOf(stream)) onLine(line);
}

/** The variables of this environment that any program needs. AWS settings are not passed on. */
export function bareEnvironment(): Record<string, string> {
  const names = [
    'PATH',
    'HOME',
    'TMPDIR',
    'TMP',
    'TEMP',
    'SystemRoot',
    'LD_LIBRARY_PATH',
    'LANG',
    'TZ',
    'NODE_COMPILE_CACHE',
  ];
  const set = names.filter((name) => process.env[name] !== undefined);
  return Object.fromEntries(set.map((name) => [name, String(process.env[name])]));
}
