import type { FileListEntry } from '../core/file-list.ts';
import type { Job } from '../core/job.ts';
import type { ObjectStore, ObjectSummary } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';
import type { EntryChunks } from './reading.ts';

/** Every object below a prefix that `select` lets through, image or not: that shows when it is read. */
export async function* readPrefix(
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  { store, select, isExcluded }: Listing,
): EntryChunks {
  let entries: FileListEntry[] = [];
  for await (const object of store.list(bucket, prefix)) {
    // The marker that the console makes for the folder itself is not an object in it.
    if (object.key === prefix || !isSelected(object, select)) continue;
    if (isExcluded?.({ bucket, key: object.key })) continue;
    entries.push({ bucket, key: object.key, size: object.size, etag: object.etag });
    if (entries.length < ENTRIES_PER_CHUNK) continue;
    yield entries;
    entries = [];
  }
  if (entries.length > 0) yield entries;
}

export interface Listing {
  readonly store: ObjectStore;
  readonly select: Job['select'];
  /** Objects below a prefix or in an inventory that are not sources of the job: its own outputs, job files. */
  readonly isExcluded?: ((location: S3Location) => boolean) | undefined;
}

/** As many as S3 lists in one response. */
const ENTRIES_PER_CHUNK = 1000;

/** Whether an object below a prefix belongs to the job. Case of suffixes is ignored; an unknown size is NaN. */
export function isSelected(
  { key, size, lastModified }: Pick<ObjectSummary, 'key' | 'size' | 'lastModified'>,
  select: Job['select'],
): boolean {
  const { suffixes, minBytes, maxBytes, modifiedAfter } = select;
  if (suffixes && !suffixes.some((suffix) => key.toLowerCase().endsWith(suffix.toLowerCase()))) return false;
  if (minBytes !== null && !(size >= minBytes)) return false;
  if (maxBytes !== null && !(size <= maxBytes)) return false;
  return modifiedAfter === null || (lastModified !== undefined && lastModified > new Date(modifiedAfter));
}

export function hasFilters(select: Job['select']): boolean {
  return Object.values(select).some((filter) => filter !== null);
}
