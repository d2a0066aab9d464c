import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import {
  type ObjectStore,
  ObjectStoreError,
  type PutOptions,
  type StoredObject,
} from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { createPatientRetries } from './retry-strategy.ts';
import { attributesOf, encodeTags, headersOf, sendExpires, unquote } from './s3-attributes.ts';
import { isAbsent, isNotModified, isOfSdk, isUnfulfilled, storeError } from './s3-errors.ts';
import { uploadInParts } from './upload-in-parts.ts';

/** A body that breaks off is asked for again this many times in all; the SDK itself only retries until headers came. */
const BODY_ATTEMPTS = 4;

/** The SDK's own settings, but for retries: `attempts` says how often a call is tried in all. */
export type S3ClientSettings = Omit<S3ClientConfig, 'maxAttempts' | 'retryMode' | 'retryStrategy'> & {
  readonly attempts?: number;
};

/**
 * An S3 client for many small and medium objects at once: kept-alive sockets, retries with jitter that also outlast a
 * spell of `503 SlowDown`, and no call that can hang. Endpoint and region are the environment's, as usual.
 */
export function createS3Client({ attempts = 10, ...overrides }: S3ClientSettings = {}): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const agent = { keepAlive: true, maxSockets: 128 };
  return new S3Client({
    retryStrategy: createPatientRetries(attempts),
    maxAttempts: attempts,
    // Buckets of other regions are reached where they are; other endpoints rarely know bucket names as host names.
    followRegionRedirects: true,
    forcePathStyle: (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined,
    requestHandler: {
      connectionTimeout: 5_000,
      socketTimeout: 30_000,
      httpAgent: agent,
      httpsAgent: agent,
    },
    ...overrides,
  });
}

/** The port to S3, carried out by the SDK. @throws ObjectStoreError from every method. */
export function createS3Store(client: S3Client): ObjectStore {
  return {
    async head(location) {
      try {
        const answer = await client.send(new HeadObjectCommand({ ...at(location), ChecksumMode: 'ENABLED' }));
        return attributesOf(answer);
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw storeError(error, 'HeadObject', location);
      }
    },

    async get(location, options = {}) {
      for (let attempt = 1; ; attempt++) {
        const answer = await openObject(client, location, options);
        if (answer === undefined || answer === 'not-modified') return answer;
        try {
          return await readWhole(answer, location, options.maxBytes);
        } catch (error) {
          if (error instanceof ObjectStoreError || attempt === BODY_ATTEMPTS)
            throw storeError(error, 'GetObject', location);
          await pause(attempt);
        }
      }
    },

    read: (location, range) => readStream(client, location, range),

    async put(location, body, options = {}) {
      const command = new PutObjectCommand({
        ...at(location),
        Body: body,
        ...headersOf(options.attributes ?? {}),
        ...conditionOf(options.condition),
        ...(options.acl && { ACL: options.acl }),
        ...(hasTags(options.tags) && { Tagging: encodeTags(options.tags) }),
        // Always SHA-256: S3 checks it on arrival, and HEAD can confirm our mark with it later.
        ChecksumSHA256: options.attributes?.checksumSha256 ?? sha256(body),
      });
      sendExpires(command, options.attributes?.expires);
      try {
        const answer = await client.send(command);
        return { etag: unquote(answer.ETag), ...(answer.VersionId && { versionId: answer.VersionId }) };
      } catch (error) {
        throw storeError(error, 'PutObject', location, {
          preconditionFailed: options.condition !== undefined && isUnfulfilled(error),
        });
      }
    },

    async upload(location, chunks, contentType) {
      try {
        await uploadInParts(client, { ...at(location), ContentType: contentType }, chunks);
      } catch (error) {
        throw isOfSdk(error) ? storeError(error, 'UploadPart', location) : error;
      }
    },

    async *list(bucket, prefix, startAfter) {
      const asked = { Bucket: bucket, Prefix: prefix, StartAfter: startAfter || undefined };
      const pages = paginateListObjectsV2({ client }, asked);
      try {
        for await (const page of pages) {
          for (const { Key, Size, ETag, LastModified, StorageClass } of page.Contents ?? [])
            yield {
              key: Key!,
              size: Size ?? 0,
              etag: unquote(ETag),
              lastModified: LastModified,
              storageClass: StorageClass,
            };
        }
      } catch (error) {
        throw storeError(error, 'ListObjectsV2', { bucket, key: prefix });
      }
    },

    async tags(location) {
      try {
        const answer = await client.send(new GetObjectTaggingCommand(at(location)));
        return Object.fromEntries((answer.TagSet ?? []).map(({ Key, Value }) => [Key!, Value ?? '']));
      } catch (error) {
        throw storeError(error, 'GetObjectTagging', location);
      }
    },
  };
}

async function openObject(
  client: S3Client,
  location: S3Location,
  options: { ifNoneMatch?: string; versionId?: string },
): Promise<GetObjectCommandOutput | undefined | 'not-modified'> {
  const command = new GetObjectCommand({
    ...at(location),
    VersionId: options.versionId,
    IfNoneMatch: options.ifNoneMatch && `"${options.ifNoneMatch}"`,
    ChecksumMode: 'ENABLED',
  });
  try {
    return await client.send(command);
  } catch (error) {
    if (isNotModified(error)) return 'not-modified';
    if (isAbsent(error)) return undefined;
    throw storeError(error, 'GetObject', location);
  }
}

async function readWhole(
  answer: GetObjectCommandOutput,
  location: S3Location,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<StoredObject> {
  const stream = answer.Body as Readable;
  const size = answer.ContentLength ?? 0;
  if (size > maxBytes) {
    stream.destroy();
    throw new ObjectStoreError(
      'TooLarge',
      `${formatS3Uri(location)} holds ${size} bytes, more than the ${maxBytes} that fit here`,
    );
  }
  const body = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    body.set(chunk, filled);
    filled += chunk.byteLength;
  }
  if (filled !== size) throw new Error(`The body ended after ${filled} of ${size} bytes`);
  return { ...attributesOf(answer), body };
}

/** Goes on where a broken stream stopped, as long as each attempt brings something and the object stays the same. */
async function* readStream(
  client: S3Client,
  location: S3Location,
  range?: { start: number; end: number },
): AsyncIterable<Uint8Array> {
  let position = range?.start ?? 0;
  let etag: string | undefined;
  for (let attempt = 1; ; attempt++) {
    const start = position;
    try {
      const answer = await client.send(
        new GetObjectCommand({
          ...at(location),
          IfMatch: etag,
          Range: range || position > 0 ? `bytes=${position}-${range?.end ?? ''}` : undefined,
        }),
      );
      etag = answer.ETag;
      const expected = position + (answer.ContentLength ?? 0);
      for await (const chunk of answer.Body as AsyncIterable<Uint8Array>) {
        position += chunk.byteLength;
        yield chunk;
      }
      if (position >= expected) return;
      throw new Error(`The body ended at byte ${position} of ${expected}`);
    } catch (error) {
      if (position > start) attempt = 1;
      if (isAnswer(error) || attempt >= BODY_ATTEMPTS) throw storeError(error, 'GetObject', location);
      await pause(attempt);
    }
  }
}

/** S3 answered, with an error: the SDK has retried what is worth it. */
function isAnswer(error: unknown): boolean {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined;
}

function pause(attempt: number): Promise<void> {
  return sleep(Math.random() * 100 * 2 ** attempt);
}

function at({ bucket, key }: S3Location) {
  return { Bucket: bucket, Key: key };
}

function conditionOf(condition: PutOptions['condition']) {
  if (condition === undefined) return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: `"${condition.etag}"` };
}

function hasTags(tags: PutOptions['tags']): tags is Readonly<Record<string, string>> {
  return tags !== undefined && Object.keys(tags).length > 0;
}

function sha256(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64');
}
