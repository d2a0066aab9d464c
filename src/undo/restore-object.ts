import { carriedElsewhere, carriedInPlace, carriedTags } from '../core/carried-attributes.ts';
import { type CompressionMark, fingerprintSource, withMark } from '../core/compression-mark.ts';
import { type ObjectAttributes, type ObjectStore, ObjectStoreError, type StoredObject } from '../core/object-store.ts';
import { formatS3Uri, parseS3Uri } from '../core/s3-uri.ts';
import type { UndoEntry } from '../core/undo.ts';
import { sha256Of } from '../store/sha256-of.ts';

/** The result for one line of undo.jsonl. */
export type Restoration =
  | { readonly status: 'restored'; readonly from: string }
  | { readonly status: 'already-original' }
  /** It must not be restored, or no longer can be. */
  | { readonly status: 'refused'; readonly reason: string }
  /** With the error itself as its cause when it was unexpected, for the stack. */
  | { readonly status: 'failed'; readonly reason: string; readonly cause?: unknown };

/**
 * Restores the original of a replaced image from its version or its backup. Only the very object that image-press
 * wrote is replaced: one that has changed since, or was deleted, is left as it is. Never throws.
 */
export async function restoreObject(
  entry: UndoEntry,
  store: ObjectStore,
  { dryRun = false } = {},
): Promise<Restoration> {
  try {
    const present = await store.head(entry);
    if (!present) return refused('it was deleted since, and is not brought back');
    if (present.etag === entry.etagBefore) return { status: 'already-original' };
    if (present.etag !== entry.etagAfter) return refused('it has changed since it was compressed');
    const original = await findOriginal(entry, store);
    if (!original) return refused('neither a version nor a backup has its original any more');
    const restored: Restoration = { status: 'restored', from: original.from };
    return dryRun ? restored : ((await restore(entry, original, present, store)) ?? restored);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof ObjectStoreError) return { status: 'failed', reason };
    return { status: 'failed', reason: `Unexpected error: ${reason}`, cause: error };
  }
}

type Original = NonNullable<Awaited<ReturnType<typeof findOriginal>>>;

async function findOriginal(entry: UndoEntry, store: ObjectStore) {
  const { versionId } = entry;
  const version = versionId && (await readIfThere(store.get(entry, { versionId })));
  if (version && isOriginal(version, entry) && version.etag === entry.etagBefore)
    return { object: version, from: `version ${versionId}`, isVersion: true };
  const place = entry.backup === undefined ? undefined : parseS3Uri(entry.backup);
  const backup = place && (await readIfThere(store.get(place)));
  if (backup && isOriginal(backup, entry)) return { object: backup, from: formatS3Uri(place), isVersion: false };
  return undefined;
}

async function readIfThere(answer: ReturnType<ObjectStore['get']>): Promise<StoredObject | undefined> {
  const object = await answer;
  return object === 'not-modified' ? undefined : object;
}

function isOriginal({ body }: StoredObject, { sha256 }: UndoEntry): boolean {
  return sha256 === undefined || sha256Of(body) === sha256;
}

/** Tags stay those of the present object: they may have been changed since without a new ETag. */
async function restore(entry: UndoEntry, original: Original, present: ObjectAttributes, store: ObjectStore) {
  const { object, isVersion } = original;
  const sha256 = sha256Of(object.body);
  const attributes = isVersion ? carriedInPlace(object) : { ...carriedInPlace(present), ...carriedElsewhere(object) };
  const metadata = entry.uploadSettings ? markedAsRestored(entry, object, sha256) : object.metadata;
  try {
    await store.put(entry, object.body, {
      attributes: { ...attributes, metadata, checksumSha256: sha256 },
      tags: carriedTags(await store.tags(entry)),
      condition: { etag: entry.etagAfter },
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || error.code !== 'PreconditionFailed') throw error;
    // A retry whose first answer was lost finds its own write.
    const found = await store.head(entry);
    return found?.checksumSha256 === sha256 ? undefined : refused('it changed while it was being restored');
  }
}

/** The restoration raises an event again: by the mark this image is left as it is. */
function markedAsRestored(entry: UndoEntry, { metadata, size }: StoredObject, sha256: string) {
  const mark: CompressionMark = {
    of: fingerprintSource(entry),
    from: entry.etagBefore,
    settings: entry.uploadSettings ?? '',
    sha256,
    bytesIn: size,
    restored: true,
    lossy: false,
  };
  return withMark(metadata, mark) ?? metadata;
}

function refused(reason: string): Restoration {
  return { status: 'refused', reason };
}
