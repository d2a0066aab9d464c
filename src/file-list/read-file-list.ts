import { EntryProblems, FileListError } from '../core/file-list.ts';
import type { Job } from '../core/job.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import { formatS3Uri, parseS3Prefix, parseS3Uri, type S3Location } from '../core/s3-uri.ts';
import { readCsv } from './csv.ts';
import { readInventory } from './inventory.ts';
import { readJsonDocument } from './json-document.ts';
import { readJsonLines } from './json-lines.ts';
import { type Listing, readPrefix } from './prefix.ts';
import type { EntryLots, Reading } from './reading.ts';
import { type FileListFormat, mistakenForJson, recogniseFormat } from './recognise.ts';
import { hasFilters } from './select.ts';
import { readTextLines } from './text-lines.ts';
import { unpack } from './unpack.ts';

/**
 * The entries of a job's file list in order, a lot at a time, in flat memory; the format is told by content.
 * Bad entries are passed over until the end and then thrown together.
 * @param leaveOut objects below a prefix, or of an inventory, that are none of the job's sources
 * @throws FileListError for a list that is missing, forbidden, broken, empty or holds bad entries
 */
export function readFileList(
  { fileList, relativeTo, select }: Pick<Job, 'fileList' | 'relativeTo' | 'select'>,
  store: ObjectStore,
  leaveOut?: Listing['leaveOut'],
): EntryLots {
  const listing = { store, select, leaveOut };
  const prefix = parseS3Prefix(fileList);
  if (prefix) return checked(() => readPrefix(prefix, listing), nothingBelow(fileList, select));
  const location = parseS3Uri(fileList);
  if (!location)
    throw new FileListError([`Expected s3://bucket/key of a file list but received "${fileList}"`]);
  return readListBytes(readObject(store, location), { name: fileList, relativeTo }, listing);
}

/** The entries of a list whose bytes are at hand. @throws FileListError as readFileList */
export function readListBytes(
  bytes: AsyncIterable<Uint8Array>,
  list: Omit<Reading, 'problems'>,
  listing: Listing,
): EntryLots {
  return checked(
    (problems) => readFormat(bytes, { ...list, problems }, listing),
    `Expected at least one image in ${list.name} but received an empty list`,
  );
}

async function* checked(read: (problems: EntryProblems) => EntryLots, nothing: string): EntryLots {
  const problems = new EntryProblems();
  let entries = 0;
  try {
    for await (const lot of read(problems)) {
      entries += lot.length;
      if (lot.length > 0) yield lot;
    }
  } catch (error) {
    throw isForbidden(error) ? new FileListError([error.message], 1, { cause: error }) : error;
  }
  if (problems.total > 0) throw new FileListError(problems.named, problems.total);
  if (entries === 0) throw new FileListError([nothing]);
}

/** A right that is missing is the user's to mend: trying again does not help. */
function isForbidden(error: unknown): error is ObjectStoreError {
  return error instanceof ObjectStoreError && error.code === 'AccessDenied';
}

const READERS: Readonly<
  Record<FileListFormat, (bytes: AsyncIterable<Uint8Array>, reading: Reading, listing: Listing) => EntryLots>
> = {
  'json document': readJsonDocument,
  'json lines': readJsonLines,
  text: readTextLines,
  csv: readCsv,
  inventory: readInventory,
};

async function* readFormat(bytes: AsyncIterable<Uint8Array>, reading: Reading, listing: Listing): EntryLots {
  const { name, relativeTo } = reading;
  const unpacked = await unpack(bytes, name);
  const format = recogniseFormat(unpacked.head, { name, relativeTo });
  const mistake = format === 'text' ? mistakenForJson(unpacked.head, name) : undefined;
  if (mistake) throw new FileListError([mistake]);
  if (format !== 'inventory' && hasFilters(listing.select))
    throw new FileListError([
      `'select' filters a prefix or an S3 Inventory, but ${name} is a list of its own: leave 'select' out`,
    ]);
  yield* READERS[format](unpacked.bytes, reading, listing);
}

async function* readObject(store: ObjectStore, location: S3Location): AsyncIterable<Uint8Array> {
  try {
    yield* store.read(location);
  } catch (error) {
    if (error instanceof ObjectStoreError && error.code === 'NotFound')
      throw new FileListError([`Expected a file list at ${formatS3Uri(location)}: no such object`], 1, {
        cause: error,
      });
    throw error;
  }
}

function nothingBelow(prefix: string, select: Job['select']): string {
  const filtered = hasFilters(select) ? ` that 'select' lets through` : '';
  return `Expected images below ${prefix}${filtered} but received none: is the prefix spelt right?`;
}
