import { randomUUID } from 'node:crypto';
import type { ObjectRecord } from './object-record.ts';

/** The region of every bucket. */
export const REGION = 'us-east-1';

export type S3EventName =
  | 'ObjectCreated:Put'
  | 'ObjectCreated:Copy'
  | 'ObjectCreated:CompleteMultipartUpload'
  | 'ObjectRemoved:Delete'
  | 'ObjectRemoved:DeleteMarkerCreated';

export interface ObjectEvent {
  readonly name: S3EventName;
  readonly bucket: string;
  readonly key: string;
  /** Of a creation; a removal has neither size nor ETag. */
  readonly record?: ObjectRecord;
  /** Of a removal; a creation's is in its record. */
  readonly versionId?: string;
}

export type S3EventRecord = ReturnType<typeof eventRecord>;

/** One record of an S3 notification, in the shape that S3 sends. @param sequencer greater than those of earlier events of the same key */
export function eventRecord(event: ObjectEvent, sequencer: bigint) {
  const { name, bucket, record } = event;
  const versionId = event.versionId ?? record?.versionId;
  const local = { principalId: 'LOCAL' };
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3' as const,
    awsRegion: REGION,
    eventTime: new Date().toISOString(),
    eventName: name,
    userIdentity: local,
    requestParameters: { sourceIPAddress: '127.0.0.1' },
    responseElements: { 'x-amz-request-id': requestId(), 'x-amz-id-2': 'local' },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'local',
      bucket: { name: bucket, ownerIdentity: local, arn: `arn:aws:s3:::${bucket}` },
      object: {
        /** Form-URL-encoded: a space is `+`, a plus is `%2B`; slashes stay. */
        key: formEncode(event.key),
        ...(record ? { size: record.size, eTag: record.etag } : {}),
        ...(versionId ? { versionId } : {}),
        /** Greater for the later event of one key, compared as text. */
        sequencer: sequencer.toString(16).toUpperCase().padStart(18, '0'),
      },
    },
  };
}

export function requestId(): string {
  // Node keeps random UUIDs in stock: 8 random bytes would need a system call for every request.
  return randomUUID().replaceAll('-', '').slice(-16).toUpperCase();
}

/** As S3 writes keys in notifications and in listings with `encoding-type=url`. */
export function formEncode(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
    .replaceAll('%2F', '/');
}
