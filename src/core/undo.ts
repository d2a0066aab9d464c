import type { CompressionMark } from './compression-mark.ts';
import type { Written } from './object-store.ts';
import { parseJson } from './parse-json.ts';
import { formatS3Uri, parseS3Prefix, type S3Location } from './s3-uri.ts';

/** One line of undo.jsonl: an image that was replaced, and where its original is. Also a valid line of a file list. */
export interface UndoEntry extends S3Location, Partial<ContentChange> {
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

/** By what an object's bytes are known elsewhere. Hashes are in lower-case hex. */
export interface ContentFacts {
  readonly sha256?: string;
  readonly md5?: string;
  readonly etag: string;
  readonly size: number;
}

/** Of one replaced image: a line of hashes.jsonl. */
export interface ContentChange {
  readonly before: ContentFacts;
  readonly after: ContentFacts;
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
  readonly change?: ContentChange;
}

/** The entry for an object that was just replaced. */
export function undoEntry({ bucket, key }: S3Location, replaced: Replaced): UndoEntry {
  const { before, after, backup, sha256, uploadSettings, change } = replaced;
  return {
    bucket,
    key,
    etagBefore: before.etag,
    etagAfter: after.etag,
    ...(isKeptVersion(before.versionId, after.versionId) && { versionId: before.versionId }),
    ...(backup && { backup: formatS3Uri(backupFor({ bucket, key }, before.etag, backup)) }),
    ...(sha256 && { sha256 }),
    ...(uploadSettings && { uploadSettings }),
    ...change,
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

/** What a job changed, by the mark of its output; undefined for an upload. */
export function changeOf(mark: CompressionMark, after: Pick<ContentFacts, 'etag' | 'size'>): ContentChange | undefined {
  if (mark.job === undefined) return undefined;
  const { fromSha256, sha256, md5: [md5Before, md5After] = [] } = mark;
  return {
    before: { ...hex('sha256', fromSha256), ...hex('md5', md5Before), etag: mark.from, size: mark.bytesIn },
    after: { ...hex('sha256', sha256), ...hex('md5', md5After), etag: after.etag, size: after.size },
  };
}

function hex(name: 'sha256' | 'md5', base64: string | undefined): Partial<ContentFacts> {
  return base64 === undefined ? {} : { [name]: Buffer.from(base64, 'base64').toString('hex') };
}

/** The line of hashes.jsonl for a line of undo.jsonl: old hashes to new ones. Undefined for one without hashes. */
export function hashesLine(line: string): string | undefined {
  const { bucket, key, before, after } = parseUndoEntry(line) ?? {};
  return before && after && JSON.stringify({ bucket, key, before, after });
}

/** Reads one line of undo.jsonl. Returns undefined for any other line, such as one of a plain file list. */
export function parseUndoEntry(line: string): UndoEntry | undefined {
  const entry: UndoEntry = Object(parseJson(line));
  const texts = [entry.bucket, entry.key, entry.etagBefore, entry.etagAfter];
  return texts.every((text) => typeof text === 'string' && text !== '') ? entry : undefined;
}
