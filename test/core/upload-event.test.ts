import { describe, expect, test } from 'vitest';
import { readUploadEvent, UploadEventError } from '../../src/core/upload-event.ts';

const record = (key: string, eventName = 'ObjectCreated:Put') => ({
  eventVersion: '2.3',
  eventSource: 'aws:s3',
  eventName,
  s3: { bucket: { name: 'uploads' }, object: { key, size: 1, eTag: 'e', sequencer: '0A' } },
});
const notification = (...records: object[]) => JSON.stringify({ Records: records });
const bridged = (key: string, type = 'Object Created') =>
  JSON.stringify({
    source: 'aws.s3',
    'detail-type': type,
    detail: { bucket: { name: 'uploads' }, object: { key, size: 1 }, reason: 'PutObject' },
  });

describe('an S3 notification', () => {
  test('names every record, not only the first', () => {
    expect(readUploadEvent(notification(record('a.jpg'), record('b/c.jpg')))).toEqual([
      { bucket: 'uploads', key: 'a.jpg' },
      { bucket: 'uploads', key: 'b/c.jpg' },
    ]);
  });

  test.each([
    ['a+b.jpg', 'a b.jpg'],
    ['a%2Bb.jpg', 'a+b.jpg'],
    ['100%25.jpg', '100%.jpg'],
    ['a%252Bb.jpg', 'a%2Bb.jpg'],
    ['%C3%BCn%C3%AF/%E5%86%99%E7%9C%9F.png', 'ünï/写真.png'],
    ['a%40b//c.jpg', 'a@b//c.jpg'],
    ["(it's)%3Bok.jpg", "(it's);ok.jpg"],
  ])('has a form-URL-encoded key: %s is %s', (encoded, key) => {
    expect(readUploadEvent(notification(record(encoded)))).toEqual([{ bucket: 'uploads', key }]);
  });

  test.each([
    'ObjectCreated:Copy',
    'ObjectCreated:CompleteMultipartUpload',
    'ObjectCreated:Post',
  ])('of %s is an upload', (name) => expect(readUploadEvent(notification(record('a.jpg', name)))).toHaveLength(1));

  test.each([
    'ObjectRemoved:Delete',
    'ObjectRestore:Completed',
    'LifecycleExpiration:Delete',
  ])('of %s is none', (name) => expect(readUploadEvent(notification(record('a.jpg', name)))).toEqual([]));

  test('for testing the configuration is none', () => {
    const body = '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"uploads"}';
    expect(readUploadEvent(body)).toEqual([]);
  });

  test('may come through SNS', () => {
    const body = JSON.stringify({ Type: 'Notification', Message: notification(record('a+b.jpg')) });
    expect(readUploadEvent(body)).toEqual([{ bucket: 'uploads', key: 'a b.jpg' }]);
  });
});

describe('an EventBridge event', () => {
  test('has a raw key', () => {
    expect(readUploadEvent(bridged('a+b%20c d.jpg'))).toEqual([{ bucket: 'uploads', key: 'a+b%20c d.jpg' }]);
  });

  test('of anything but a creation is none', () => {
    expect(readUploadEvent(bridged('a.jpg', 'Object Deleted'))).toEqual([]);
  });
});

describe('any other message is refused, and quoted', () => {
  test.each([
    'hello',
    '',
    'null',
    '[]',
    '{"a":1}',
    notification({ eventName: 'ObjectCreated:Put' }),
    notification(record('%E0%A4%A')),
    notification(record('')),
    JSON.stringify({ source: 'aws.s3', 'detail-type': 'Object Created' }),
  ])('%j', (body) => {
    expect(() => readUploadEvent(body)).toThrow(UploadEventError);
    expect(() => readUploadEvent(body)).toThrow(/^Expected .* but received /);
  });
});
