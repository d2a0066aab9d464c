import type { ObjectAttributes } from './object-store.ts';

/** The attributes that an image keeps at any place: how it is served, and its user metadata. */
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

/** Also those of its place: where a replacement leaves one out, the bucket's default would apply. */
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
