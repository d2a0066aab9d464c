import type { S3Location } from './s3-uri.ts';

/**
 * The one port to S3. `aws/s3-store.ts` implements it with the SDK; everything that reads or writes objects
 * receives it, so that Lambda, Fargate, tests and local mode differ only in the endpoint behind it.
 */
export interface ObjectStore {
  /** Attributes of an object, or undefined when there is none. Asks for the checksum (ChecksumMode ENABLED). */
  head(location: S3Location): Promise<ObjectAttributes | undefined>;

  /**
   * The whole object in memory, or an earlier version of it. A body that is cut short is read again, then an error.
   * @returns undefined when there is none; 'not-modified' when `ifNoneMatch` names its present ETag.
   * @throws ObjectStoreError (`AccessDenied`, `Archived`, `Throttled`, …; `TooLarge` before the body above `maxBytes`)
   */
  get(
    location: S3Location,
    options?: { ifNoneMatch?: string; versionId?: string; maxBytes?: number },
  ): Promise<StoredObject | undefined | 'not-modified'>;

  /** The object as a stream of chunks, or the bytes `start` to `end` (both inclusive) of it. @throws ObjectStoreError `NotFound` */
  read(location: S3Location, range?: { start: number; end: number }): AsyncIterable<Uint8Array>;

  /**
   * Writes a whole object in one request.
   * @throws ObjectStoreError `PreconditionFailed` when `condition` does not hold (HTTP 412, 409, or 404 on ifMatch)
   */
  put(
    location: S3Location,
    body: Uint8Array,
    options?: PutOptions,
  ): Promise<{ etag: string; versionId?: string }>;

  /** Streams an object of unknown length (multipart above 5 MiB). When `chunks` throws, nothing is written. */
  upload(
    location: S3Location,
    chunks: AsyncIterable<Uint8Array | string>,
    contentType: string,
  ): Promise<void>;

  /** Objects below a prefix, in key order, page by page; with `startAfter` only those behind that key. */
  list(bucket: string, prefix: string, startAfter?: string): AsyncIterable<ObjectSummary>;

  /** Tags of an object. Call it only where `ObjectAttributes.tagCount` is above 0. */
  tags(location: S3Location): Promise<Readonly<Record<string, string>>>;
}

export interface ObjectSummary {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly lastModified?: Date;
  readonly storageClass?: string;
}

/** What S3 knows of an object, and what a replacement has to carry over (see docs/object-attributes.md). */
export interface ObjectAttributes {
  /** Opaque, without quotes. No content hash under KMS or multipart. */
  readonly etag: string;
  readonly size: number;
  readonly lastModified?: Date;
  readonly versionId?: string;
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  /** The header's text as it was set: an unparsable Expires is carried over too. */
  readonly expires?: string;
  /** Keys in lower case, without the `x-amz-meta-` prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How many entries S3 keeps but cannot show in headers: a replacement would lose them. */
  readonly unreadableMetadata?: number;
  readonly storageClass?: string;
  readonly serverSideEncryption?: string;
  readonly kmsKeyId?: string;
  readonly bucketKeyEnabled?: boolean;
  readonly websiteRedirect?: string;
  readonly tagCount: number;
  /** Base64, full-object only: a multipart composite ("…-3") is left out. */
  readonly checksumSha256?: string;
  /** Which algorithm guards the object, to be kept: CRC32, CRC32C, CRC64NVME, SHA1, SHA256. */
  readonly checksumAlgorithm?: string;
  /** GLACIER or DEEP_ARCHIVE (or an Intelligent-Tiering archive tier) and not restored: GET would fail. */
  readonly archived: boolean;
  readonly objectLock?: { readonly mode?: string; readonly retainUntil?: Date; readonly legalHold?: boolean };
}

export interface StoredObject extends ObjectAttributes {
  readonly body: Uint8Array;
}

export interface PutOptions {
  /** Written as they are given; what is left out falls to S3's default. */
  readonly attributes?: Partial<ObjectAttributes>;
  readonly tags?: Readonly<Record<string, string>>;
  /** `absent`: If-None-Match `*`. `{ etag }`: If-Match. */
  readonly condition?: 'absent' | { readonly etag: string };
  /** Only when asked: without it no ACL header is sent, and the bucket decides. */
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

/** An S3 call that failed. The message names the object, the call and, where rights are missing, the permission. */
export class ObjectStoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ObjectStoreError';
    this.code = code;
  }
}
