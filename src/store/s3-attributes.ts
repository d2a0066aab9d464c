import type { HeadObjectCommandOutput, PutObjectCommand, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { ObjectAttributes } from '../core/object-store.ts';

/** The object's attributes from the headers of a HEAD or GET. */
export function attributesOf(answer: HeadObjectCommandOutput): ObjectAttributes {
  const checksum = wholeObjectSha256(answer);
  return {
    etag: unquote(answer.ETag),
    size: answer.ContentLength ?? 0,
    lastModified: answer.LastModified,
    versionId: answer.VersionId,
    contentType: answer.ContentType,
    cacheControl: answer.CacheControl,
    contentDisposition: answer.ContentDisposition,
    contentEncoding: answer.ContentEncoding,
    contentLanguage: answer.ContentLanguage,
    expires: answer.ExpiresString,
    metadata: answer.Metadata ?? {},
    unreadableMetadata: answer.MissingMeta ?? 0,
    storageClass: answer.StorageClass ?? 'STANDARD',
    serverSideEncryption: answer.ServerSideEncryption,
    kmsKeyId: answer.SSEKMSKeyId,
    bucketKeyEnabled: answer.BucketKeyEnabled,
    websiteRedirect: answer.WebsiteRedirectLocation,
    tagCount: tagCountOf(answer),
    checksumSha256: checksum,
    checksumAlgorithm: checksumAlgorithmOf(answer),
    archived: isArchived(answer),
    objectLock: objectLockOf(answer),
  };
}

/** The same attributes as input of PutObject, without checksum, tags and Expires. */
export function headersOf(attributes: Partial<ObjectAttributes>): Partial<PutObjectCommandInput> {
  return {
    ContentType: attributes.contentType,
    CacheControl: attributes.cacheControl,
    ContentDisposition: attributes.contentDisposition,
    ContentEncoding: withoutTransferFraming(attributes.contentEncoding),
    ContentLanguage: attributes.contentLanguage,
    Metadata: attributes.metadata,
    StorageClass: attributes.storageClass as PutObjectCommandInput['StorageClass'],
    ServerSideEncryption: attributes.serverSideEncryption as PutObjectCommandInput['ServerSideEncryption'],
    SSEKMSKeyId: attributes.kmsKeyId,
    BucketKeyEnabled: attributes.bucketKeyEnabled,
    WebsiteRedirectLocation: attributes.websiteRedirect,
  };
}

/** Sends the header unchanged: the SDK accepts only a Date, and would change a text like `0` or `never`. */
export function sendExpires(command: PutObjectCommand, expires: string | undefined): void {
  if (expires === undefined) return;
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers.expires = expires;
      return next(args);
    },
    { step: 'build', name: 'sendExpiresUnchanged' },
  );
}

export function encodeTags(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join('&');
}

export function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '');
}

/** `aws-chunked` describes the transfer of an upload; some S3-compatible servers store it, and S3 would refuse it. */
function withoutTransferFraming(contentEncoding: string | undefined): string | undefined {
  const kept = contentEncoding
    ?.split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '' && token !== 'aws-chunked');
  return kept?.length ? kept.join(', ') : undefined;
}

function wholeObjectSha256({ ChecksumSHA256, ChecksumType }: HeadObjectCommandOutput): string | undefined {
  if (ChecksumType === 'COMPOSITE' || ChecksumSHA256?.includes('-')) return undefined;
  return ChecksumSHA256;
}

function checksumAlgorithmOf(answer: HeadObjectCommandOutput): string | undefined {
  if (answer.ChecksumSHA256) return 'SHA256';
  if (answer.ChecksumSHA1) return 'SHA1';
  if (answer.ChecksumCRC32) return 'CRC32';
  if (answer.ChecksumCRC32C) return 'CRC32C';
  if (answer.ChecksumCRC64NVME) return 'CRC64NVME';
  return undefined;
}

/** GetObject returns TagCount, HeadObject too in newer regions; neither does without the permission to read tags. */
function tagCountOf(answer: HeadObjectCommandOutput): number {
  return (answer as { TagCount?: number }).TagCount ?? 0;
}

/** Glacier Instant Retrieval can be read like any other class, and so can a restored copy of an archived object. */
function isArchived({ StorageClass, ArchiveStatus, Restore }: HeadObjectCommandOutput): boolean {
  if (ArchiveStatus) return true;
  if (StorageClass !== 'GLACIER' && StorageClass !== 'DEEP_ARCHIVE') return false;
  return !Restore?.includes('ongoing-request="false"');
}

function objectLockOf(answer: HeadObjectCommandOutput): ObjectAttributes['objectLock'] {
  const { ObjectLockMode, ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus } = answer;
  if (!ObjectLockMode && ObjectLockLegalHoldStatus !== 'ON') return undefined;
  return {
    mode: ObjectLockMode,
    retainUntil: ObjectLockRetainUntilDate,
    legalHold: ObjectLockLegalHoldStatus === 'ON',
  };
}
