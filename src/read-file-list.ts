import { EntryProblems, type FileListEntry, FileListError } from './core/file-list.ts';
import type { Job } from './core/job.ts';
import { type ObjectStore, ObjectStoreError } from './core/object-store.ts';
import { formatS3Uri, parseS3Prefix, parseS3Uri, type S3Location } from './core/s3-uri.ts';
import { readCsv } from './file-list/csv.ts';
import { readInventory } from './file-list/inventory.ts';
import { readJsonDocument } from './file-list/json-document.ts';
import { readJsonLines } from './file-list/json-lines.ts';
import { type Listing, readPrefix } from './file-list/prefix.ts';
import type { EntryLots, Reading } from './file-list/reading.ts';
import { type FileListFormat, mistakenForJson, recogniseFormat } from './file-list/recognise.ts';
import { hasFilters } from './file-list/select.ts';
import { readTextLines } from './file-list/text-lines.ts';
import { unpack } from './file-list/unpack.ts';

/**
 * The entries of a job's file list in order, a lot at a time, in flat memory; the format is told by content.
 * Bad entries are passed over until the end and then thrown together.
 * @param leaveOut objects below a prefix that are none of the job's sources
 * @throws FileListError for a list that is missing, broken, empty or holds bad entries
 */
export async function* readFileList(
  job: Pick<Job, 'fileList' | 'relativeTo' | 'select'>,
  store: ObjectStore,
  leaveOut?: Listing['leaveOut'],
): AsyncGenerator<readonly FileListEntry[]> {
  const problems = new EntryProblems();
  let entries = 0;
  for await (const lot of lotsOf(job, { store, select: job.select, leaveOut }, problems)) {
    entries += lot.length;
    if (lot.length > 0) yield lot;
  }
  if (problems.total > 0) throw new FileListError(problems.named, problems.total);
  if (entries === 0) throw new FileListError([nothingIn(job)]);
}

type Source = Pick<Job, 'fileList' | 'relativeTo' | 'select'>;

const READERS: Readonly<
  Record<FileListFormat, (bytes: AsyncIterable<Uint8Array>, reading: Reading, listing: Listing) => EntryLots>
> = {
  'json document': readJsonDocument,
  'json lines': readJsonLines,
  text: readTextLines,
  csv: readCsv,
  inventory: readInventory,
};

async function* lotsOf(source: Source, listing: Listing, problems: EntryProblems): EntryLots {
  const { fileList, relativeTo } = source;
  const prefix = parseS3Prefix(fileList);
  if (prefix) {
    yield* readPrefix(prefix, listing);
    return;
  }
  const location = parseS3Uri(fileList);
  if (!location)
    throw new FileListError([`Expected s3://bucket/key of a file list but received "${fileList}"`]);
  const { head, bytes } = await unpack(readList(listing.store, location), fileList);
  const format = recogniseFormat(head, { key: location.key, relativeTo });
  refuse(source, format, format === 'text' ? mistakenForJson(head, location.key) : undefined);
  yield* READERS[format](bytes, { name: fileList, relativeTo, problems }, listing);
}

async function* readList(store: ObjectStore, location: S3Location): AsyncIterable<Uint8Array> {
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

function refuse({ select, fileList }: Source, format: FileListFormat, mistake: string | undefined): void {
  if (mistake) throw new FileListError([`${mistake} (${fileList})`]);
  if (format !== 'inventory' && hasFilters(select))
    throw new FileListError([
      `'select' filters a prefix or an S3 Inventory, but ${fileList} is a list of its own: leave 'select' out`,
    ]);
}

function nothingIn({ fileList, select }: Source): string {
  if (!fileList.endsWith('/')) return `Expected at least one image in ${fileList} but received an empty list`;
  const filtered = hasFilters(select) ? ` that 'select' lets through` : '';
  return `Expected images below ${fileList}${filtered} but received none: is the prefix spelt right?`;
}
