import { type FileListEntry, type Mismatch, readEntry, readLocation, show } from '../core/file-list.ts';
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
      if (reading.listedBucket !== undefined && isSummary(text)) return;
      sort(readTextLine(text, reading), lot, reading, () => `line ${first + index}`);
    });
    yield lot;
  }
}

type Places = Pick<Reading, 'relativeTo' | 'listedBucket'>;

/** One line without the space around it. */
function readTextLine(text: string, { relativeTo, listedBucket }: Places): FileListEntry | Mismatch {
  if (text.startsWith('s3://')) return readLocation(text, relativeTo);
  const columns = /^(.*?)\s(s3:\/\/.*)$/.exec(text);
  if (!columns) return readListed(text, listedBucket) ?? readLocation(text, relativeTo);
  const location = readLocation(columns[2]!, relativeTo);
  const size = /^\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d\s+(\d{1,15})$/.exec(columns[1]!.trim())?.[1];
  return size === undefined || 'expected' in location ? location : { ...location, size: Number(size) };
}

/** As `aws s3 ls` prints it: time, size (`1.2 MiB` with --human-readable), and the key without its bucket. */
const LISTED = /^\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d +(?:(\d{1,15})|[\d.]+ (?:Bytes?|[KMGTPE]iB)) (.+)$/;

/** undefined for what is no line of `aws s3 ls`. */
function readListed(text: string, bucket: string | undefined): FileListEntry | Mismatch | undefined {
  const listed = LISTED.exec(text);
  if (listed && bucket !== undefined)
    return readEntry({ bucket, key: listed[2], size: sizeOf(listed[1]) }, null);
  if (listed) return { expected: NO_BUCKET, received: show(text) };
  if (bucket === undefined || !/^PRE .*\/$/.test(text)) return undefined;
  return { expected: NOT_RECURSIVE, received: show(text) };
}

const NO_BUCKET =
  "s3://bucket/key (lines of 'aws s3 ls' name no bucket: npm run list -- <file> --bucket NAME … makes a list of them)";
const NOT_RECURSIVE = "a line of 'aws s3 ls --recursive' (without --recursive keys are not whole)";

function sizeOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits);
}

/** What --summarize adds. */
function isSummary(text: string): boolean {
  return /^Total (Objects|Size): /.test(text);
}
