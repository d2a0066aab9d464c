import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { type ByteRange, type ObjectStore, ObjectStoreError, type StoredObject } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { attributesOf } from './s3-attributes.ts';
import { isAbsent, statusOf, storeError } from './s3-errors.ts';

/** A body that breaks off is requested this many times in all; the SDK itself retries only until headers came. */
const BODY_ATTEMPTS = 4;

type GetOptions = NonNullable<Parameters<ObjectStore['get']>[1]>;

/** ObjectStore.get: the whole object in memory. @throws ObjectStoreError */
export async function getObject(client: S3Client, location: S3Location, options: GetOptions) {
  for (let attempt = 1; ; attempt++) {
    const answer = await openObject(client, location, options);
    if (answer === undefined || answer === 'not-modified') return answer;
    try {
      return await readBody(answer, location, options.maxBytes);
    } catch (error) {
      if (error instanceof ObjectStoreError || attempt === BODY_ATTEMPTS)
        throw storeError(error, 'GetObject', location);
      await pause(attempt);
    }
  }
}

async function openObject(client: S3Client, { bucket, key }: S3Location, options: GetOptions) {
  const IfNoneMatch = options.ifNoneMatch && `"${options.ifNoneMatch}"`;
  const input = { Bucket: bucket, Key: key, VersionId: options.versionId, IfNoneMatch };
  try {
    return await client.send(new GetObjectCommand({ ...input, ChecksumMode: 'ENABLED' }));
  } catch (error) {
    if (statusOf(error) === 304) return 'not-modified';
    if (isAbsent(error)) return undefined;
    throw storeError(error, 'GetObject', { bucket, key });
  }
}

async function readBody(
  answer: GetObjectCommandOutput,
  location: S3Location,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<StoredObject> {
  const stream = answer.Body as Readable;
  const size = answer.ContentLength ?? 0;
  if (size > maxBytes) {
    stream.destroy();
    const message = `${formatS3Uri(location)} has ${size} bytes, more than the ${maxBytes} that fit here`;
    throw new ObjectStoreError('TooLarge', message);
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

interface Progress {
  position: number;
  etag?: string;
}

/**
 * ObjectStore.read: the object as a stream. Resumes a broken stream, as long as the object stays the same; each attempt
 * that brings something starts the count again. @throws ObjectStoreError
 */
export async function* readObject(client: S3Client, location: S3Location, range?: ByteRange) {
  const progress: Progress = { position: range?.start ?? 0 };
  for (let attempt = 1; ; attempt++) {
    const start = progress.position;
    try {
      yield* readOn(client, location, progress, range);
      return;
    } catch (error) {
      if (progress.position > start) attempt = 1;
      // An answer that is an error: the SDK has retried what is worth it.
      if (statusOf(error) !== undefined || attempt >= BODY_ATTEMPTS) throw storeError(error, 'GetObject', location);
      await pause(attempt);
    }
  }
}

async function* readOn(client: S3Client, { bucket, key }: S3Location, progress: Progress, range?: ByteRange) {
  const { position, etag } = progress;
  const Range = range || position > 0 ? `bytes=${position}-${range?.end ?? ''}` : undefined;
  const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag, Range }));
  progress.etag = answer.ETag;
  const expected = position + (answer.ContentLength ?? 0);
  for await (const chunk of answer.Body as AsyncIterable<Uint8Array>) {
    progress.position += chunk.byteLength;
    yield chunk;
  }
  if (progress.position < expected) throw new Error(`The body ended at byte ${progress.position} of ${expected}`);
}

function pause(attempt: number): Promise<void> {
  return sleep(Math.random() * 100 * 2 ** attempt);
}
