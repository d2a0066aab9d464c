import type { OutgoingHttpHeaders } from 'node:http';
import type { Bucket } from './bucket.ts';
import { type Call, sendEmpty } from './call.ts';
import { checkReadConditions } from './conditions.ts';
import { answerHeaders, checksumHeaders } from './object-headers.ts';
import type { FoundObject, ObjectRecord } from './object-record.ts';
import { noSuchKey, S3Error } from './s3-error.ts';
import { openFile, sendFile } from './send-file.ts';
import { NULL_VERSION } from './versions.ts';

/** GET and HEAD of an object or of a version of it. */
export async function getObject(call: Call): Promise<void> {
  const { file, record } = existingObject(call.bucket, call.key, call.query.get('versionId'));
  using opened = openFile(file, 'r'); // an overwrite from here on does not change what is sent
  await answerGet(call, opened.fd, record);
}

/** The current object, or the version with that id. @throws S3Error when there is none */
export function existingObject(bucket: Bucket, key: string, versionId: string | null = null): FoundObject {
  const found = versionId === null ? bucket.find(key) : existingVersion(bucket, key, versionId);
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

/** `x-amz-version-id`, in versioned buckets only. */
export function versionHeaders(bucket: Bucket, record: ObjectRecord): OutgoingHttpHeaders {
  return bucket.isVersioned ? { 'x-amz-version-id': record.versionId ?? NULL_VERSION } : {};
}

async function answerGet(call: Call, fd: number, record: ObjectRecord): Promise<void> {
  const { request, response } = call;
  const headers = { ...answerHeaders(record), ...versionHeaders(call.bucket, record), ...overrides(call.query) };
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

/** Response headers that a (presigned) GET overrides: `response-content-type=…` and so on. */
function overrides(query: URLSearchParams): OutgoingHttpHeaders {
  const requested = [...query].filter(([name]) => name.startsWith('response-'));
  return Object.fromEntries(requested.map(([name, value]) => [name.slice('response-'.length), value]));
}

const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE'];

/** @throws S3Error for an object that S3 would have to restore from an archive first */
export function refuseArchived(record: ObjectRecord): void {
  const storageClass = record.headers['x-amz-storage-class'] ?? '';
  if (!ARCHIVES.includes(storageClass)) return;
  const message = "The operation is not valid for the object's storage class";
  throw new S3Error(403, 'InvalidObjectState', message, { StorageClass: storageClass });
}

/** The single range requested; undefined where S3 sends the whole object (none, several, or not understood). */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start < size && start <= end) return { start, end };
  throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: header ?? '',
    ActualObjectSize: String(size),
  });
}
