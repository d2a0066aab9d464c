import { createHash } from 'node:crypto';
import { type CompressionMark, isConfirmed, readMark } from '../core/compression-mark.ts';
import {
  type ObjectAttributes,
  type ObjectStore,
  ObjectStoreError,
  type StoredObject,
} from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';

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
  const sha256 = object.checksumSha256 ?? (await hashContent(store, location));
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

/** Chunk by chunk: any object may carry a copied mark. One that was replaced meanwhile is not what the mark tells of. */
async function hashContent(store: ObjectStore, location: S3Location): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of store.read(location)) hash.update(chunk);
  } catch (error) {
    if (error instanceof ObjectStoreError && error.code === 'NotFound') return undefined;
    throw error;
  }
  return hash.digest('base64');
}
