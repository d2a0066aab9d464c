import { describe, expect, test } from 'vitest';
import type { ImageFormat } from '../../src/core/image-result.ts';
import { formatByName, outputFor, possibleOutputs, targetFormat } from '../../src/core/output-key.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';

const source = (key: string) => ({ bucket: 'photos', key });
const mirror = { output: 's3://out/compressed/', layout: 'mirror', suffixes: [] } as const;
const keyOf = (key: string, job: Parameters<typeof outputFor>[1], format?: ImageFormat) =>
  outputFor(source(key), job, format).key;

test('in place, the output is the source itself', () => {
  expect(outputFor(source('a/b.png'), { ...mirror, output: 'in-place' })).toEqual(source('a/b.png'));
});

test('a mirror keeps the whole key, so that equal names in two folders stay apart', () => {
  expect(outputFor(source('a/x.jpg'), mirror)).toEqual({ bucket: 'out', key: 'compressed/a/x.jpg' });
  expect(keyOf('b/x.jpg', mirror)).toBe('compressed/b/x.jpg');
  expect(keyOf('a//b c+%20.jpg', { ...mirror, output: 's3://out/' })).toBe('a//b c+%20.jpg');
});

describe('the extension changes only when the format does', () => {
  test.each<[string, ImageFormat, string]>([
    ['a.png', 'jpeg', 'a.jpeg'],
    ['a.PNG', 'jpeg', 'a.jpeg'],
    ['a.png.backup.png', 'jpeg', 'a.png.backup.jpeg'],
    ['shots.png/a.tif', 'webp', 'shots.png/a.webp'],
    ['a.jpg', 'jpeg', 'a.jpg'],
    ['a.JPEG', 'jpeg', 'a.JPEG'],
    ['a.jfif', 'avif', 'a.avif'],
    ['stereo.MPO', 'webp', 'stereo.webp'],
    ['a', 'webp', 'a'],
    ['.png', 'webp', '.png'],
    ['a.dat', 'webp', 'a.dat'],
    ['folder.d/noextension', 'webp', 'folder.d/noextension'],
  ])('%s as %s becomes %s', (key, format, expected) => {
    expect(keyOf(key, mirror, format)).toBe(`compressed/${expected}`);
  });

  test('and never without a format', () => {
    expect(keyOf('a.PNG', mirror)).toBe('compressed/a.PNG');
  });
});

test('a flat layout keeps the name alone', () => {
  expect(keyOf('a/b/c.png', { ...mirror, layout: 'flat' }, 'jpeg')).toBe('compressed/c.jpeg');
});

test.each([
  ['drive/0001_left.jpg', 'left/0001_left.jpg'],
  ['drive/0001_left.JPG', 'left/0001_left.JPG'],
  ['drive/left.jpg', 'left/left.jpg'],
  ['drive/0001_front_left.jpg', 'front_left/0001_front_left.jpg'],
  ['drive/0001_left', 'left/0001_left'],
  ['drive_left/0001.jpg', 'others/0001.jpg'],
  ['drive/0001_left_raw.jpg', 'others/0001_left_raw.jpg'],
  ['drive/cleft.jpg', 'others/cleft.jpg'],
])('by suffix, %s goes to %s', (key, expected) => {
  const job = { ...mirror, layout: 'by-suffix', suffixes: ['left', 'right', 'front_left'] } as const;
  expect(keyOf(key, job)).toBe(`compressed/${expected}`);
});

test('by suffix, the original name counts, not the one with the new extension', () => {
  const job = { ...mirror, layout: 'by-suffix', suffixes: ['left'] } as const;
  expect(keyOf('a_left.png', job, 'jpeg')).toBe('compressed/left/a_left.jpeg');
});

test.each([
  ['a.JPG', 'jpeg'],
  ['a.tiff', 'tiff'],
  ['a.txt', undefined],
  ['a.d/b', undefined],
  ['a.constructor', undefined],
])('%s promises %s', (key, format) => expect(formatByName(key)).toBe(format));

test.each([
  ['keep', 'a/x.png', ['a/x.png']],
  ['webp', 'a/x.png', ['a/x.webp', 'a/x.png']],
  ['jpeg', 'a/x.jpg', ['a/x.jpg']],
  ['smallest', 'a/x.jpg', ['a/x.jpg', 'a/x.webp', 'a/x.avif']],
  ['smallest', 'a/x', ['a/x']],
] as const)('with the format %s, the output of %s may be any of %j', (format, key, expected) => {
  const job = { ...mirror, compression: { ...DEFAULT_COMPRESSION, format } };
  const keys = possibleOutputs(job)(source(key)).map((output) => output.key);
  expect(keys).toEqual(expected.map((name) => `compressed/${name}`));
});

test('with the format smallest, sources of one name share the output by which a plan refuses them', () => {
  const job = { ...mirror, compression: { ...DEFAULT_COMPRESSION, format: 'smallest' } } as const;
  const planned = ['a/x.jpg', 'a/x.png', 'a/x.webp', 'a/x.avif', 'a/x.jpeg'].map((key) =>
    keyOf(key, job, targetFormat(job)),
  );
  expect(new Set(planned).size).toBe(1);
  expect(keyOf('a/y.png', job, targetFormat(job))).not.toBe(planned[0]);
});
