import { type FileListEntry, type Mismatch, readEntry, show } from '../core/file-list.ts';
import { JsonFault, scanJson } from './json-grammar.ts';
import { readLines } from './lines.ts';
import { type EntryLots, type Reading, sort } from './reading.ts';

/** Reads one JSON value a line; blank lines are passed over. A line that is no JSON is a bad entry like others. */
export async function* readJsonLines(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryLots {
  for await (const { first, lines } of readLines(bytes, reading.name)) {
    const lot: FileListEntry[] = [];
    lines.forEach((line, index) => {
      const value = line === '' ? undefined : parse(line);
      if (value === undefined) return;
      if (value instanceof JsonFault)
        sort(faultOf(value, line), lot, reading, () => `line ${first + index}, column ${value.offset + 1}`);
      else sort(readEntry(value, reading.relativeTo), lot, reading, () => `line ${first + index}`);
    });
    yield lot;
  }
}

/** The value of a line, undefined for a blank one, or what is wrong with it. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line.trim() === '' ? undefined : faultIn(line);
  }
}

/** JSON.parse does not always tell the place; the scanner does. */
function faultIn(line: string): JsonFault {
  const scanner = scanJson({ begin() {}, value() {}, end() {} });
  try {
    scanner.write(Buffer.from(line));
    scanner.end();
  } catch (error) {
    if (error instanceof JsonFault) return error;
    throw error;
  }
  return new JsonFault(0, 'one JSON value', show(line));
}

function faultOf({ expected, received }: JsonFault, line: string): Mismatch {
  return { expected, received: `${received} in ${show(line)}` };
}
