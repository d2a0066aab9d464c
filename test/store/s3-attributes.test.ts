import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { attributesOf, encodeTags, headersOf } from '../../src/store/s3-attributes.ts';

/** Answers that the local server cannot give, as AWS documents them. */
const head = (answer: Partial<HeadObjectCommandOutput>) => attributesOf({ $metadata: {}, ETag: '"e"', ...answer });

describe('an object is archived', () => {
  test.each([
    [{ StorageClass: 'GLACIER' }, true],
    [{ StorageClass: 'DEEP_ARCHIVE' }, true],
    [{ StorageClass: 'GLACIER', Restore: 'ongoing-request="true"' }, true],
    [
      {
        StorageClass: 'GLACIER',
        Restore: 'ongoing-request="false", expiry-date="Fri, 23 Dec 2032 00:00:00 GMT"',
      },
      false,
    ],
    [{ StorageClass: 'INTELLIGENT_TIERING', ArchiveStatus: 'DEEP_ARCHIVE_ACCESS' }, true],
    [{ StorageClass: 'INTELLIGENT_TIERING' }, false],
    [{ StorageClass: 'GLACIER_IR' }, false],
    [{}, false],
  ] as const)('%j: %s', (answer, archived) => expect(head(answer).archived).toBe(archived));
});

describe('a checksum', () => {
  test('of the whole object is used, one of parts is not', () => {
    expect(head({ ChecksumSHA256: 'abc=', ChecksumType: 'FULL_OBJECT' }).checksumSha256).toBe('abc=');
    expect(head({ ChecksumSHA256: 'abc=' }).checksumSha256).toBe('abc=');
    expect(head({ ChecksumSHA256: 'abc=-3', ChecksumType: 'COMPOSITE' }).checksumSha256).toBeUndefined();
    expect(head({ ChecksumSHA256: 'abc=-3' }).checksumSha256).toBeUndefined();
  });

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'])('%s is named', (algorithm) => {
    expect(head({ [`Checksum${algorithm}`]: 'x' }).checksumAlgorithm).toBe(algorithm);
  });
});

test('metadata that S3 cannot return in headers is counted', () => {
  expect(head({ MissingMeta: 2 }).unreadableMetadata).toBe(2);
});

test('a legal hold is a lock without a mode', () => {
  expect(head({ ObjectLockLegalHoldStatus: 'ON' }).objectLock).toMatchObject({ legalHold: true });
  expect(head({ ObjectLockLegalHoldStatus: 'OFF' }).objectLock).toBeUndefined();
});

test.each([
  ['aws-chunked', undefined],
  ['aws-chunked,gzip', 'gzip'],
  ['identity', 'identity'],
  [undefined, undefined],
])('the Content-Encoding %s is sent as %s', (contentEncoding, sent) => {
  expect(headersOf({ contentEncoding }).ContentEncoding).toBe(sent);
});

test('tags are percent-encoded', () => {
  expect(encodeTags({ 'a b': 'c+d&e', ä: '' })).toBe('a%20b=c%2Bd%26e&%C3%A4=');
});
