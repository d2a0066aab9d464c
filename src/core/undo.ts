import type { Written } from './object-store.ts';
import { parseJson } from './parse-json.ts';
import { formatS3Uri, parseS3Prefix, type S3Location } from './s3-uri.ts';

/** One line of undo.jsonl: an image that was replaced, and where its original is. Also a valid line of a file list. */
export interface UndoEntry extends S3Location {
  readonly etagBefore: string;
  readonly etagAfter: string;
  /** The version with the original, in a versioned bucket. */
  readonly versionId?: string;
  /** `s3://bucket/key` of the copy that the `backup` setting made. */
  readonly backup?: string;
  /** Base64, of the original's content, when it was still known. */
  readonly sha256?: string;
  /** For an upload: the fingerprint of its settings. A restored upload is marked with it, or it would be compressed again. */
  readonly uploadSettings?: string;
}

/** Whether an object is among the backups: those are never compressed. */
export function isBelow({ bucket, key }: S3Location, backup: string): boolean {
  const target = parseS3Prefix(backup);
  return target !== undefined && target.bucket === bucket && key.startsWith(target.prefix);
}

/**
 * Where the original of an object is copied to before it is replaced. The ETag in its name keeps the originals of one
 * key apart.
 */
export function backupFor(object: S3Location, etag: string, backup: string): S3Location {
  const target = parseS3Prefix(backup);
  if (!target) throw new TypeError(`Expected s3://bucket/prefix/ for 'backup' but received "${backup}"`);
  return { bucket: target.bucket, key: `${target.prefix}${object.bucket}/${object.key}.${etag}` };
}

export interface Replaced extends Pick<UndoEntry, 'sha256' | 'uploadSettings'> {
  readonly before: Written;
  readonly after: Written;
  readonly backup?: string | null;
}

/** The entry for an object that was just replaced. */
export function undoEntry({ bucket, key }: S3Location, replaced: Replaced): UndoEntry {
  const { before, after, backup, sha256, uploadSettings } = replaced;
  return {
    bucket,
    key,
    etagBefore: before.etag,
    etagAfter: after.etag,
    ...(isKeptVersion(before.versionId, after.versionId) && { versionId: before.versionId }),
    ...(backup && { backup: formatS3Uri(backupFor({ bucket, key }, before.etag, backup)) }),
    ...(sha256 && { sha256 }),
    ...(uploadSettings && { uploadSettings }),
  };
}

/**
 * S3 names the one version from before versioning was enabled "null". It is kept when a version with another name
 * replaces it, and overwritten while versioning is suspended.
 */
function isKeptVersion(before: string | undefined, after: string | undefined): boolean {
  if (before !== 'null') return before !== undefined;
  return after !== undefined && after !== 'null';
}

/** Reads one line of undo.jsonl. Returns undefined for any other line, such as one of a plain file list. */
export function parseUndoEntry(line: string): UndoEntry | undefined {
  const entry: UndoEntry = Object(parseJson(line));
  const texts = [entry.bucket, entry.key, entry.etagBefore, entry.etagAfter];
  return texts.every((text) => typeof text === 'string' && text !== '') ? entry : undefined;
}
