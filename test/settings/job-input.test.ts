import { expect, test } from 'vitest';
import { settingsOf } from '../../src/core/job-settings.ts';
import { DEFAULT_COMPRESSION, JobInputError, parseJobInput } from '../../src/settings/job-input.ts';

const CONTEXT = { jobId: 'monday', startedAt: '2026-01-05T00:00:00Z', defaultOutput: 's3://out/compressed/' };
const LIST = 's3://lists/photos.json';

function problems(input: unknown): readonly string[] {
  try {
    parseJobInput(input, CONTEXT);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(JobInputError);
    return (error as JobInputError).problems;
  }
}

test('fills in every default around a file list', () => {
  expect(parseJobInput({ fileList: LIST }, CONTEXT)).toEqual({
    jobId: 'monday',
    fileList: LIST,
    output: 's3://out/compressed/',
    relativeTo: null,
    layout: 'mirror',
    suffixes: ['left', 'right', 'front'],
    compression: DEFAULT_COMPRESSION,
    images: { perBatch: 200, perBatchBytes: null, fargateAbove: 2000, fargateAboveBytes: 5_000_000_000 },
    limits: { maxObjects: null, maxBytes: null, maxPixels: null },
    select: { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null },
    copyKept: true,
    toleratedFailurePercentage: 10,
    dryRun: false,
    resume: null,
    backup: null,
    force: false,
    startedAt: '2026-01-05T00:00:00Z',
  });
});

test('takes every setting where it belongs', () => {
  const job = parseJobInput(
    {
      fileList: 's3://photos/2025/',
      output: 'in-place',
      relativeTo: 's3://photos/',
      encoding: { mode: 'auto', quality: 70, effort: 'fast', progressive: false, background: '#FFFFFF' },
      resize: { maxWidth: 4096 },
      autoOrient: true,
      metadata: 'strip',
      minSavings: { percent: 5 },
      images: { perBatch: 10, perBatchBytes: 1000 },
      limits: { maxObjects: 5 },
      select: { suffixes: ['.jpg'], modifiedAfter: '2026-01-31' },
      copyKept: false,
      toleratedFailurePercentage: 0.5,
      dryRun: true,
      resume: 'sunday',
      backup: 's3://originals/',
      force: true,
    },
    CONTEXT,
  );
  expect(job.compression).toEqual({
    mode: 'auto',
    quality: 70,
    effort: 'fast',
    format: 'keep',
    progressive: false,
    background: '#ffffff',
    autoOrient: true,
    resize: { maxWidth: 4096 },
    metadata: 'strip',
    minSavings: { percent: 5, bytes: 512 },
  });
  expect(job).toMatchObject({
    output: 'in-place',
    images: { perBatch: 10, perBatchBytes: 1000, fargateAbove: 2000 },
    select: { suffixes: ['.jpg'], minBytes: null, modifiedAfter: '2026-01-31' },
    resume: 'sunday',
    backup: 's3://originals/',
  });
});

test('takes null for left out', () => {
  const input = { fileList: LIST, output: null, resize: null, limits: { maxObjects: null }, encoding: null };
  expect(parseJobInput(input, CONTEXT)).toEqual(parseJobInput({ fileList: LIST }, CONTEXT));
});

test.each<[unknown, string]>([
  [{ encoding: { quality: 700 } }, "'encoding.quality' must be 1 to 100, '700' given"],
  [{ encoding: { quality: 0 } }, "'encoding.quality' must be 1 to 100, '0' given"],
  [{ encoding: { quality: 70.5 } }, "'encoding.quality' must be a whole number, 1 to 100, '70.5' given"],
  [{ encoding: { quality: '70' } }, "'encoding.quality' must be a whole number, 1 to 100, '70' given"],
  [{ encoding: { mode: 'lossy' } }, "'encoding.mode' must be quality, lossless or auto, 'lossy' given"],
  [
    { encoding: { background: 'white' } },
    "'encoding.background' must be a colour as in #ffffff, 'white' given",
  ],
  [{ encoding: 5 }, "'encoding' must be an object, '5' given"],
  [
    { fileList: 'http://x/list' },
    "'fileList' must be s3://bucket/key of a file list or s3://bucket/prefix/, 'http://x/list' given",
  ],
  [
    { output: 's3://out/x' },
    "'output' must be s3://bucket/prefix/ (with a slash at its end) or in-place, 's3://out/x' given",
  ],
  [{ resize: {} }, "'resize' must hold maxWidth or maxHeight, '{}' given"],
  [{ images: { perBatch: 0 } }, "'images.perBatch' must be 1 or more, '0' given"],
  [
    { suffixes: ['a', 'a'] },
    `'suffixes' must be a list of names without slashes, each once, '["a","a"]' given`,
  ],
  [
    { select: { modifiedAfter: 'monday' } },
    "'select.modifiedAfter' must be a time as in 2026-01-31T00:00:00Z, 'monday' given",
  ],
  [{ toleratedFailurePercentage: 101 }, "'toleratedFailurePercentage' must be 0 to 100, '101' given"],
  [{ dryRun: 'yes' }, "'dryRun' must be true or false, 'yes' given"],
  [{ resume: '../other' }, "'resume' must be the name of an earlier execution, '../other' given"],
])('refuses %j with path, rule and value', (settings, message) => {
  expect(problems({ fileList: LIST, ...(settings as object) })).toEqual([message]);
});

test('refuses what is no setting, and names those that are', () => {
  expect(problems({ fileList: LIST, encoding: { qualty: 70 } })).toEqual([
    "'encoding.qualty' must be left out (it is no setting; settings here: mode, quality, effort, format, progressive, background), '70' given",
  ]);
  expect(problems({ fileList: LIST, quality: 70 })[0]).toMatch(
    /^'quality' must be left out \(it is no setting;/,
  );
});

test('collects all problems of an input', () => {
  expect(problems({ encoding: { quality: 700 }, layout: 'round' })).toEqual([
    "'fileList' must be s3://bucket/key of a file list or s3://bucket/prefix/, nothing given",
    "'layout' must be mirror, flat or by-suffix, 'round' given",
    "'encoding.quality' must be 1 to 100, '700' given",
  ]);
});

test('a job written as settings asks for the same job', () => {
  const job = parseJobInput(
    {
      fileList: LIST,
      layout: 'by-suffix',
      encoding: { mode: 'auto', format: 'webp', background: '#FFFFFF' },
      resize: { maxWidth: 800 },
      metadata: 'copyright',
      limits: { maxPixels: 1e6 },
      acl: 'public-read',
    },
    CONTEXT,
  );
  expect(parseJobInput(settingsOf(job), CONTEXT)).toEqual(job);
});

test.each([null, 'text', 5, []])('refuses %j as an input', (input) => {
  expect(problems(input)).toHaveLength(1);
});

test.each([
  [
    { output: 'in-place', encoding: { format: 'webp' } },
    /'encoding.format' must be keep where 'output' is in-place/,
  ],
  [{ output: 'in-place', layout: 'flat' }, /'layout' must be mirror where 'output' is in-place/],
  [{ backup: 's3://originals/' }, /'backup' must be left out unless 'output' is in-place/],
  [
    { fileList: 's3://shop/old/2020/', output: 'in-place', backup: 's3://shop/old/' },
    /'backup' must not cover 'fileList'/,
  ],
  [{ layout: 'by-suffix', suffixes: [] }, /'suffixes' must name at least one suffix/],
  [
    { encoding: { mode: 'lossless' }, resize: { maxWidth: 10 } },
    /'resize' must be left out where 'encoding.mode' is lossless/,
  ],
  [
    { encoding: { mode: 'lossless', format: 'avif' } },
    /'encoding.format' must be keep or webp where 'encoding.mode' is lossless/,
  ],
  [{ select: { minBytes: 5, maxBytes: 4 } }, /'select.minBytes' must be at most 'select.maxBytes'/],
  [{ resume: 'monday' }, /'resume' must be the name of an earlier execution, its own name/],
])('refuses settings that contradict each other: %j', (settings, message) => {
  expect(problems({ fileList: LIST, ...settings })).toEqual([expect.stringMatching(message)]);
});
