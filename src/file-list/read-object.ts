import { FileListError } from '../core/file-list.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';

/**
 * The bytes of an object.
 * @param what the object in the message of the error
 * @throws FileListError where there is none, ObjectStoreError
 */
export async function* readObject(
  store: ObjectStore,
  location: S3Location,
  what: string,
): AsyncIterable<Uint8Array> {
  try {
    yield* store.read(location);
  } catch (error) {
    if (error instanceof ObjectStoreError && error.code === 'NotFound')
      throw new FileListError([`Expected ${what}: no such object`], 1, { cause: error });
    throw error;
  }
}
