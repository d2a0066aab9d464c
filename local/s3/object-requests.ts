import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Bucket, FoundObject, NewObject, Removal } from './bucket-folder.ts';
import { type Call, readDocument, sendEmpty, sendXml } from './call.ts';
import { type ChecksumAlgorithm, checksumAlgorithmOf } from './checksums.ts';
import { checkCopySourceConditions, checkReadConditions, checkWriteConditions } from './conditions.ts';
import {
  answerHeaders,
  checkedTags,
  checksumHeaders,
  encryptionHeaders,
  keptHeaders,
  keptTags,
} from './object-headers.ts';
import { payloadOf, receiveBody, type WrittenFile, writeFileFrom } from './receive-body.ts';
import { invalidArgument, noSuchKey, notImplemented, S3Error } from './s3-error.ts';
import { chunksOf, sendFile } from './send-file.ts';
import type { ObjectRecord } from './sidecars.ts';
import { NULL_VERSION } from './versions.ts';
import { element, elementsOf, textOf } from './xml.ts';

/** GET and HEAD of an object or of a version of it. */
export async function getObject(call: Call): Promise<void> {
  const { file, record } = objectAskedFor(call);
  const fd = openSync(file, 'r'); // from here on, an overwrite changes nothing that is sent
  try {
    await answerGet(call, fd, record);
  } finally {
    closeSync(fd);
  }
}

function objectAskedFor({ bucket, key, query }: Call): FoundObject {
  const versionId = query.get('versionId');
  return versionId === null ? existingObject(bucket, key) : existingVersion(bucket, key, versionId);
}

function existingObject(bucket: Bucket, key: string): FoundObject {
  const found = bucket.find(key);
  if (!found) throw noSuchKey(key);
  return found;
}

function existingVersion(bucket: Bucket, key: string, versionId: string): FoundObject {
  const version = bucket.findVersion(key, versionId);
  const details = { Key: key, VersionId: versionId };
  if (!version) throw new S3Error(404, 'NoSuchVersion', 'The specified version does not exist.', details);
  if (version !== 'delete-marker') return version;
  const message = 'The specified method is not allowed against this resource: it is a delete marker.';
  throw new S3Error(405, 'MethodNotAllowed', message, details);
}

/** `x-amz-version-id`, in versioned buckets alone. */
export function versionHeaders(bucket: Bucket, record: ObjectRecord): OutgoingHttpHeaders {
  return bucket.isVersioned ? { 'x-amz-version-id': record.versionId ?? NULL_VERSION } : {};
}

async function answerGet(call: Call, fd: number, record: ObjectRecord): Promise<void> {
  const { request, response } = call;
  const headers = {
    ...answerHeaders(record),
    ...versionHeaders(call.bucket, record),
    ...overrides(call.query),
  };
  if (checkReadConditions(request.headers, record) === 'not-modified') {
    return sendEmpty(response, 304, { etag: headers.etag, 'last-modified': headers['last-modified'] });
  }
  if (request.method === 'GET') refuseArchived(record);
  const range = rangeOf(request.headers.range, record.size);
  const wantsChecksum = request.headers['x-amz-checksum-mode'] === 'ENABLED' && !range;
  const { start, end } = range ?? { start: 0, end: record.size - 1 };
  response.writeHead(range ? 206 : 200, {
    ...headers,
    ...(wantsChecksum ? checksumHeaders(record) : {}),
    ...(range ? { 'content-range': `bytes ${start}-${end}/${record.size}` } : {}),
    'content-length': end - start + 1,
  });
  if (request.method === 'HEAD') return void response.end();
  await sendFile(response, fd, start, end);
}

/** `response-content-type=…` and its kin, which a (presigned) GET may ask for. */
function overrides(query: URLSearchParams): OutgoingHttpHeaders {
  const asked = [...query].filter(([name]) => name.startsWith('response-'));
  return Object.fromEntries(asked.map(([name, value]) => [name.slice('response-'.length), value]));
}

const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE'];

function refuseArchived(record: ObjectRecord): void {
  const storageClass = record.headers['x-amz-storage-class'] ?? '';
  if (!ARCHIVES.includes(storageClass)) return;
  const message = "The operation is not valid for the object's storage class";
  throw new S3Error(403, 'InvalidObjectState', message, { StorageClass: storageClass });
}

/** The one range asked for; undefined where S3 sends the whole object (none, several, or not understood). */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start < size && start <= end) return { start, end };
  throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: header!,
    ActualObjectSize: String(size),
  });
}

/** PUT of an object: the body is written aside, checked, and moved into place if the conditions hold then. */
export async function putObject(call: Call): Promise<void> {
  if (call.request.headers['x-amz-copy-source']) return copyObject(call);
  const about = {
    headers: keptHeaders(call.request.headers),
    tags: keptTags(call.request.headers['x-amz-tagging']),
  };
  checkConditions(call); // a refusal that is certain now spares the client the sending
  const record = await withTemporaryFile(call.bucket, async (file) => {
    const written = await receiveBody(call, file);
    return commit(call, file, { ...about, etag: etagOf(written, about.headers), checksum: written.checksum });
  });
  call.notify({ name: 'ObjectCreated:Put', key: call.key, record });
  sendEmpty(call.response, 200, {
    etag: `"${record.etag}"`,
    ...versionHeaders(call.bucket, record),
    ...checksumHeaders(record),
    ...encryptionHeaders(record),
  });
}

/** Runs `work` with the path of a file that is gone afterwards, unless it has been moved. */
export async function withTemporaryFile<T>(bucket: Bucket, work: (file: string) => Promise<T>): Promise<T> {
  const file = bucket.temporaryFile();
  try {
    return await work(file);
  } finally {
    rmSync(file, { force: true });
  }
}

/** Checks the conditions once more and moves the file into place: nothing can come between the two. */
export function commit(call: Call, file: string, written: NewObject): ObjectRecord {
  checkConditions(call);
  return call.bucket.put(call.key, file, written);
}

function checkConditions(call: Call): void {
  const { headers } = call.request;
  if (headers['if-match'] === undefined && headers['if-none-match'] === undefined) return;
  checkWriteConditions(headers, call.key, call.bucket.find(call.key)?.record);
}

// Under KMS an ETag is no MD5 on S3 either: whoever takes it for a content hash shall notice here.
function etagOf(written: WrittenFile, headers: Readonly<Record<string, string>>): string {
  const isKms = headers['x-amz-server-side-encryption']?.startsWith('aws:kms');
  return (isKms ? randomBytes(16) : written.md5).toString('hex');
}

async function copyObject(call: Call): Promise<void> {
  const { headers: sent } = call.request;
  const algorithm = requestedAlgorithm(sent['x-amz-checksum-algorithm']);
  const source = openCopySource(call);
  try {
    refuseCopyOntoItself(call, source);
    checkConditions(call);
    const about = attributesOfCopy(call, source.record);
    const record = await withTemporaryFile(call.bucket, async (file) => {
      const bytes = chunksOf(source.fd, 0, source.record.size - 1);
      const written = await writeFileFrom(bytes, file, algorithm ?? wholeChecksum(source.record));
      return commit(call, file, {
        ...about,
        etag: etagOf(written, about.headers),
        checksum: written.checksum,
      });
    });
    call.notify({ name: 'ObjectCreated:Copy', key: call.key, record });
    sendXml(call.response, 'CopyObjectResult', copyResult(record), {
      ...versionHeaders(call.bucket, record),
      ...(source.record.versionId ? { 'x-amz-copy-source-version-id': source.record.versionId } : {}),
      ...encryptionHeaders(record),
    });
  } finally {
    closeSync(source.fd);
  }
}

export interface CopySource {
  readonly bucket: Bucket;
  readonly fd: number;
  readonly record: ObjectRecord;
}

/** Opens what `x-amz-copy-source` names and checks its conditions. The caller closes it. */
export function openCopySource(call: Call): CopySource {
  const { headers } = call.request;
  const [location = '', search] = String(headers['x-amz-copy-source']).replace(/^\//, '').split('?');
  const path = decodeURIComponent(location);
  const slash = path.indexOf('/');
  if (slash < 1)
    throw invalidArgument('Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
  const bucket = call.bucketNamed(path.slice(0, slash));
  const versionId = new URLSearchParams(search).get('versionId');
  const key = path.slice(slash + 1);
  const found = versionId === null ? existingObject(bucket, key) : existingVersion(bucket, key, versionId);
  checkCopySourceConditions(headers, found.record);
  refuseArchived(found.record);
  return { bucket, fd: openSync(found.file, 'r'), record: found.record };
}

const CHANGES_IN_PLACE = [
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
  'x-amz-server-side-encryption',
];

function refuseCopyOntoItself(call: Call, source: CopySource): void {
  const { headers } = call.request;
  if (source.bucket !== call.bucket || source.record.key !== call.key) return;
  if (String(headers['x-amz-copy-source']).includes('?versionId=')) return; // an earlier version brought back
  if (headers['x-amz-metadata-directive'] === 'REPLACE') return;
  if (CHANGES_IN_PLACE.some((name) => headers[name] !== undefined)) return;
  const message =
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
    'metadata, storage class, website redirect location or encryption attributes.';
  throw new S3Error(400, 'InvalidRequest', message);
}

/** Content headers and metadata go along unless replaced; storage class, encryption, redirect and lock never do. */
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

export function requestedAlgorithm(header: string | string[] | undefined): ChecksumAlgorithm | undefined {
  if (header === undefined) return undefined;
  const algorithm = checksumAlgorithmOf(String(header));
  if (!algorithm) throw notImplemented(`the checksum algorithm ${header}`);
  return algorithm;
}

function wholeChecksum(record: ObjectRecord): ChecksumAlgorithm | undefined {
  return record.checksum?.algorithm;
}

/** What the answers to CopyObject and UploadPartCopy say. */
export function copyResult(copy: Pick<ObjectRecord, 'mtimeMs' | 'etag' | 'checksum'>): string {
  return (
    element('LastModified', new Date(copy.mtimeMs).toISOString()) +
    element('ETag', `"${copy.etag}"`) +
    (copy.checksum ? element(`Checksum${copy.checksum.algorithm}`, copy.checksum.value) : '')
  );
}

/** DELETE of an object, which succeeds where there is none, or of one version for good. */
export function deleteObject(call: Call): void {
  const match = call.request.headers['if-match'];
  if (match !== undefined) checkDeleteCondition(call, match);
  const versionId = call.query.get('versionId');
  if (versionId === null) deletePresent(call);
  else deleteVersion(call, versionId);
}

function deletePresent(call: Call): void {
  const { deleteMarker } = removeAndNotify(call, call.key);
  const marked = deleteMarker ? { 'x-amz-version-id': deleteMarker, 'x-amz-delete-marker': 'true' } : {};
  sendEmpty(call.response, 204, marked);
}

function removeAndNotify(call: Call, key: string): Removal {
  const removal = call.bucket.remove(key);
  const { removed, deleteMarker } = removal;
  if (deleteMarker) call.notify({ name: 'ObjectRemoved:DeleteMarkerCreated', key, versionId: deleteMarker });
  else if (removed) call.notify({ name: 'ObjectRemoved:Delete', key });
  return removal;
}

function deleteVersion(call: Call, versionId: string): void {
  const version = call.bucket.findVersion(call.key, versionId);
  if (version) {
    call.bucket.removeVersion(call.key, versionId);
    call.notify({ name: 'ObjectRemoved:Delete', key: call.key, versionId });
  }
  const wasMarker = version === 'delete-marker' ? { 'x-amz-delete-marker': 'true' } : {};
  sendEmpty(call.response, 204, { 'x-amz-version-id': versionId, ...wasMarker });
}

function checkDeleteCondition(call: Call, match: string): void {
  const current = call.bucket.find(call.key)?.record;
  if (!current) throw noSuchKey(call.key);
  if (match !== '*') checkWriteConditions({ 'if-match': match }, call.key, current);
}

/** POST ?delete: up to 1,000 keys. */
export async function deleteObjects(call: Call): Promise<void> {
  const xml = await withCheckedDocument(call, 'Delete');
  const objects = elementsOf(xml, 'Object');
  if (objects.length === 0 || objects.length > 1000) {
    throw new S3Error(
      400,
      'MalformedXML',
      `Expected 1 to 1,000 objects to delete, received ${objects.length}.`,
    );
  }
  if (objects.some((one) => /<(ETag|VersionId|LastModifiedTime|Size)>/.test(one))) {
    throw notImplemented('conditions and versions in DeleteObjects');
  }
  const keys = objects.map((one) => textOf(one, 'Key') ?? '');
  const deleted = keys.map((key) => {
    const { deleteMarker } = removeAndNotify(call, key);
    const marked = deleteMarker
      ? element('DeleteMarker', true) + element('DeleteMarkerVersionId', deleteMarker)
      : '';
    return `<Deleted>${element('Key', key)}${marked}</Deleted>`;
  });
  const isQuiet = textOf(xml, 'Quiet') === 'true';
  sendXml(call.response, 'DeleteResult', isQuiet ? '' : deleted.join(''));
}

function withCheckedDocument(call: Call, root: string): Promise<string> {
  return readDocument(payloadOf(call), root);
}

export function getObjectTagging(call: Call): void {
  const tags = new URLSearchParams(objectAskedFor(call).record.tags ?? '');
  const set = [...tags].map(([key, value]) => `<Tag>${element('Key', key)}${element('Value', value)}</Tag>`);
  sendXml(call.response, 'Tagging', `<TagSet>${set.join('')}</TagSet>`);
}

export async function putObjectTagging(call: Call): Promise<void> {
  const xml = await withCheckedDocument(call, 'Tagging');
  const tags = elementsOf(xml, 'Tag').map(
    (tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? ''] as const,
  );
  call.bucket.setTags(existingObject(call.bucket, call.key).record, checkedTags(tags));
  sendEmpty(call.response, 200);
}

export function deleteObjectTagging(call: Call): void {
  call.bucket.setTags(existingObject(call.bucket, call.key).record, undefined);
  sendEmpty(call.response, 204);
}
