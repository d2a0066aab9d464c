import { type Call, sendXml } from './call.ts';
import { type ChecksumAlgorithm, checksumAlgorithmOf } from './checksums.ts';
import { checkCopySourceConditions, checkWriteConditions } from './conditions.ts';
import { existingObject, refuseArchived, versionHeaders } from './get-object.ts';
import { encryptionHeaders, keptHeaders, keptTags } from './object-headers.ts';
import type { NewObject, ObjectRecord } from './object-record.ts';
import { commitWritten, withTemporaryFile } from './put-object.ts';
import { writeFileFrom } from './receive-body.ts';
import { invalidArgument, notImplemented, S3Error } from './s3-error.ts';
import { chunksOf, openFile } from './send-file.ts';
import { element } from './xml.ts';

/** PUT of an object with `x-amz-copy-source`. */
export async function copyObject(call: Call): Promise<void> {
  const { headers: sent } = call.request;
  const algorithm = requestedAlgorithm(sent['x-amz-checksum-algorithm']);
  using source = openCopySource(call);
  refuseCopyOntoItself(call, source);
  checkWriteConditions(call);
  const attributes = attributesOfCopy(call, source.record);
  const record = await withTemporaryFile(call, async (file) => {
    const bytes = chunksOf(source.fd, 0, source.record.size - 1);
    const written = await writeFileFrom(bytes, file, algorithm ?? source.record.checksum?.algorithm);
    return commitWritten(call, file, attributes, written);
  });
  call.notify({ name: 'ObjectCreated:Copy', key: call.key, record });
  sendXml(call.response, 'CopyObjectResult', copyResult(record), {
    ...versionHeaders(call.bucket, record),
    ...(source.record.versionId ? { 'x-amz-copy-source-version-id': source.record.versionId } : {}),
    ...encryptionHeaders(record),
  });
}

/** Opens the object that `x-amz-copy-source` names and checks its conditions; `using` closes it. */
export function openCopySource(call: Call) {
  const { headers } = call.request;
  const [location = '', search] = String(headers['x-amz-copy-source']).replace(/^\//, '').split('?');
  const path = decodeURIComponent(location);
  const slash = path.indexOf('/');
  if (slash < 1) throw invalidArgument('Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
  const bucket = call.bucketNamed(path.slice(0, slash));
  const versionId = new URLSearchParams(search).get('versionId');
  const found = existingObject(bucket, path.slice(slash + 1), versionId);
  checkCopySourceConditions(headers, found.record);
  refuseArchived(found.record);
  return { bucket, record: found.record, ...openFile(found.file, 'r') };
}

function refuseCopyOntoItself(call: Call, source: ReturnType<typeof openCopySource>): void {
  const { headers } = call.request;
  if (source.bucket !== call.bucket || source.record.key !== call.key) return;
  if (String(headers['x-amz-copy-source']).includes('?versionId=')) return; // restores an earlier version
  if (headers['x-amz-metadata-directive'] === 'REPLACE') return;
  const changes = ['storage-class', 'website-redirect-location', 'server-side-encryption'];
  if (changes.some((name) => headers[`x-amz-${name}`] !== undefined)) return;
  const message =
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
    'metadata, storage class, website redirect location or encryption attributes.';
  throw new S3Error(400, 'InvalidRequest', message);
}

/** Content headers and metadata are copied unless replaced; storage class, encryption, redirect and lock never are. */
function attributesOfCopy(call: Call, source: ObjectRecord): Pick<NewObject, 'headers' | 'tags'> {
  const { headers: sent } = call.request;
  const given = keptHeaders(sent);
  const replaces = directive(sent['x-amz-metadata-directive']) === 'REPLACE';
  const replacesTags = directive(sent['x-amz-tagging-directive']) === 'REPLACE';
  const own = Object.entries(given).filter(([name]) => replaces || isOutsideMetadata(name));
  const copied = Object.entries(source.headers).filter(([name]) => !replaces && !isOutsideMetadata(name));
  return {
    headers: Object.fromEntries([...copied, ...own]),
    tags: replacesTags ? keptTags(sent['x-amz-tagging']) : source.tags,
  };
}

function isOutsideMetadata(header: string): boolean {
  return header.startsWith('x-amz-') && !header.startsWith('x-amz-meta-');
}

function directive(header: string | string[] | undefined): string {
  const value = header ?? 'COPY';
  if (value === 'COPY' || value === 'REPLACE') return value;
  throw invalidArgument(`Unknown directive ${value}: expected COPY or REPLACE.`);
}

/** @throws S3Error `NotImplemented` for an unknown algorithm */
export function requestedAlgorithm(header: string | string[] | undefined): ChecksumAlgorithm | undefined {
  if (header === undefined) return undefined;
  const algorithm = checksumAlgorithmOf(String(header));
  if (!algorithm) throw notImplemented(`the checksum algorithm ${header}`);
  return algorithm;
}

/** The XML in the answers to CopyObject and UploadPartCopy. */
export function copyResult(copy: Pick<ObjectRecord, 'mtimeMs' | 'etag' | 'checksum'>): string {
  return element('LastModified', new Date(copy.mtimeMs).toISOString()) + etagAndChecksum(copy);
}

export function etagAndChecksum({ etag, checksum }: Pick<ObjectRecord, 'etag' | 'checksum'>): string {
  return element('ETag', `"${etag}"`) + (checksum ? element(`Checksum${checksum.algorithm}`, checksum.value) : '');
}
