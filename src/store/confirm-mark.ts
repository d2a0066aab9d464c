import { createHash } from 'node:crypto';
import { type CompressionMark, readMark } from '../core/compression-mark.ts';
import { type ObjectAttributes, type ObjectStore, ObjectStoreError, type StoredObject } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';
import { sha256Of } from './sha256-of.ts';

/**
 * The mark of an object, if it carries one that matches its present content. S3's own SHA-256 confirms it without
 * reading the body; only where there is none (a multipart copy, some S3-compatible servers) the content is hashed.
 */
export async function confirmMark(store: ObjectStore, location: S3Location, object: ObjectAttributes) {
  const mark = readMark(object.metadata);
  if (!mark) return undefined;
  const sha256 = object.checksumSha256 ?? (await hashContent(store, location));
  return sha256 === mark.sha256 ? mark : undefined;
}

/** The same for an object whose body was read. */
export function confirmMarkOf(object: StoredObject): CompressionMark | undefined {
  const mark = readMark(object.metadata);
  return mark?.sha256 === (object.checksumSha256 ?? sha256Of(object.body)) ? mark : undefined;
}

/** Chunk by chunk, because any object of any size may carry a copied mark. Undefined when it is gone by now. */
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
