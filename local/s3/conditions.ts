import type { IncomingHttpHeaders } from 'node:http';
import type { Call } from './call.ts';
import type { ObjectRecord } from './object-record.ts';
import { noSuchKey, notImplemented, preconditionFailed } from './s3-error.ts';

/** If-Match and If-None-Match of PUT, Copy and Complete. @throws S3Error 412, 404, or 501 as S3 does */
export function checkWriteConditions({ request, bucket, key }: Call): void {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  if (match === undefined && noneMatch === undefined) return;
  const current = bucket.find(key)?.record;
  if (match !== undefined && noneMatch !== undefined) throw notImplemented('If-Match beside If-None-Match');
  if (match === '*') throw notImplemented('If-Match: * for writes');
  if (noneMatch !== undefined && noneMatch !== '*') throw notImplemented('If-None-Match with an ETag for writes');
  if (noneMatch === '*' && current) throw preconditionFailed('If-None-Match');
  if (match === undefined) return;
  checkMatch(match, key, current);
}

/** If-Match alone. @throws S3Error 412, or 404 when there is no object */
export function checkMatch(match: string, key: string, current: ObjectRecord | undefined): void {
  if (!current) throw noSuchKey(key);
  if (!names(match, current.etag)) throw preconditionFailed('If-Match');
}

/** The conditions of GET and HEAD, in the order of RFC 9110. @throws S3Error 412 */
export function checkReadConditions(headers: IncomingHttpHeaders, record: ObjectRecord): 'send' | 'not-modified' {
  // Last-Modified has whole seconds, so whole seconds are compared.
  const modifiedMs = Math.floor(record.mtimeMs / 1000) * 1000;
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match !== undefined && !names(match, record.etag)) throw preconditionFailed('If-Match');
  if (match === undefined && modifiedMs > dateOf(headers['if-unmodified-since'], Number.POSITIVE_INFINITY)) {
    throw preconditionFailed('If-Unmodified-Since');
  }
  if (noneMatch !== undefined) return names(noneMatch, record.etag) ? 'not-modified' : 'send';
  return modifiedMs <= dateOf(headers['if-modified-since'], Number.NEGATIVE_INFINITY) ? 'not-modified' : 'send';
}

/** The `x-amz-copy-source-if-…` headers. @throws S3Error 412 */
export function checkCopySourceConditions(headers: IncomingHttpHeaders, source: ObjectRecord): void {
  const prefix = 'x-amz-copy-source-';
  const conditions = Object.entries(headers).filter(([name]) => name.startsWith(`${prefix}if-`));
  const plain = Object.fromEntries(conditions.map(([name, value]) => [name.slice(prefix.length), value]));
  if (checkReadConditions(plain, source) === 'not-modified')
    throw preconditionFailed('x-amz-copy-source-If-None-Match');
}

function names(list: string, etag: string): boolean {
  const named = list.split(',').map((one) => one.trim().replace(/^W\//, '').replaceAll('"', ''));
  return named.includes('*') || named.includes(etag);
}

function dateOf(header: string | undefined, otherwise: number): number {
  const time = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(time) ? otherwise : time;
}
