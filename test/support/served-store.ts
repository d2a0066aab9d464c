import type { ObjectStore } from '../../src/core/object-store.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { type ServedBucket, serveBucket } from './served-bucket.ts';

/** The object store over HTTP, with the bucket `photos`; a call is tried once. */
export async function serveStore(
  options: Parameters<typeof serveBucket>[0] = {},
): Promise<ServedBucket & { readonly store: ObjectStore }> {
  const served = await serveBucket(options);
  return { ...served, store: storeAt(served.server.endpoint) };
}

export function storeAt(endpoint: string): ObjectStore {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return createS3Store(createS3Client({ endpoint, region: 'us-east-1', credentials, attempts: 1 }));
}
