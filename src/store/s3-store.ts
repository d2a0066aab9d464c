import {
  type _Object,
  GetBucketVersioningCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import type { ObjectStore, ObjectSummary, PutOptions } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';
import { getObject, readObject } from './read-object.ts';
import { createRetryStrategy } from './retry-strategy.ts';
import { attributesOf, encodeTags, headersOf, sendExpires, unquote } from './s3-attributes.ts';
import { isAbsent, isOfSdk, isUnfulfilled, storeError } from './s3-errors.ts';
import { sha256Of } from './sha256-of.ts';
import { uploadInParts } from './upload-in-parts.ts';

/** The SDK's own settings except for retries: `attempts` is how often a call is tried in all. */
export type S3ClientSettings = Omit<S3ClientConfig, 'maxAttempts' | 'retryMode' | 'retryStrategy'> & {
  readonly attempts?: number;
};

/**
 * An S3 client for many small and medium objects at once: kept-alive sockets, retries with full jitter that outlast
 * half a minute of `503 SlowDown`, and no call that can hang. Endpoint and region come from the environment, as usual.
 */
export function createS3Client({ attempts = 10, ...overrides }: S3ClientSettings = {}): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const agent = { keepAlive: true, maxSockets: 128 };
  return new S3Client({
    retryStrategy: createRetryStrategy(attempts),
    maxAttempts: attempts,
    // Buckets of other regions are found; endpoints other than AWS rarely support bucket names as host names.
    followRegionRedirects: true,
    forcePathStyle: (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000, httpAgent: agent, httpsAgent: agent },
    ...overrides,
  });
}

/** The object store over the SDK. @throws ObjectStoreError from every method. */
export function createS3Store(client: S3Client): ObjectStore {
  return {
    head: (location) => headObject(client, location),
    get: (location, options = {}) => getObject(client, location, options),
    read: (location, range) => readObject(client, location, range),
    put: (location, body, options = {}) => putObject(client, location, body, options),
    upload: (location, chunks, contentType) =>
      uploadInParts(client, { ...at(location), ContentType: contentType }, chunks).catch((error: unknown) => {
        throw isOfSdk(error) ? storeError(error, 'UploadPart', location) : error;
      }),
    list: (bucket, prefix, startAfter) => listObjects(client, { bucket, key: prefix }, startAfter),
    versioning: (bucket) => versioningOf(client, bucket),
    tags: (location) => tagsOf(client, location),
  };
}

async function headObject(client: S3Client, location: S3Location) {
  try {
    const command = new HeadObjectCommand({ ...at(location), ChecksumMode: 'ENABLED' });
    return attributesOf(await client.send(command));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw storeError(error, 'HeadObject', location);
  }
}

async function putObject(client: S3Client, location: S3Location, body: Uint8Array, options: PutOptions) {
  const { attributes = {}, condition, tags, acl } = options;
  const command = new PutObjectCommand({
    ...at(location),
    Body: body,
    ...headersOf(attributes),
    ...conditionOf(condition),
    ...(acl && { ACL: acl }),
    ...(tags && Object.keys(tags).length > 0 && { Tagging: encodeTags(tags) }),
    // Always SHA-256: S3 checks it on arrival, and HEAD can confirm our mark with it later.
    ChecksumSHA256: attributes.checksumSha256 ?? sha256Of(body),
  });
  sendExpires(command, attributes.expires);
  try {
    const { ETag, VersionId } = await client.send(command);
    return { etag: unquote(ETag), ...(VersionId && { versionId: VersionId }) };
  } catch (error) {
    throw storeError(error, 'PutObject', location, condition !== undefined && isUnfulfilled(error));
  }
}

async function* listObjects(client: S3Client, { bucket, key: prefix }: S3Location, startAfter?: string) {
  const input = { Bucket: bucket, Prefix: prefix, StartAfter: startAfter || undefined };
  try {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, input)) yield* Contents.map(summaryOf);
  } catch (error) {
    throw storeError(error, 'ListObjectsV2', { bucket, key: prefix });
  }
}

async function versioningOf(client: S3Client, bucket: string) {
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: bucket }));
    return Status ?? 'Off';
  } catch (error) {
    throw storeError(error, 'GetBucketVersioning', { bucket, key: '' });
  }
}

async function tagsOf(client: S3Client, location: S3Location) {
  try {
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(at(location)));
    return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
  } catch (error) {
    throw storeError(error, 'GetObjectTagging', location);
  }
}

function summaryOf(object: _Object): ObjectSummary {
  const { Key: key = '', Size: size = 0, LastModified: lastModified, StorageClass: storageClass } = object;
  return { key, size, etag: unquote(object.ETag), lastModified, storageClass };
}

function at({ bucket, key }: S3Location) {
  return { Bucket: bucket, Key: key };
}

function conditionOf(condition: PutOptions['condition']) {
  if (condition === undefined) return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: `"${condition.etag}"` };
}
