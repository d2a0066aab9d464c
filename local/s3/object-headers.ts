import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { checksumHeader } from './checksums.ts';
import type { ObjectRecord } from './object-record.ts';
import { invalidArgument, notImplemented, S3Error } from './s3-error.ts';

const ENCRYPTION = 'x-amz-server-side-encryption';
const KEPT = [
  ...['content-type', 'content-encoding', 'content-disposition', 'content-language', 'cache-control'],
  ...['expires', 'x-amz-storage-class', 'x-amz-website-redirect-location'],
  ...[ENCRYPTION, `${ENCRYPTION}-aws-kms-key-id`, `${ENCRYPTION}-bucket-key-enabled`],
  ...['mode', 'retain-until-date', 'legal-hold'].map((name) => `x-amz-object-lock-${name}`),
];
const METADATA_PREFIX = 'x-amz-meta-';
const MAX_METADATA_BYTES = 2048;

/** The headers of a write that S3 stores with the object. @throws S3Error for those that are not supported */
export function keptHeaders(sent: IncomingHttpHeaders): Record<string, string> {
  refuseUnsupported(sent);
  const isKept = (name: string) => KEPT.includes(name) || name.startsWith(METADATA_PREFIX);
  const entries = Object.entries(sent).filter(([name, value]) => typeof value === 'string' && isKept(name));
  const kept: Record<string, string> = Object.fromEntries(entries as [string, string][]);
  checkMetadata(kept);
  return withoutDefaults(kept);
}

/** The headers in the answers to GET and HEAD. */
export function answerHeaders(record: ObjectRecord): OutgoingHttpHeaders {
  return {
    'content-type': 'binary/octet-stream',
    ...record.headers,
    etag: `"${record.etag}"`,
    'last-modified': new Date(record.mtimeMs).toUTCString(),
    'accept-ranges': 'bytes',
    ...(record.tags ? { 'x-amz-tagging-count': String(new URLSearchParams(record.tags).size) } : {}),
  };
}

export function checksumHeaders(record: ObjectRecord): OutgoingHttpHeaders {
  if (!record.checksum) return {};
  const { algorithm, value, type } = record.checksum;
  return { [checksumHeader(algorithm)]: value, 'x-amz-checksum-type': type };
}

/** The object's encryption headers, which the answer to a write repeats. */
export function encryptionHeaders(record: ObjectRecord): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(record.headers).filter(([name]) => name.startsWith(ENCRYPTION)));
}

/** `a=1&b=2`, checked and normalised. */
export function keptTags(header: string | string[] | undefined): string | undefined {
  if (!header) return undefined;
  return checkedTags([...new URLSearchParams(String(header))]);
}

/** @throws S3Error when there are more than ten tags, a tag twice, or one too long */
export function checkedTags(tags: readonly (readonly [string, string])[]): string | undefined {
  const names = new Set(tags.map(([name]) => name));
  if (tags.length > 10) throw new S3Error(400, 'BadRequest', 'Object tags cannot be greater than 10');
  if (names.size < tags.length) throw new S3Error(400, 'InvalidTag', 'Cannot provide multiple Tags with the same key');
  if (tags.some(([name, value]) => name.length === 0 || name.length > 128 || value.length > 256)) {
    throw new S3Error(400, 'InvalidTag', 'A tag key takes 1 to 128 characters, a tag value up to 256.');
  }
  return tags.length > 0 ? new URLSearchParams(Object.fromEntries(tags)).toString() : undefined;
}

const CONTENT_TYPES: Record<string, string> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  avif: 'image/avif',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  heic: 'image/heic',
  svg: 'image/svg+xml',
  json: 'application/json',
  txt: 'text/plain',
  csv: 'text/csv',
  html: 'text/html',
};

/** For files that were not written through the server: the type that `aws s3 cp` would have sent. */
export function contentTypeByName(key: string): string {
  const extension = key.slice(key.lastIndexOf('.') + 1).toLowerCase();
  return CONTENT_TYPES[extension] ?? 'binary/octet-stream';
}

const STORAGE_CLASSES = [
  ...['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'REDUCED_REDUNDANCY'],
  ...['GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'],
];
const SUPPORTED_ACLS = ['private', 'bucket-owner-full-control'];

function refuseUnsupported(sent: IncomingHttpHeaders): void {
  const storageClass = sent['x-amz-storage-class'];
  if (storageClass && !STORAGE_CLASSES.includes(String(storageClass))) {
    throw new S3Error(400, 'InvalidStorageClass', 'The storage class you specified is not valid');
  }
  const acl = sent['x-amz-acl'];
  const hasGrant = Object.keys(sent).some((name) => name.startsWith('x-amz-grant-'));
  if ((acl && !SUPPORTED_ACLS.includes(String(acl))) || hasGrant) {
    throw new S3Error(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs');
  }
  if (sent['x-amz-server-side-encryption-customer-algorithm']) throw notImplemented('encryption with customer keys');
  if (sent['x-amz-write-offset-bytes']) throw notImplemented('appending to objects');
  const [mode, until] = ['x-amz-object-lock-mode', 'x-amz-object-lock-retain-until-date'];
  if (Boolean(sent[mode]) !== Boolean(sent[until])) throw invalidArgument(`${until} and ${mode} must both be supplied`);
}

function checkMetadata(kept: Record<string, string>): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(kept)) {
    // Header text arrives as Latin-1, one character per byte sent.
    if (name.startsWith(METADATA_PREFIX)) bytes += name.length - METADATA_PREFIX.length + value.length;
  }
  if (bytes <= MAX_METADATA_BYTES) return;
  const message = 'Your metadata headers exceed the maximum allowed metadata size';
  const sizes = { Size: String(bytes), MaxSizeAllowed: String(MAX_METADATA_BYTES) };
  throw new S3Error(400, 'MetadataTooLarge', message, sizes);
}

function withoutDefaults(kept: Record<string, string>): Record<string, string> {
  const { 'content-encoding': encoding, 'x-amz-storage-class': storageClass, ...rest } = kept;
  const payload = payloadEncoding(encoding);
  return {
    ...rest,
    ...(payload ? { 'content-encoding': payload } : {}),
    ...(storageClass && storageClass !== 'STANDARD' ? { 'x-amz-storage-class': storageClass } : {}),
  };
}

/** A Content-Encoding without `aws-chunked`, which is of the transfer only. */
export function payloadEncoding(header = ''): string {
  const codings = header.split(',').map((coding) => coding.trim());
  return codings.filter((coding) => coding !== '' && coding !== 'aws-chunked').join(',');
}
