import { EntryProblems, FileListError } from '../core/file-list.ts';
import type { Job } from '../core/job.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import { parseS3Prefix, parseS3Uri } from '../core/s3-uri.ts';
import { readCsv } from './csv.ts';
import { readInventory } from './inventory.ts';
import { readJsonDocument } from './json-document.ts';
import { readJsonLines } from './json-lines.ts';
import { hasFilters, type Listing, readPrefix } from './listing.ts';
import type { EntryChunks, Reading } from './reading.ts';
import { type FileListFormat, mistakenForJson, recogniseFormat } from './recognise.ts';
import { readTextLines } from './text-lines.ts';
import { readObject, unpack } from './unpack.ts';

/**
 * The entries of a job's file list in order, a chunk at a time, in constant memory; the format is recognised by content.
 * Bad entries are collected and thrown together at the end.
 * @throws FileListError for a list that is missing, forbidden, broken or empty, or that holds bad entries
 */
export function readFileList(
  { fileList, relativeTo, select }: Pick<Job, 'fileList' | 'relativeTo' | 'select'>,
  store: ObjectStore,
  isExcluded?: Listing['isExcluded'],
): EntryChunks {
  const listing = { store, select, isExcluded };
  const prefix = parseS3Prefix(fileList);
  if (prefix) return checked(() => readPrefix(prefix, listing), nothingFound(fileList, select));
  const location = parseS3Uri(fileList);
  if (!location) throw new FileListError([`Expected s3://bucket/key of a file list but received "${fileList}"`]);
  const bytes = readObject(store, location, `a file list at ${fileList}`);
  return readListBytes(bytes, { name: fileList, relativeTo }, listing);
}

/** The entries of a list whose bytes are already open. @throws FileListError as readFileList */
export function readListBytes(
  bytes: AsyncIterable<Uint8Array>,
  list: Omit<Reading, 'problems'>,
  listing: Listing,
): EntryChunks {
  return checked(
    (problems) => readFormat(bytes, { ...list, problems }, listing),
    `Expected at least one image in ${list.name} but received an empty list`,
  );
}

async function* checked(read: (problems: EntryProblems) => EntryChunks, emptyMessage: string): EntryChunks {
  const problems = new EntryProblems();
  let count = 0;
  try {
    for await (const entries of read(problems)) {
      count += entries.length;
      if (entries.length > 0) yield entries;
    }
  } catch (error) {
    // A missing permission is for the user to grant: a retry does not help.
    if (!(error instanceof ObjectStoreError) || error.code !== 'AccessDenied') throw error;
    throw new FileListError([error.message], 1, { cause: error });
  }
  if (problems.total > 0) throw new FileListError(problems.named, problems.total);
  if (count === 0) throw new FileListError([emptyMessage]);
}

const READERS: Readonly<Record<FileListFormat, typeof readInventory>> = {
  'json document': readJsonDocument,
  'json lines': readJsonLines,
  text: readTextLines,
  csv: readCsv,
  inventory: readInventory,
};

async function* readFormat(packed: AsyncIterable<Uint8Array>, reading: Reading, listing: Listing): EntryChunks {
  const { head, bytes } = await unpack(packed, reading.name);
  const format = recogniseFormat(head, reading);
  const mistake = format === 'text' ? mistakenForJson(head, reading.name) : undefined;
  if (mistake) throw new FileListError([mistake]);
  if (format !== 'inventory' && hasFilters(listing.select))
    throw new FileListError([
      `'select' filters a prefix or an S3 Inventory, but ${reading.name} already names each image: remove 'select'`,
    ]);
  yield* READERS[format](bytes, reading, listing);
}

function nothingFound(prefix: string, select: Job['select']): string {
  const filtered = hasFilters(select) ? ` that match 'select'` : '';
  return `Expected images below ${prefix}${filtered} but found none: check the spelling of the prefix`;
}
