import type { S3Location } from './s3-uri.ts';

/**
 * The one port to S3. `src/store/s3-store.ts` implements it with the SDK; everything that reads or writes objects
 * receives it, so that Lambda, Fargate, tests and local mode differ only in the endpoint.
 */
export interface ObjectStore {
  /** Attributes of an object with its checksum (ChecksumMode ENABLED), or undefined when there is none. */
  head(location: S3Location): Promise<ObjectAttributes | undefined>;

  /**
   * The whole object in memory, or an earlier version of it. A body that is cut short is read again, then an error.
   * @returns undefined when there is none; 'not-modified' when `ifNoneMatch` is its present ETag.
   * @throws ObjectStoreError (`AccessDenied`, `Archived`, `Throttled`, …; `TooLarge` before the body above `maxBytes`)
   */
  get(
    location: S3Location,
    options?: { ifNoneMatch?: string; versionId?: string; maxBytes?: number },
  ): Promise<StoredObject | undefined | 'not-modified'>;

  /** The object as a stream of chunks, or a range of its bytes. @throws ObjectStoreError `NotFound` */
  read(location: S3Location, range?: ByteRange): AsyncIterable<Uint8Array>;

  /**
   * Writes a whole object in one request.
   * @throws ObjectStoreError `PreconditionFailed` when `condition` is not met (HTTP 412, 409, or 404 with If-Match)
   */
  put(location: S3Location, body: Uint8Array, options?: PutOptions): Promise<Written>;

  /** Streams an object of unknown length (multipart above 5 MiB). When `chunks` throws, nothing is written. */
  upload(location: S3Location, chunks: AsyncIterable<Uint8Array | string>, contentType: string): Promise<void>;

  /** Objects below a prefix, in key order, page by page; with `startAfter` only those after that key. */
  list(bucket: string, prefix: string, startAfter?: string): AsyncIterable<ObjectSummary>;

  /** Whether a bucket keeps the versions of objects that are replaced. @throws ObjectStoreError */
  versioning(bucket: string): Promise<Versioning>;

  /** Tags of an object. Call it only where `ObjectAttributes.tagCount` is above 0. */
  tags(location: S3Location): Promise<TextMap>;
}

/** `Suspended`: versions from before are still there, an object that is replaced now is not kept. */
export type Versioning = 'Enabled' | 'Suspended' | 'Off';

/**
 * Why images of a bucket must not be replaced in place; undefined where they may.
 * @throws ObjectStoreError when the endpoint cannot be asked
 */
export type EndpointCheck = (bucket: string) => Promise<string | undefined>;

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

export interface Written {
  readonly etag: string;
  /** The new version, in a bucket that is or was versioned. */
  readonly versionId?: string;
}

export interface ObjectSummary {
  readonly key: string;
  readonly size: number;
  /** Opaque, without quotes. No content hash under KMS or multipart. */
  readonly etag: string;
  readonly lastModified?: Date;
  readonly storageClass?: string;
}

/** The attributes of an object on S3 that a replacement has to keep (see docs/object-attributes.md). */
export interface ObjectAttributes extends Omit<ObjectSummary, 'key'> {
  readonly versionId?: string;
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  /** The header's text as it was set, because an unparsable Expires is kept, too. */
  readonly expires?: string;
  /** Keys in lower case, without the `x-amz-meta-` prefix. */
  readonly metadata: TextMap;
  /** How many entries S3 stores but cannot return in headers: a replacement would lose them. */
  readonly unreadableMetadata?: number;
  readonly serverSideEncryption?: string;
  readonly kmsKeyId?: string;
  readonly bucketKeyEnabled?: boolean;
  readonly websiteRedirect?: string;
  readonly tagCount: number;
  /** Base64, full-object only: a multipart composite ("…-3") is left out. */
  readonly checksumSha256?: string;
  /** CRC32, CRC32C, CRC64NVME, SHA1 or SHA256. */
  readonly checksumAlgorithm?: string;
  /** GLACIER or DEEP_ARCHIVE (or an Intelligent-Tiering archive tier) and not restored: GET would fail. */
  readonly archived: boolean;
  /** A copy that S3 replication made of an object in another bucket. */
  readonly isReplica?: boolean;
  readonly objectLock?: { readonly mode?: string; readonly retainUntil?: Date; readonly legalHold?: boolean };
}

/** User metadata or tags. */
export type TextMap = Readonly<Record<string, string>>;

export interface StoredObject extends ObjectAttributes {
  readonly body: Uint8Array;
}

export interface PutOptions {
  /** Written as given; for those left out S3's defaults apply. */
  readonly attributes?: Partial<ObjectAttributes>;
  readonly tags?: TextMap;
  /** `absent`: If-None-Match `*`. `{ etag }`: If-Match. */
  readonly condition?: 'absent' | { readonly etag: string };
  /** Without it no ACL header is sent, and the bucket's settings apply. */
  readonly acl?: CannedAcl;
}

export const CANNED_ACLS = [
  'private',
  'public-read',
  'authenticated-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
] as const;
export type CannedAcl = (typeof CANNED_ACLS)[number];

export type StoreErrorCode =
  | 'NotFound'
  | 'AccessDenied'
  | 'Archived'
  | 'PreconditionFailed'
  | 'Throttled'
  | 'TooLarge'
  | 'Unexpected';

/** An S3 call that failed. The message names the object, the call and, when access is denied, the permission. */
export class ObjectStoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ObjectStoreError';
    this.code = code;
  }
}
