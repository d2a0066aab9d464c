import type { ObjectAttributes, TextMap } from './object-store.ts';

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

/**
 * The user's tags. Reserved ones stay behind: AWS sets `aws:*` itself and refuses them from others, and GuardDuty's verdict
 * is about bytes that were scanned.
 */
export function carriedTags(tags: TextMap): TextMap {
  return Object.fromEntries(Object.entries(tags).filter(([name]) => !/^(aws:|GuardDuty)/i.test(name)));
}
