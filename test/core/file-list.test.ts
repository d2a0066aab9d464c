import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EntryProblems, FileListError, isMismatch, readEntry, readLocation } from '../../src/core/file-list.ts';

const ROOT = 's3://photos/root/';

test.each([
  's3://bucket/a.jpg',
  's3://bucket/with space.jpg',
  's3://bucket/plus+and%20percent.jpg',
  's3://bucket/a//b.jpg',
  's3://bucket/../up.jpg',
  's3://bucket/größe/日本.png',
])('does not decode the key of %s', (uri) => {
  expect(readLocation(uri, null)).toEqual({ bucket: 'bucket', key: uri.slice('s3://bucket/'.length) });
});

test.each([
  ['http://x', 's3://bucket/key', '"http://x"'],
  ['s3://', 's3://bucket/key', '"s3://"'],
  ['s3://bucket', 's3://bucket/key', '"s3://bucket"'],
  ['s3://-dash/key', 's3://bucket/key', '"s3://-dash/key"'],
  ['plain/key.jpg', 's3://bucket/key', '"plain/key.jpg"'],
])('refuses %s', (text, expected, received) => {
  expect(readLocation(text, null)).toEqual({ expected, received });
});

test('counts the limit of a key in UTF-8 bytes', () => {
  expect(readLocation(`s3://bucket/${'ä'.repeat(512)}`, null)).toMatchObject({ bucket: 'bucket' });
  const tooLong = readLocation(`s3://bucket/${'ä'.repeat(513)}`, null);
  expect(tooLong).toMatchObject({ expected: 'a key of at most 1024 bytes' });
  expect(readLocation('s3://bucket/\ud800', null)).toMatchObject({ expected: 'a key that is valid Unicode' });
});

test.each([
  ['a.jpg', 'root/a.jpg'],
  ['./a.jpg', 'root/a.jpg'],
  ['sub/../a.jpg', 'root/a.jpg'],
  ['sub/./b/a.jpg', 'root/sub/b/a.jpg'],
  ['sub//a.jpg', 'root/sub//a.jpg'],
  ['..a/b..jpg', 'root/..a/b..jpg'],
])('resolves the path %s below the root', (path, key) => {
  expect(readLocation(path, ROOT)).toEqual({ bucket: 'photos', key });
});

test.each([
  ['../a.jpg', `a path below ${ROOT}`],
  ['a/../../b.jpg', `a path below ${ROOT}`],
  ['/etc/passwd', `s3://bucket/key or a path relative to ${ROOT}`],
  ['C:\\photos\\a.jpg', `s3://bucket/key or a path relative to ${ROOT}`],
  ['https://host/a.jpg', 's3://bucket/key'],
  ['', 'a key'],
])('refuses the path "%s"', (path, expected) => {
  expect(readLocation(path, ROOT)).toMatchObject({ expected });
});

test('never lets a path out of the root, whatever its steps', () => {
  const step = fc.oneof(fc.constantFrom('..', '.', '', 'a', 'b.jpg'), fc.string({ maxLength: 4 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const read = readLocation(steps.join('/'), ROOT);
      if (isMismatch(read)) return true;
      return (
        read.bucket === 'photos' &&
        read.key.startsWith('root/') &&
        !read.key.split('/').some((part) => part === '..' || part === '.')
      );
    }),
  );
});

test('reads objects with size and etag, and ignores other properties', () => {
  const failed = { bucket: 'photos', key: 'a+%20.jpg', size: 12, etag: '"abc"', code: 'CorruptImage' };
  expect(readEntry(failed, null)).toEqual({ bucket: 'photos', key: 'a+%20.jpg', size: 12, etag: 'abc' });
  expect(readEntry({ bucket: 'photos', key: 'a', size: null }, null)).toEqual({ bucket: 'photos', key: 'a' });
  expect(readEntry({ key: 'a.jpg' }, ROOT)).toEqual({ bucket: 'photos', key: 'root/a.jpg' });
});

test.each([
  [3, 's3://bucket/key or an object with bucket and key', '3'],
  [null, 's3://bucket/key or an object with bucket and key', 'null'],
  [['a'], 's3://bucket/key or an object with bucket and key', '["a"]'],
  [{ bucket: 'photos' }, 's3://bucket/key or an object with bucket and key', '{"bucket":"photos"}'],
  [{ key: 'a' }, 's3://bucket/key or an object with bucket and key', '{"key":"a"}'],
  [{ bucket: 'Not A Bucket', key: 'a' }, 'the name of a bucket', '"Not A Bucket"'],
  [{ bucket: 'photos', key: '' }, 'a key', '""'],
  [{ bucket: 'photos', key: 'a', size: -1 }, 'a size in bytes (a whole number)', '-1'],
  [{ bucket: 'photos', key: 'a', size: '12' }, 'a size in bytes (a whole number)', '"12"'],
  [{ bucket: 'photos', key: 'a', etag: 5 }, 'an etag (at most 128 characters)', '5'],
])('refuses the entry %j', (value, expected, received) => {
  expect(readEntry(value, null)).toEqual({ expected, received });
});

test('names the first 20 problems and counts the rest', () => {
  const problems = new EntryProblems();
  for (let i = 0; i < 25; i++) problems.add(`[${i}]`, { expected: 's3://bucket/key', received: '"x"' });
  const { message } = new FileListError(problems.named, problems.total);
  expect(message.split('\n')).toHaveLength(21);
  expect(message).toContain('Expected s3://bucket/key at [0] but received "x"\n');
  expect(message).toMatch(/and 5 more$/);
});
