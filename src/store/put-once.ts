import { type CompressionMark, readMark } from '../core/compression-mark.ts';
import { type ObjectStore, ObjectStoreError, type PutOptions, type StoreErrorCode } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';
import { confirmMark } from './confirm-mark.ts';

/** After these the write may have succeeded all the same: its answer was lost, and the retry met its own result. */
const UNCERTAIN: ReadonlySet<StoreErrorCode> = new Set(['PreconditionFailed', 'Throttled', 'Unexpected']);

/**
 * Writes an object, and recognises its own write when S3's answer to it was lost.
 * @returns the ETag and version that were written; 'changed' when another write came first
 * @throws ObjectStoreError
 */
export async function putOnce(store: ObjectStore, location: S3Location, body: Uint8Array, options: PutOptions) {
  try {
    return await store.put(location, body, options);
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || !UNCERTAIN.has(error.code)) throw error;
    const own = await findOwnWrite(store, location, options);
    if (own) return own;
    if (error.code === 'PreconditionFailed') return 'changed';
    throw error;
  }
}

async function findOwnWrite(store: ObjectStore, location: S3Location, { attributes }: PutOptions) {
  const wanted = readMark(attributes?.metadata ?? {});
  const object = await store.head(location).catch(() => undefined);
  // A kept copy whose metadata is too long for a mark is recognised by its content alone.
  if (!wanted)
    return object?.checksumSha256 && object.checksumSha256 === attributes?.checksumSha256 ? object : undefined;
  const found = object && (await confirmMark(store, location, object).catch(() => undefined));
  return found && isSameWrite(found, wanted) ? object : undefined;
}

function isSameWrite(found: CompressionMark, wanted: CompressionMark): boolean {
  return (['sha256', 'from', 'job', 'write'] as const).every((field) => found[field] === wanted[field]);
}
