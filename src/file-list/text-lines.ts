import { type FileListEntry, isMismatch, type Mismatch, readEntry, readLocation, show } from '../core/file-list.ts';
import { readLines } from './lines.ts';
import { type EntryChunks, type Reading, readEachLine } from './reading.ts';

/**
 * Reads one image per line: `s3://bucket/key with spaces`, a path below `relativeTo`, or a line of a listing whose
 * last column is the URI. Blank lines and comments (`#` and a space) are ignored.
 */
export function readTextLines(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryChunks {
  return readEachLine(readLines(bytes, reading.name), reading, (line) => {
    // Only these two kinds of space: keys may begin and end with others.
    const text = line.replace(/^[ \t]+|[ \t]+$/g, '');
    if (text === '' || text === '#' || text.startsWith('# ')) return undefined;
    // What --summarize adds.
    if (reading.listedBucket !== undefined && /^Total (Objects|Size): /.test(text)) return undefined;
    return readTextLine(text, reading);
  });
}

/** One line, trimmed. */
function readTextLine(text: string, { relativeTo, listedBucket }: Reading): FileListEntry | Mismatch {
  if (text.startsWith('s3://')) return readLocation(text, relativeTo);
  const [, before, uri] = /^(.*?)\s(s3:\/\/.*)$/.exec(text) ?? [];
  if (before === undefined || uri === undefined)
    return readListed(text, listedBucket) ?? readLocation(text, relativeTo);
  const location = readLocation(uri, relativeTo);
  const size = /^\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d\s+(\d{1,15})$/.exec(before.trim())?.[1];
  return size === undefined || isMismatch(location) ? location : { ...location, size: Number(size) };
}

/** As `aws s3 ls` prints it: time, size (`1.2 MiB` with --human-readable), and the key without its bucket. */
const LISTED = /^\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d +(?:(\d{1,15})|[\d.]+ (?:Bytes?|[KMGTPE]iB)) (.+)$/;

/** undefined for a text that is not a line of `aws s3 ls`. */
function readListed(text: string, bucket: string | undefined): FileListEntry | Mismatch | undefined {
  const [listed, digits, key] = LISTED.exec(text) ?? [];
  if (listed && bucket !== undefined) return readEntry({ bucket, key, size: digits && Number(digits) }, null);
  if (listed) return { expected: NO_BUCKET, received: show(text) };
  if (bucket === undefined || !/^PRE .*\/$/.test(text)) return undefined;
  return { expected: NOT_RECURSIVE, received: show(text) };
}

const NO_BUCKET =
  "s3://bucket/key (lines of 'aws s3 ls' name no bucket: npm run list -- <file> --bucket NAME … makes a list of them)";
const NOT_RECURSIVE =
  "a line of 'aws s3 ls --recursive' (without --recursive it prints only the last part of each key)";
