import { expect, test } from 'vitest';
import { parseUndoEntry } from '../../src/core/undo.ts';

test('a line of undo.jsonl that an earlier version wrote is read', () => {
  const line =
    '{"bucket":"photos","key":"a/b.jpg","etagBefore":"e1","etagAfter":"e2","versionId":"v1",' +
    '"backup":"s3://originals/photos/a/b.jpg.e1","sha256":"abc=","uploadSettings":"fedcba9876543210"}';
  expect(parseUndoEntry(line)).toEqual({
    bucket: 'photos',
    key: 'a/b.jpg',
    etagBefore: 'e1',
    etagAfter: 'e2',
    versionId: 'v1',
    backup: 's3://originals/photos/a/b.jpg.e1',
    sha256: 'abc=',
    uploadSettings: 'fedcba9876543210',
  });
});

test.each(['{"bucket":"photos","key":"a.jpg"}', 's3://photos/a.jpg', '{', 'null'])('%s is no undo entry', (line) => {
  expect(parseUndoEntry(line)).toBeUndefined();
});
