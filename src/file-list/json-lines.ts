import { type FileListEntry, type Mismatch, readEntry, show } from '../core/file-list.ts';
import { JsonScanner, JsonSyntaxError } from './json-grammar.ts';
import { readLines } from './lines.ts';
import { type EntryChunks, type Reading, readEachLine } from './reading.ts';

/** Reads one JSON value per line and ignores blank lines. A line that is not JSON is a bad entry like any other. */
export function readJsonLines(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryChunks {
  return readEachLine(readLines(bytes, reading.name), reading, (line) =>
    line === '' ? undefined : readJsonLine(line, reading.relativeTo),
  );
}

function readJsonLine(line: string, relativeTo: string | null): FileListEntry | Mismatch | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return line.trim() === '' ? undefined : mismatchIn(line);
  }
  return readEntry(value, relativeTo);
}

/** JSON.parse does not always name the position; the scanner does. */
function mismatchIn(line: string): Mismatch {
  const { offset, expected, received } = syntaxErrorIn(line);
  return { expected, received: `${received} in ${show(line)}`, column: offset + 1 };
}

function syntaxErrorIn(line: string): JsonSyntaxError {
  const scanner = new JsonScanner({ begin() {}, value() {}, end() {} });
  try {
    scanner.write(Buffer.from(line));
    scanner.end();
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
    throw error;
  }
  return new JsonSyntaxError(0, 'one JSON value', show(line));
}
