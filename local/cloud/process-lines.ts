import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Hands on what a process writes, line by line. */
export function readLinesOf(streams: readonly (Readable | null)[], onLine: (line: string) => void): void {
  for (const input of streams) {
    if (input) createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine);
  }
}

/** Of this machine's environment only what a program needs to run at all: no AWS setting comes through unasked. */
export function bareEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TMP', 'TEMP', 'SystemRoot', 'LD_LIBRARY_PATH', 'LANG', 'TZ'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
