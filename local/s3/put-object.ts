import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type Call, sendEmpty } from './call.ts';
import { checkWriteConditions } from './conditions.ts';
import { versionHeaders } from './get-object.ts';
import { checksumHeaders, encryptionHeaders, keptHeaders, keptTags } from './object-headers.ts';
import type { NewObject, ObjectRecord } from './object-record.ts';
import { receiveBody, type WrittenFile } from './receive-body.ts';

/** PUT of an object: the body goes to a temporary file, is checked, and moves into place if the conditions still hold. */
export async function putObject(call: Call): Promise<void> {
  const attributes = {
    headers: keptHeaders(call.request.headers),
    tags: keptTags(call.request.headers['x-amz-tagging']),
  };
  checkConditions(call); // refused here, the client need not send the body
  const record = await withTemporaryFile(call, async (file) => {
    const written = await receiveBody(call, file);
    return commit(call, file, {
      ...attributes,
      etag: etagOf(written, attributes.headers),
      checksum: written.checksum,
    });
  });
  call.notify({ name: 'ObjectCreated:Put', key: call.key, record });
  sendEmpty(call.response, 200, {
    etag: `"${record.etag}"`,
    ...versionHeaders(call.bucket, record),
    ...checksumHeaders(record),
    ...encryptionHeaders(record),
  });
}

/** Runs `work` with the path of a file that is removed afterwards, unless it was moved. */
export async function withTemporaryFile<T>(
  { bucket, key }: Call,
  work: (file: string) => Promise<T>,
): Promise<T> {
  const file = bucket.filesOf(key).temporaryFile();
  try {
    return await work(file);
  } finally {
    rmSync(file, { force: true });
  }
}

/** Checks the conditions again and moves the file into place; nothing can happen in between. */
export function commit(call: Call, file: string, written: NewObject): ObjectRecord {
  checkConditions(call);
  return call.bucket.put(call.key, file, written);
}

/** @throws S3Error when If-Match or If-None-Match does not hold for the current object */
export function checkConditions(call: Call): void {
  const { headers } = call.request;
  if (headers['if-match'] === undefined && headers['if-none-match'] === undefined) return;
  checkWriteConditions(headers, call.key, call.bucket.find(call.key)?.record);
}

// With KMS an ETag is not an MD5 on S3 either: code that takes it for a content hash has to fail here too.
export function etagOf(written: WrittenFile, headers: Readonly<Record<string, string>>): string {
  const isKms = headers['x-amz-server-side-encryption']?.startsWith('aws:kms');
  return (isKms ? randomBytes(16) : written.md5).toString('hex');
}
