import { type FileListEntry, type Mismatch, readLocation } from '../core/file-list.ts';
import { readLines } from './lines.ts';
import { type EntryLots, type Reading, sort } from './reading.ts';

/**
 * Reads a line for each image: `s3://bucket/key with spaces`, a path below `relativeTo`, or a line of a listing
 * whose last column is the URI. Blank lines and comments (`#` and a space) are passed over.
 */
export async function* readTextLines(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryLots {
  for await (const { first, lines } of readLines(bytes, reading.name)) {
    const lot: FileListEntry[] = [];
    lines.forEach((line, index) => {
      // Keys may hold wider spaces than these.
      const text = line.replace(/^[ \t]+|[ \t]+$/g, '');
      if (text === '' || text === '#' || text.startsWith('# ')) return;
      sort(readTextLine(text, reading.relativeTo), lot, reading, () => `line ${first + index}`);
    });
    yield lot;
  }
}

/** One line without the space around it. */
export function readTextLine(text: string, relativeTo: string | null): FileListEntry | Mismatch {
  if (text.startsWith('s3://')) return readLocation(text, relativeTo);
  const columns = /^(.*?)\s(s3:\/\/.*)$/.exec(text);
  if (!columns) return readLocation(text, relativeTo);
  const location = readLocation(columns[2]!, relativeTo);
  const size = /^\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d\s+(\d{1,15})$/.exec(columns[1]!.trim())?.[1];
  return size === undefined || 'expected' in location ? location : { ...location, size: Number(size) };
}
