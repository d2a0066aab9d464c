import type { ObjectAttributes } from './object-store.ts';

/** What belongs to an image wherever it lies: how it is served, and what its owner wrote on it. */
export function carriedElsewhere(source: ObjectAttributes): Partial<ObjectAttributes> {
  return {
    contentType: source.contentType,
    cacheControl: source.cacheControl,
    contentDisposition: source.contentDisposition,
    contentEncoding: source.contentEncoding,
    contentLanguage: source.contentLanguage,
    expires: source.expires,
    metadata: source.metadata,
  };
}

/** And what belongs to its place: a replacement that does not name it falls to the bucket's defaults. */
export function carriedInPlace(source: ObjectAttributes): Partial<ObjectAttributes> {
  return {
    ...carriedElsewhere(source),
    storageClass: source.storageClass,
    serverSideEncryption: source.serverSideEncryption,
    kmsKeyId: source.kmsKeyId,
    bucketKeyEnabled: source.bucketKeyEnabled,
    websiteRedirect: source.websiteRedirect,
  };
}
