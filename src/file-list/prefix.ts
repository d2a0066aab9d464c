import type { FileListEntry } from '../core/file-list.ts';
import type { Job } from '../core/job.ts';
import type { ObjectStore } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';
import type { EntryLots } from './reading.ts';
import { isSelected } from './select.ts';

/**
 * Every object below a prefix that `select` lets through. What is no image by its bytes is found out later.
 * @param leaveOut tells the job's own outputs and job files, which may lie below the prefix
 */
export async function* readPrefix(
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  { store, select, leaveOut }: Listing,
): EntryLots {
  let lot: FileListEntry[] = [];
  for await (const object of store.list(bucket, prefix)) {
    // The console's marker of the folder itself is nothing that lies in it.
    if (object.key === prefix || !isSelected(object, select)) continue;
    if (leaveOut?.({ bucket, key: object.key })) continue;
    lot.push({ bucket, key: object.key, size: object.size, etag: object.etag });
    if (lot.length < PAGE) continue;
    yield lot;
    lot = [];
  }
  if (lot.length > 0) yield lot;
}

export interface Listing {
  readonly store: ObjectStore;
  readonly select: Job['select'];
  readonly leaveOut?: ((location: S3Location) => boolean) | undefined;
}

/** As many as S3 lists in one answer. */
const PAGE = 1000;
