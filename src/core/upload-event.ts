import { parseJson } from './parse-json.ts';
import type { S3Location } from './s3-uri.ts';

/** A queue message that is not an S3 notification. */
export class UploadEventError extends Error {
  override readonly name = 'UploadEventError';
}

/**
 * The uploaded objects that a queue message names: S3's own notification (form-URL-encoded keys), EventBridge's
 * `Object Created` (raw keys), or either of them forwarded by SNS. Removals and S3's test event name none.
 * @throws UploadEventError
 */
export function readUploadEvent(body: string): readonly S3Location[] {
  const message = parse(body);
  if (Array.isArray(message.Records)) return message.Records.filter(isCreation).map(notifiedObject);
  if (message.Event === 's3:TestEvent') return [];
  if (message.source === 'aws.s3') return message['detail-type'] === 'Object Created' ? [bridgedObject(message)] : [];
  if (message.Type === 'Notification' && typeof message.Message === 'string') return readUploadEvent(message.Message);
  throw refused(body);
}

type Json = Record<string, unknown>;
type EventObject = { bucket?: { name?: unknown }; object?: { key?: unknown } };

function parse(body: string): Json {
  const value = parseJson(body);
  if (value !== null && typeof value === 'object') return value as Json;
  throw refused(body);
}

function isCreation(record: unknown): boolean {
  return String((record as Json | null)?.eventName ?? '').startsWith('ObjectCreated:');
}

function notifiedObject(record: unknown): S3Location {
  const { s3 } = record as { s3?: EventObject };
  const key = s3?.object?.key;
  return located(s3?.bucket?.name, typeof key === 'string' ? decodeEventKey(key) : key, record);
}

function bridgedObject({ detail }: Json): S3Location {
  const { bucket, object } = Object(detail) as EventObject;
  return located(bucket?.name, object?.key, detail);
}

function located(bucket: unknown, key: unknown, record: unknown): S3Location {
  if (typeof bucket === 'string' && bucket && typeof key === 'string' && key) return { bucket, key };
  throw refused(JSON.stringify(record));
}

/**
 * The key in an S3 notification, which is encoded like an HTML form: `+` is a space, `%2B` a plus sign.
 * @throws UploadEventError
 */
export function decodeEventKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    throw new UploadEventError(`Expected a form-URL-encoded key but received ${JSON.stringify(key)}`);
  }
}

function refused(body: string | undefined): UploadEventError {
  const expected = 'Expected an S3 notification or an EventBridge event of aws.s3';
  return new UploadEventError(`${expected} but received ${JSON.stringify((body ?? '').slice(0, 200))}`);
}
