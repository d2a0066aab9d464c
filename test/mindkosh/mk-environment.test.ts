import { describe, expect, it } from 'vitest';
import { EnvironmentError, mkJobInput, readMkEnvironment } from '../../src/mindkosh/mk-environment.ts';
import { parseJobInput } from '../../src/settings/job-input.ts';

const ENVIRONMENT = {
  BATCH_JOB_KEY: 'batch_1',
  AWS_REGION: 'eu-central-1',
  IN_BUCKET: 'lists',
  JSON_LOCATION: 'config/files.json',
  OUT_BUCKET: 'images',
  OUT_KEY: 'compressed/new/',
  DIVIDE_CAMERA_WISE: 'false',
};

function problemsOf(environment: Record<string, string | undefined>): readonly string[] {
  try {
    readMkEnvironment(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    return (error as EnvironmentError).problems;
  }
}

describe("Mindkosh's environment", () => {
  it('says which batch of which list goes where', () => {
    expect(readMkEnvironment(ENVIRONMENT)).toEqual({
      batch: 'batch_1',
      fileList: 's3://lists/config/files.json',
      outputBucket: 'images',
      output: 's3://images/compressed/new/',
      byCamera: false,
      region: 'eu-central-1',
    });
  });

  it('takes the location of the list as a key or as a URI, and the folder with or without its slash', () => {
    const given = {
      ...ENVIRONMENT,
      JSON_LOCATION: 's3://lists/config/files.json',
      OUT_KEY: 'compressed/new',
    };
    expect(readMkEnvironment(given)).toEqual(readMkEnvironment(ENVIRONMENT));
  });

  it.each([
    [undefined, false],
    ['', false],
    ['FALSE', false],
    ['True', true],
  ])('takes DIVIDE_CAMERA_WISE %s as %s', (value, byCamera) => {
    expect(readMkEnvironment({ ...ENVIRONMENT, DIVIDE_CAMERA_WISE: value }).byCamera).toBe(byCamera);
  });

  it("falls back to the region that Mindkosh's container had", () => {
    expect(readMkEnvironment({ ...ENVIRONMENT, AWS_REGION: undefined }).region).toBe('us-east-2');
  });

  it('names every variable that is missing, at once', () => {
    expect(problemsOf({ IN_BUCKET: 'lists', JSON_LOCATION: 'x.json', OUT_KEY: '' })).toEqual([
      'Expected BATCH_JOB_KEY, the name of the batch in the file list, but it is not set',
      'Expected OUT_BUCKET, the bucket for compressed images, but it is not set',
      'Expected OUT_KEY, the folder in OUT_BUCKET for compressed images, but it is not set',
    ]);
  });

  it.each([
    ['DIVIDE_CAMERA_WISE', 'yes', 'Expected DIVIDE_CAMERA_WISE to be true or false but received "yes"'],
    ['IN_BUCKET', 's3://lists', 'Expected IN_BUCKET to be the name of a bucket, without s3:// or a slash,'],
    ['OUT_KEY', 's3://images/out', 'Expected OUT_KEY to be a folder inside OUT_BUCKET'],
    ['JSON_LOCATION', 's3://others/x.json', 'Expected JSON_LOCATION to be a key in IN_BUCKET or s3://lists/key'],
  ])('refuses %s=%s', (name, value, problem) => {
    expect(problemsOf({ ...ENVIRONMENT, [name]: value })[0]).toContain(problem);
  });

  it('becomes a job input that passes its own check', () => {
    const context = { jobId: 'x', startedAt: '2026-11-21T10:00:00Z', defaultOutput: 's3://unused/' };
    const mk = readMkEnvironment({ ...ENVIRONMENT, DIVIDE_CAMERA_WISE: 'true' });
    expect(parseJobInput(mkJobInput(mk, 's3://images/jobs/x/list.jsonl'), context)).toMatchObject({
      output: 's3://images/compressed/new/',
      layout: 'by-suffix',
      suffixes: ['left', 'right', 'front'],
      compression: { mode: 'quality', quality: 70, format: 'jpeg' },
      toleratedFailurePercentage: 0,
    });
  });
});
