import { formatS3Uri, parseS3Prefix, type S3Location } from './s3-uri.ts';

/** One line of undo.jsonl: an image that was replaced, and where its original lies. Also a line of a file list. */
export interface UndoEntry extends S3Location {
  readonly etagBefore: string;
  readonly etagAfter: string;
  /** The version that holds the original, in a versioned bucket. */
  readonly versionId?: string;
  /** `s3://bucket/key` of the copy that the `backup` setting made. */
  readonly backup?: string;
  /** Base64, of the original's content, where it was still known. */
  readonly sha256?: string;
  /** Fingerprint of the settings that are undone, where an upload was compressed: it would be compressed again. */
  readonly uploadSettings?: string;
}

/** Whether an object lies where backups go: those are never compressed. */
export function isBelow({ bucket, key }: S3Location, backup: string): boolean {
  const target = parseS3Prefix(backup);
  return target !== undefined && target.bucket === bucket && key.startsWith(target.prefix);
}

/**
 * Where the original of an object is copied to before it is replaced. The ETag in its name keeps earlier originals
 * of the same key apart.
 */
export function backupFor(object: S3Location, etag: string, backup: string): S3Location {
  const target = parseS3Prefix(backup);
  if (!target) throw new TypeError(`Expected s3://bucket/prefix/ for 'backup' but received "${backup}"`);
  return { bucket: target.bucket, key: `${target.prefix}${object.bucket}/${object.key}.${etag}` };
}

/** The entry for an object that was just replaced. */
export function undoEntry(
  object: S3Location,
  replaced: {
    readonly before: { readonly etag: string; readonly versionId?: string };
    readonly after: { readonly etag: string; readonly versionId?: string };
    readonly backup?: string | null;
    readonly sha256?: string;
    readonly uploadSettings?: string;
  },
): UndoEntry {
  const { before, after, backup, sha256, uploadSettings } = replaced;
  return {
    bucket: object.bucket,
    key: object.key,
    etagBefore: before.etag,
    etagAfter: after.etag,
    ...(isKeptVersion(before.versionId, after.versionId) && { versionId: before.versionId }),
    ...(backup && { backup: formatS3Uri(backupFor(object, before.etag, backup)) }),
    ...(sha256 && { sha256 }),
    ...(uploadSettings && { uploadSettings }),
  };
}

/**
 * "null" is what S3 calls the one version from before versioning was switched on. It is kept when a version with a
 * name of its own takes its place, and overwritten while versioning is suspended.
 */
function isKeptVersion(before: string | undefined, after: string | undefined): boolean {
  if (before !== 'null') return before !== undefined;
  return after !== undefined && after !== 'null';
}

/** Reads one line of undo.jsonl. Returns undefined for anything else, as for a line of a mere file list. */
export function parseUndoEntry(line: string): UndoEntry | undefined {
  try {
    const entry = JSON.parse(line) as UndoEntry;
    const texts = [entry.bucket, entry.key, entry.etagBefore, entry.etagAfter];
    return texts.every((text) => typeof text === 'string' && text !== '') ? entry : undefined;
  } catch {
    return undefined;
  }
}
