import { sniffFormat } from '../codec/inspect-image.ts';
import type { Outcome } from '../core/image-result.ts';
import { type ObjectStore, ObjectStoreError, type StoredObject } from '../core/object-store.ts';
import { formatByName } from '../core/output-key.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/** Above it reading the first bytes costs less than a whole body that turns out not to be an image. */
const SNIFF_FIRST_ABOVE_BYTES = 256 * 1024;
/** As many as sniffFormat needs. */
const SNIFFED_BYTES = 4096;

/**
 * Reads the object that is to be compressed. A video among the pictures is recognised by its first bytes: it is neither
 * read whole nor reported as too large.
 * @param known `size` in bytes, when it is known beforehand
 * @returns the object; an outcome when there is none, or when it is not an image; 'not-modified' as ObjectStore.get
 * @throws ObjectStoreError; TooLarge for an image above `maxBytes`
 */
export async function getSource(
  location: S3Location,
  { store, maxBytes }: { readonly store: ObjectStore; readonly maxBytes?: number },
  { size, ifNoneMatch }: { readonly size?: number; readonly ifNoneMatch?: string } = {},
): Promise<StoredObject | Outcome | 'not-modified'> {
  const isDoubtful = (size ?? 0) > SNIFF_FIRST_ABOVE_BYTES && formatByName(location.key) === undefined;
  const notAnImage = { status: 'skipped', reason: 'not-an-image', bytesIn: size } as const;
  if (isDoubtful && !(await beginsAsImage(location, store))) return notAnImage;
  try {
    return (await store.get(location, { ifNoneMatch, maxBytes })) ?? noSuchObject(location);
  } catch (error) {
    const isTooLarge = error instanceof ObjectStoreError && error.code === 'TooLarge';
    if (isTooLarge && !(await beginsAsImage(location, store))) return notAnImage;
    throw error;
  }
}

export function noSuchObject(location: S3Location): Outcome {
  return { status: 'failed', code: 'NotFound', message: `${formatS3Uri(location)}: no such object` };
}

async function beginsAsImage(location: S3Location, store: ObjectStore): Promise<boolean> {
  const chunks = await Array.fromAsync(store.read(location, { start: 0, end: SNIFFED_BYTES - 1 }));
  return sniffFormat(Buffer.concat(chunks)) !== undefined;
}
