import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Job, MODES } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION, parseJobInput, settingsForRetry, settingsOf } from '../../src/settings/job-input.ts';
import { JobInputError } from '../../src/settings/problems.ts';

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

test('puts every setting where it belongs', () => {
  const job = parseJobInput(
    {
      fileList: 's3://photos/2025.json',
      output: 'in-place',
      relativeTo: 's3://photos/',
      encoding: { mode: 'quality', quality: 70, effort: 'fast', progressive: false },
      resize: { maxWidth: 4096 },
      autoOrient: true,
      metadata: 'strip',
      minSavings: { percent: 5 },
      images: { perBatch: 10, perBatchBytes: 1000 },
      limits: { maxObjects: 5 },
      select: { suffixes: ['.jpg'], modifiedAfter: '2026-01-31' },
      toleratedFailurePercentage: 0.5,
      dryRun: true,
      resume: 'sunday',
      backup: 's3://originals/',
      force: true,
    },
    CONTEXT,
  );
  expect(job.compression).toEqual({
    mode: 'quality',
    quality: 70,
    effort: 'fast',
    format: 'keep',
    progressive: false,
    background: null,
    autoOrient: true,
    resize: { maxWidth: 4096 },
    metadata: 'strip',
    metadataLeft: 'fail',
    trailingData: 'keep',
    contentCredentials: 'keep',
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

test('treats null as left out', () => {
  const input = { fileList: LIST, output: null, resize: null, limits: { maxObjects: null }, encoding: null };
  expect(parseJobInput(input, CONTEXT)).toEqual(parseJobInput({ fileList: LIST }, CONTEXT));
});

test.each<[unknown, string]>([
  [{ encoding: { quality: 700 } }, "'encoding.quality' must be 1 to 100, '700' given"],
  [{ encoding: { quality: 0 } }, "'encoding.quality' must be 1 to 100, '0' given"],
  [{ encoding: { quality: 70.5 } }, "'encoding.quality' must be a whole number, 1 to 100, '70.5' given"],
  [{ encoding: { quality: '70' } }, "'encoding.quality' must be a whole number, 1 to 100, '70' given"],
  [{ encoding: { mode: 'lossy' } }, "'encoding.mode' must be quality, lossless or auto, 'lossy' given"],
  [{ encoding: { background: 'white' } }, "'encoding.background' must be a colour as in #ffffff, 'white' given"],
  [{ encoding: 5 }, `'encoding' must be an object as in {"mode":"lossless"}, '5' given`],
  [{ resize: 800 }, `'resize' must be an object as in {"maxWidth":1920}, '800' given`],
  [
    { fileList: 'http://x/list' },
    "'fileList' must be s3://bucket/key of a file list or s3://bucket/prefix/, 'http://x/list' given",
  ],
  [
    { output: 's3://out/x' },
    "'output' must be s3://bucket/prefix/ (with a slash at its end) or in-place, 's3://out/x' given",
  ],
  [{ resize: {} }, "'resize' must contain maxWidth or maxHeight, '{}' given"],
  [{ resize: { maxWidth: null } }, `'resize' must contain maxWidth or maxHeight, '{"maxWidth":null}' given`],
  [{ suffixes: [''] }, "'suffixes.0' must be a name without slashes, '' given"],
  [{ suffixes: ['a', 5] }, "'suffixes.1' must be a name without slashes, '5' given"],
  [{ select: { suffixes: [''] } }, `'select.suffixes.0' must be an ending such as ".jpg", '' given`],
  [{ maxWritesPerHour: 5 }, "'maxWritesPerHour' works only in UPLOAD_SETTINGS, '5' given"],
  [{ images: { perBatch: 0 } }, "'images.perBatch' must be 1 or more, '0' given"],
  [{ suffixes: ['a', 'a'] }, `'suffixes' must be a list of names without slashes, each once, '["a","a"]' given`],
  [
    { select: { modifiedAfter: 'monday' } },
    "'select.modifiedAfter' must be a time as in 2026-01-31T00:00:00Z, 'monday' given",
  ],
  [{ toleratedFailurePercentage: 101 }, "'toleratedFailurePercentage' must be 0 to 100, '101' given"],
  [{ dryRun: { toString: 1 } }, `'dryRun' must be true or false, '{"toString":1}' given`],
  [
    { encoding: { format: 'jpgg' } },
    "'encoding.format' must be keep, jpeg, webp, avif or smallest, 'jpgg' given; did you mean 'jpeg'?",
  ],
  [{ dryRun: 'yes' }, "'dryRun' must be true or false, 'yes' given"],
  [{ resume: '../other' }, "'resume' must be the name of an earlier execution, '../other' given"],
])('refuses %j with path, rule and value', (settings, message) => {
  expect(problems({ fileList: LIST, ...(settings as object) })).toEqual([message]);
});

test('refuses an unknown setting and suggests the one that was meant', () => {
  expect(problems({ fileList: LIST, encoding: { qualty: 70 } })).toEqual([
    "unknown setting 'encoding.qualty'; did you mean 'encoding.quality'? ('70' given)",
  ]);
  expect(problems({ fileList: LIST, quality: 70 })).toEqual([
    "unknown setting 'quality'; did you mean 'encoding.quality'? ('70' given)",
  ]);
  expect(problems({ fileList: LIST, encoding: { metdata: 'keep' } })).toEqual([
    "unknown setting 'encoding.metdata'; did you mean 'metadata'? ('keep' given)",
  ]);
  expect(problems({ fileList: LIST, minBytes: 1, maxbytes: 2 })).toEqual([
    "unknown setting 'minBytes'; did you mean 'select.minBytes'? ('1' given)",
    "unknown setting 'maxbytes'; did you mean 'encoding.maxBytes' or 'limits.maxBytes' or 'select.maxBytes'? ('2' given)",
  ]);
  expect(problems({ fileList: LIST, 'encoding.quality': 80 })).toEqual([
    "unknown setting 'encoding.quality'; write 'quality' inside 'encoding' ('80' given)",
  ]);
  expect(problems({ fileList: LIST, encoding: { colour: 'red' } })).toEqual([
    "unknown setting 'encoding.colour'; known here: mode, quality, effort, format, chroma, maxBytes, progressive, background ('red' given)",
  ]);
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
      encoding: { mode: 'auto', format: 'jpeg', background: '#FFFFFF' },
      resize: { maxWidth: 800 },
      metadata: 'copyright',
      limits: { maxPixels: 1e6 },
      acl: 'public-read',
    },
    CONTEXT,
  );
  expect(parseJobInput(settingsOf(job), CONTEXT)).toEqual(job);
});

test('and so does every job that is accepted, whatever its settings', () => {
  const some = (...values: readonly unknown[]) => fc.constantFrom(undefined, ...values);
  const inputs = fc.record({
    fileList: fc.constant(LIST),
    output: some('in-place', 's3://other/'),
    layout: some('mirror', 'flat', 'by-suffix'),
    suffixes: some(undefined, [], ['a']),
    encoding: fc.record({
      mode: some('quality', 'lossless', 'auto'),
      quality: some(undefined, 80),
      format: some('keep', 'jpeg', 'webp'),
      progressive: some('auto', true, false),
      background: some(undefined, '#FFFFFF'),
    }),
    resize: some(undefined, undefined, { maxWidth: 3 }, { maxHeight: 4, maxWidth: null }),
    copyKept: some(true, false),
    backup: some(undefined, undefined, 's3://originals/'),
    correctContentType: some(undefined, true, false),
  });
  const accepted = fc.sample(inputs, { numRuns: 1000, seed: 7 }).filter((input) => problems(input).length === 0);
  expect(accepted.length).toBeGreaterThan(50);
  for (const input of accepted) {
    const job = parseJobInput(input, CONTEXT);
    expect(parseJobInput(settingsOf(job), CONTEXT)).toEqual(job);
    expect(parseJobInput({ ...settingsForRetry(job), fileList: LIST }, CONTEXT)).toEqual(job);
  }
});

test.each([null, 'text', 5, []])('refuses %j as an input', (input) => {
  expect(problems(input)).toHaveLength(1);
});

test.each([
  [{ output: 'in-place', encoding: { format: 'webp' } }, /'encoding.format' must be keep where 'output' is in-place/],
  [{ output: 'in-place', layout: 'flat' }, /'layout' must be mirror where 'output' is in-place/],
  [{ backup: 's3://originals/' }, /'backup' works only where 'output' is in-place, 's3:\/\/originals\/' given/],
  [
    { fileList: 's3://shop/old/2020/', output: 'in-place', backup: 's3://shop/old/' },
    /'backup' must not contain 'fileList'/,
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
  [
    { encoding: { mode: 'lossless', quality: 80 } },
    /'encoding.quality' works only where 'encoding.mode' is quality \(here it is lossless\), '80' given/,
  ],
  [
    { encoding: { mode: 'auto', quality: 75 } },
    /'encoding.quality' works only where .* \(here it is auto\), '75' given/,
  ],
  [
    { suffixes: ['left'] },
    /'suffixes' works only where 'layout' is by-suffix \(here it is mirror\), '\["left"\]' given/,
  ],
  [
    { encoding: { format: 'webp', progressive: true } },
    /'encoding.progressive' works only where 'encoding.format' is keep or jpeg or smallest \(here it is webp\), 'true' given/,
  ],
  [
    { encoding: { background: '#ffffff' } },
    /'encoding.background' works only where 'encoding.format' is jpeg or smallest \(here it is keep\), '#ffffff' given/,
  ],
  [{ output: 'in-place', copyKept: false }, /'copyKept' works only where 'output' is not in-place, 'false' given/],
  [
    { fileList: 's3://photos/2025/', relativeTo: 's3://photos/' },
    /'relativeTo' works only where 'fileList' is a list \(here it is s3:\/\/photos\/2025\/\), 's3:\/\/photos\/' given/,
  ],
  [{ irreversible: true }, /'irreversible' works only where 'output' is in-place, 'true' given/],
  [{ contentAddressed: 'keep' }, /'contentAddressed' works only where 'output' is in-place, 'keep' given/],
  [{ correctContentType: true }, /'correctContentType' works only where 'output' is in-place, 'true' given/],
  [
    { encoding: { mode: 'lossless' }, autoOrient: true },
    /'autoOrient' must be false where 'encoding.mode' is lossless .*, 'true' given/,
  ],
  [{ select: { minBytes: 5, maxBytes: 4 } }, /'select.minBytes' must be at most 'select.maxBytes'/],
  [{ resume: 'monday' }, /'resume' must be the name of an earlier execution, not of this one, 'monday' given/],
])('refuses settings that contradict each other: %j', (settings, message) => {
  expect(problems({ fileList: LIST, ...settings })).toEqual([expect.stringMatching(message)]);
});

test.each([
  { output: 'in-place', copyKept: true, backup: null },
  { correctContentType: false, suffixes: [] },
  { relativeTo: 's3://photos/' },
  { encoding: { mode: 'lossless', quality: null, effort: 'fast' } },
  { encoding: { format: 'webp', progressive: false } },
  { encoding: { mode: 'lossless', format: 'webp', progressive: 'auto' } },
])('accepts a setting without effect whose value asks for nothing: %j', (settings) => {
  expect(problems({ fileList: LIST, ...settings })).toEqual([]);
});

describe('the settings of a retry', () => {
  const earlierJobs = [
    {},
    { encoding: { mode: 'quality', quality: 80, format: 'jpeg', background: '#ffffff', progressive: true } },
    { encoding: { mode: 'lossless', format: 'webp' } },
    { encoding: { mode: 'auto' }, resize: { maxWidth: 800 }, limits: { maxPixels: 1e6, maxObjects: 3 } },
    { layout: 'by-suffix', suffixes: ['a'], copyKept: false },
    { layout: 'flat', suffixes: [] },
    { output: 'in-place', backup: 's3://originals/', correctContentType: true, acl: 'private' },
  ];
  const ofRetry = (job: Job, own: Record<string, unknown>) =>
    parseJobInput({ ...settingsForRetry(job, own), fileList: LIST }, CONTEXT);

  test.each(earlierJobs)('are those of the earlier job: %j', (settings) => {
    const job = parseJobInput({ fileList: LIST, ...settings }, CONTEXT);
    const { maxPixels } = job.limits;
    expect(ofRetry(job, {})).toEqual({ ...job, limits: { maxObjects: null, maxBytes: null, maxPixels } });
    expect(parseJobInput(settingsOf(job), CONTEXT)).toEqual(job);
  });

  test.each(
    MODES.flatMap((earlier) => MODES.map((now) => [earlier, now] as const)),
  )('of %s take the mode %s', (earlier, mode) => {
    const quality = earlier === 'quality' ? { quality: 80 } : {};
    const job = parseJobInput({ fileList: LIST, encoding: { mode: earlier, ...quality } }, CONTEXT);
    const { compression } = ofRetry(job, { encoding: { mode } });
    expect(compression).toEqual({
      ...DEFAULT_COMPRESSION,
      mode,
      ...(mode === 'quality' && quality),
    });
  });

  test.each([
    [
      { encoding: { format: 'jpeg', background: '#ffffff', progressive: true } },
      { encoding: { format: 'webp' } },
      { compression: { ...DEFAULT_COMPRESSION, format: 'webp' } },
    ],
    [
      { layout: 'by-suffix', suffixes: ['a'] },
      { layout: 'flat' },
      { layout: 'flat', suffixes: ['left', 'right', 'front'] },
    ],
    [
      { output: 'in-place', backup: 's3://originals/', correctContentType: true },
      { output: 's3://new/' },
      { output: 's3://new/', backup: null },
    ],
    [{ copyKept: false }, { output: 'in-place' }, { output: 'in-place', copyKept: true }],
  ])('of %j with %j leave out what worked only in the earlier job', (settings, own, expected) => {
    const job = parseJobInput({ fileList: LIST, ...settings }, CONTEXT);
    const retry = ofRetry(job, own);
    expect(retry).toMatchObject(expected);
    expect(retry.correctContentType).toBeUndefined();
  });

  test('are refused where the own settings contradict them', () => {
    const lossless = parseJobInput({ fileList: LIST, encoding: { mode: 'lossless' } }, CONTEXT);
    expect(() => ofRetry(lossless, { encoding: { quality: 80 } })).toThrow("'encoding.quality' works only where");
  });

  test('are checked before they are merged with those of the earlier job', () => {
    const job = parseJobInput({ fileList: LIST }, CONTEXT);
    expect(() => ofRetry(job, { encoding: 5 })).toThrow("'encoding' must be an object as in");
    expect(ofRetry(job, { encoding: null })).toEqual(job);
  });

  test.each([
    ['minSavings', { minSavings: { percent: 10 } }, { minSavings: { bytes: 1 } }],
    ['images', { images: { perBatch: 7 } }, { images: { fargateAbove: 3 } }],
    ['resize', { resize: { maxWidth: 800 } }, { resize: { maxHeight: 600 } }],
    ['limits', { limits: { maxPixels: 1e6 } }, { limits: { maxObjects: 2 } }],
  ])('are merged within %s, setting by setting', (group, settings, own) => {
    const job = parseJobInput({ fileList: LIST, ...settings }, CONTEXT);
    expect(settingsOf(ofRetry(job, own))[group]).toMatchObject({
      ...Object(Object(settings)[group]),
      ...Object(Object(own)[group]),
    });
  });

  test.each([
    { encoding: { quality: null } },
    { encoding: null, minSavings: { percent: null, bytes: null } },
    { output: null, metadata: null },
  ])('are those of the earlier job where its own are null: %j', (own) => {
    const settings = { encoding: { quality: 80 }, minSavings: { percent: 10 }, metadata: 'strip' };
    const job = parseJobInput({ fileList: LIST, output: 's3://other/', ...settings }, CONTEXT);
    expect(ofRetry(job, own)).toEqual(job);
  });

  test('leave out what its own mode makes ineffective, also where that is null', () => {
    const job = parseJobInput({ fileList: LIST, encoding: { quality: 80 } }, CONTEXT);
    const { compression } = ofRetry(job, { encoding: { mode: 'lossless', quality: null } });
    expect(compression).toEqual({ ...DEFAULT_COMPRESSION, mode: 'lossless' });
  });

  test.each(['__proto__', 'toString'])('are refused with the unknown setting %s', (name) => {
    const job = parseJobInput({ fileList: LIST }, CONTEXT);
    const own = JSON.parse(`{"${name}":{"force":true}}`);
    expect(() => ofRetry(job, own)).toThrow(`unknown setting '${name}'`);
    expect(() => ofRetry(job, JSON.parse(`{"${name}":null}`))).toThrow(`unknown setting '${name}'`);
  });

  test('of an older job leave out what had no effect in it', () => {
    const job = parseJobInput({ fileList: LIST }, CONTEXT);
    const older = { ...job, compression: { ...job.compression, mode: 'lossless' as const, quality: 80 } };
    expect(ofRetry(older, {}).compression).toEqual({ ...DEFAULT_COMPRESSION, mode: 'lossless' });
  });
});
