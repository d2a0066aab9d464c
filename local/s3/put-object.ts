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
  const { headers } = call.request;
  const attributes = { headers: keptHeaders(headers), tags: keptTags(headers['x-amz-tagging']) };
  checkWriteConditions(call); // refused here, the client need not send the body
  const record = await withTemporaryFile(call, async (file) =>
    commitWritten(call, file, attributes, await receiveBody(call, file)),
  );
  call.notify({ name: 'ObjectCreated:Put', key: call.key, record });
  sendEmpty(call.response, 200, {
    etag: `"${record.etag}"`,
    ...versionHeaders(call.bucket, record),
    ...checksumHeaders(record),
    ...encryptionHeaders(record),
  });
}

/** Runs `work` with the path of a file that is removed afterwards, unless it was moved. */
export async function withTemporaryFile<T>({ bucket, key }: Call, work: (file: string) => Promise<T>): Promise<T> {
  const file = bucket.filesOf(key).temporaryFile();
  try {
    return await work(file);
  } finally {
    rmSync(file, { force: true });
  }
}

/** Stores a file that was written in one piece. */
export function commitWritten(
  call: Call,
  file: string,
  attributes: Pick<NewObject, 'headers' | 'tags'>,
  { md5, checksum }: WrittenFile,
): ObjectRecord {
  // With KMS an ETag is not an MD5 on S3 either: code that takes it for a content hash has to fail here too.
  const isKms = attributes.headers['x-amz-server-side-encryption']?.startsWith('aws:kms');
  const etag = (isKms ? randomBytes(16) : md5).toString('hex');
  return commit(call, file, { ...attributes, etag, checksum });
}

/** Checks the conditions again and moves the file into place; nothing can happen in between. */
export function commit(call: Call, file: string, written: NewObject): ObjectRecord {
  checkWriteConditions(call);
  return call.bucket.put(call.key, file, written);
}
