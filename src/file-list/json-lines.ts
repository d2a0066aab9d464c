import { type Mismatch, readEntry, show } from '../core/file-list.ts';
import { parseJson } from '../core/parse-json.ts';
import { JsonScanner, JsonSyntaxError } from './json-grammar.ts';
import { readLines } from './lines.ts';
import { type EntryChunks, type Reading, readEachLine } from './reading.ts';

/** Reads one JSON value per line and ignores blank lines. A line that is not JSON is a bad entry like any other. */
export function readJsonLines(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryChunks {
  return readEachLine(readLines(bytes, reading.name), reading, (line) => {
    const value = parseJson(line);
    if (value !== undefined) return readEntry(value, reading.relativeTo);
    return line.trim() === '' ? undefined : mismatchIn(line);
  });
}

/** JSON.parse does not always name the position; the scanner does. */
function mismatchIn(line: string): Mismatch {
  const scanner = new JsonScanner({ begin() {}, value() {}, end() {} });
  try {
    scanner.write(Buffer.from(line));
    scanner.end();
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { offset, expected, received } = error;
    return { expected, received: `${received} in ${show(line)}`, column: offset + 1 };
  }
  return { expected: 'one JSON value', received: `${show(line)} in ${show(line)}`, column: 1 };
}
