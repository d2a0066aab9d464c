import { createHash } from 'node:crypto';
import { type CompressionMark, isConfirmed, readMark } from './core/compression-mark.ts';
import type { ObjectAttributes, ObjectStore, StoredObject } from './core/object-store.ts';
import type { S3Location } from './core/s3-uri.ts';

/**
 * The mark of an object, if it carries one that is true of its present content. S3's own SHA-256 confirms it without
 * a body; only where there is none (a multipart copy, some S3-compatible servers) the content is read and hashed.
 */
export async function confirmMark(
  store: ObjectStore,
  location: S3Location,
  object: ObjectAttributes,
): Promise<CompressionMark | undefined> {
  const mark = readMark(object.metadata);
  if (!mark) return undefined;
  const sha256 = object.checksumSha256 ?? (await hashContent(store, location, object.etag));
  return sha256 !== undefined && isConfirmed(mark, sha256) ? mark : undefined;
}

/** The same for an object whose body is at hand. */
export function confirmMarkOf(object: StoredObject): CompressionMark | undefined {
  const mark = readMark(object.metadata);
  return mark && isConfirmed(mark, object.checksumSha256 ?? sha256Of(object.body)) ? mark : undefined;
}

/** Base64, as S3 writes its checksums. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}

async function hashContent(
  store: ObjectStore,
  location: S3Location,
  etag: string,
): Promise<string | undefined> {
  const object = await store.get(location);
  if (object === undefined || object === 'not-modified' || object.etag !== etag) return undefined;
  return sha256Of(object.body);
}
