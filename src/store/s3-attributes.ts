import { stringify } from 'node:querystring';
import type { HeadObjectCommandOutput, PutObjectCommand, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { ObjectAttributes, TextMap } from '../core/object-store.ts';

/** The object's attributes from the headers of a HEAD or GET. */
export function attributesOf(answer: HeadObjectCommandOutput): ObjectAttributes {
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
    // GetObject returns it, HeadObject too in newer regions; neither does without the permission to read tags.
    tagCount: (answer as { TagCount?: number }).TagCount ?? 0,
    checksumSha256: wholeObjectSha256(answer),
    checksumAlgorithm: CHECKSUM_ALGORITHMS.find((name) => answer[`Checksum${name}` as const]),
    archived: isArchived(answer),
    isReplica: answer.ReplicationStatus === 'REPLICA',
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

export function encodeTags(tags: TextMap): string {
  return stringify(tags);
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
  return ChecksumType === 'COMPOSITE' || ChecksumSHA256?.includes('-') ? undefined : ChecksumSHA256;
}

const CHECKSUM_ALGORITHMS = ['SHA256', 'SHA1', 'CRC32', 'CRC32C', 'CRC64NVME'] as const;

/** Glacier Instant Retrieval can be read like any other class, and so can a restored copy of an archived object. */
function isArchived({ StorageClass, ArchiveStatus, Restore }: HeadObjectCommandOutput): boolean {
  if (ArchiveStatus) return true;
  if (StorageClass !== 'GLACIER' && StorageClass !== 'DEEP_ARCHIVE') return false;
  return !Restore?.includes('ongoing-request="false"');
}

function objectLockOf(answer: HeadObjectCommandOutput): ObjectAttributes['objectLock'] {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: retainUntil } = answer;
  const legalHold = answer.ObjectLockLegalHoldStatus === 'ON';
  return mode || legalHold ? { mode, retainUntil, legalHold } : undefined;
}
