import { isBucketName, parseS3Uri } from '../core/s3-uri.ts';

/**
 * The environment of a container as the Mindkosh compressor read it, as a job of image-press over one batch of a list.
 * docs/moving-from-mindkosh.md says what is the same and what is better.
 */
export interface MkBatch {
  /** Name of the batch inside the list. */
  readonly batch: string;
  /** `s3://bucket/key` of the batch map. */
  readonly fileList: string;
  /** Outputs and the job's files go here: no other bucket is needed. */
  readonly outputBucket: string;
  /** `s3://bucket/prefix/` */
  readonly output: string;
  readonly byCamera: boolean;
  readonly region: string;
}

/** Variables that are missing or invalid, all of them named. Exit code 2. */
export class EnvironmentError extends Error {
  override name = 'EnvironmentError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws EnvironmentError naming each variable that is missing or wrong */
export function readMkEnvironment(environment: Environment): MkBatch {
  const problems: string[] = [];
  const read = (name: string, meaning: string, rule?: (value: string) => string | undefined) => {
    const value = environment[name];
    if (!value) problems.push(`Expected ${name}, ${meaning}, but it is not set`);
    const broken = value && rule?.(value);
    if (broken) problems.push(`Expected ${name} to be ${broken} but received "${value}"`);
    return value ?? '';
  };
  const batch = read('BATCH_JOB_KEY', 'the name of the batch in the file list');
  const inBucket = read('IN_BUCKET', 'the bucket of the file list', bucketRule);
  // A key as in Mindkosh's container, or the URI that people paste.
  const location = read('JSON_LOCATION', 'the key of the file list in IN_BUCKET', (value) =>
    !value.startsWith('s3://') || parseS3Uri(value)?.bucket === inBucket
      ? undefined
      : `a key in IN_BUCKET or s3://${inBucket || 'IN_BUCKET'}/key`,
  );
  const outputBucket = read('OUT_BUCKET', 'the bucket for compressed images', bucketRule);
  const outKey = read('OUT_KEY', 'the folder in OUT_BUCKET for compressed images', (value) =>
    value.startsWith('s3://') ? 'a folder inside OUT_BUCKET, without s3:// and bucket,' : undefined,
  );
  const { DIVIDE_CAMERA_WISE: camera = '' } = environment;
  if (!/^(true|false)?$/i.test(camera))
    problems.push(`Expected DIVIDE_CAMERA_WISE to be true or false but received "${camera}"`);
  if (problems.length > 0) throw new EnvironmentError(problems);
  return {
    batch,
    fileList: parseS3Uri(location) ? location : `s3://${inBucket}/${location}`,
    outputBucket,
    output: `s3://${outputBucket}/${outKey.endsWith('/') ? outKey : `${outKey}/`}`,
    byCamera: camera.toLowerCase() === 'true',
    // The default of Mindkosh's container.
    region: environment.AWS_REGION || 'us-east-2',
  };
}

/** The execution input that does what Mindkosh's container did with a list. */
export function mkJobInput({ output, byCamera }: MkBatch, fileList: string): Record<string, unknown> {
  return {
    fileList,
    output,
    // Names that end in _left, _right or _front go to folders of these names, the rest to others/.
    ...(byCamera ? { layout: 'by-suffix', suffixes: ['left', 'right', 'front'] } : { layout: 'flat', suffixes: [] }),
    encoding: { mode: 'quality', quality: 70, format: 'jpeg' },
    // There any smaller output was written; a larger one never is here.
    minSavings: { percent: 0, bytes: 0 },
    toleratedFailurePercentage: 0,
  };
}

function bucketRule(value: string): string | undefined {
  return isBucketName(value) ? undefined : 'the name of a bucket, without s3:// or a slash,';
}
