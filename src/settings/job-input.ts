import { z } from 'zod';
import type { CompressionSettings, Job } from '../core/job.ts';
import { CANNED_ACLS } from '../core/object-store.ts';
import { parseS3Prefix, parseS3Uri } from '../core/s3-uri.ts';

export interface JobContext {
  /** The execution's name. */
  readonly jobId: string;
  /** ISO 8601 */
  readonly startedAt: string;
  /** `s3://bucket/prefix/` that outputs go to when the input names none. */
  readonly defaultOutput: string;
}

/** An execution input that is no job; `problems` names every setting at fault with its rule and its value. */
export class JobInputError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'JobInputError';
    this.problems = problems;
  }
}

/**
 * Checks an execution input and fills in every default.
 * @throws JobInputError naming each setting at fault: `'encoding.quality' must be 1 to 100, '700' given`
 */
export function parseJobInput(input: unknown, context: JobContext): Job {
  const parsed = JOB_INPUT.safeParse(input, { reportInput: true });
  if (!parsed.success)
    throw new JobInputError(parsed.error.issues.flatMap((issue) => problemsOf(issue, input)));
  const job = toJob(parsed.data, context);
  const contradictions = contradictionsOf(job);
  if (contradictions.length > 0) throw new JobInputError(contradictions);
  return job;
}

/** How an image is compressed where a job says nothing else. */
export const DEFAULT_COMPRESSION: CompressionSettings = {
  mode: 'quality',
  quality: 75,
  effort: 'best',
  format: 'keep',
  progressive: 'auto',
  background: null,
  autoOrient: false,
  resize: null,
  metadata: 'keep',
  minSavings: { percent: 3, bytes: 512 },
};

const MAX_EDGE = 65_535;

const textThat = (holds: (text: string) => boolean, error: string) =>
  z.string({ error }).refine(holds, { error });

const isPrefix = (text: string) => parseS3Prefix(text) !== undefined;
const PREFIX_RULE = 'must be s3://bucket/prefix/ (with a slash at its end)';
const prefix = () => textThat(isPrefix, PREFIX_RULE);
const OUTPUT = textThat((text) => text === 'in-place' || isPrefix(text), `${PREFIX_RULE} or in-place`);
const FILE_LIST = textThat(
  (text) => parseS3Uri(text) !== undefined || isPrefix(text),
  'must be s3://bucket/key of a file list or s3://bucket/prefix/',
);

const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `must be ${values.join(', ').replace(/, ([^,]*)$/, ' or $1')}` });

const whole = (least: number, most = Number.MAX_SAFE_INTEGER) => {
  const error = `must be ${range(least, most)}`;
  return z
    .int({ error: `must be a whole number, ${range(least, most)}` })
    .min(least, { error })
    .max(most, { error });
};

const percent = () => {
  const error = 'must be 0 to 100';
  return z.number({ error }).min(0, { error }).max(100, { error });
};

const flag = () => z.boolean({ error: 'must be true or false' });

/** `null` says what leaving a setting out says. */
const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullish();

const group = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined),
  });

const NAMES_RULE = 'must be a list of names without slashes, each once';
const NAMES = z
  .array(z.string({ error: NAMES_RULE }).regex(/^[^/]+$/, { error: NAMES_RULE }), { error: NAMES_RULE })
  .refine((names) => new Set(names).size === names.length, { error: NAMES_RULE });

const ENDINGS_RULE = 'must be a list of endings such as ".jpg"';
const ENDINGS = z
  .array(z.string({ error: ENDINGS_RULE }).min(1, { error: ENDINGS_RULE }), { error: ENDINGS_RULE })
  .min(1, { error: ENDINGS_RULE });

const TIME_RULE = 'must be a time as in 2026-01-31T00:00:00Z';
const TIME = z.union([z.iso.datetime({ offset: true }), z.iso.date()], { error: TIME_RULE });

const JOB_ID = textThat(
  (text) => /^(?!\.{1,2}$)[^/\s]{1,80}$/.test(text),
  'must be the name of an earlier execution',
);
const COLOUR = textThat((text) => /^#[0-9a-f]{6}$/i.test(text), 'must be a colour as in #ffffff');

const JOB_INPUT = group({
  fileList: FILE_LIST,
  output: optional(OUTPUT),
  relativeTo: optional(prefix()),
  layout: optional(oneOf(['mirror', 'flat', 'by-suffix'])),
  suffixes: optional(NAMES),
  encoding: optional(
    group({
      mode: optional(oneOf(['quality', 'lossless', 'auto'])),
      quality: optional(whole(1, 100)),
      effort: optional(oneOf(['best', 'fast'])),
      format: optional(oneOf(['keep', 'jpeg', 'webp', 'avif'])),
      progressive: optional(
        z.union([z.literal('auto'), z.boolean()], { error: 'must be auto, true or false' }),
      ),
      background: optional(COLOUR),
    }),
  ),
  resize: optional(
    group({ maxWidth: optional(whole(1, MAX_EDGE)), maxHeight: optional(whole(1, MAX_EDGE)) }).refine(
      ({ maxWidth, maxHeight }) => (maxWidth ?? maxHeight) !== undefined && (maxWidth ?? maxHeight) !== null,
      { error: 'must hold maxWidth or maxHeight' },
    ),
  ),
  autoOrient: optional(flag()),
  metadata: optional(oneOf(['keep', 'copyright', 'strip'])),
  minSavings: optional(group({ percent: optional(percent()), bytes: optional(whole(0)) })),
  images: optional(
    group({
      perBatch: optional(whole(1)),
      perBatchBytes: optional(whole(1)),
      fargateAbove: optional(whole(0)),
      fargateAboveBytes: optional(whole(0)),
    }),
  ),
  limits: optional(
    group({ maxObjects: optional(whole(1)), maxBytes: optional(whole(1)), maxPixels: optional(whole(1)) }),
  ),
  select: optional(
    group({
      suffixes: optional(ENDINGS),
      minBytes: optional(whole(0)),
      maxBytes: optional(whole(0)),
      modifiedAfter: optional(TIME),
    }),
  ),
  copyKept: optional(flag()),
  toleratedFailurePercentage: optional(percent()),
  dryRun: optional(flag()),
  resume: optional(JOB_ID),
  backup: optional(prefix()),
  correctContentType: optional(flag()),
  acl: optional(oneOf(CANNED_ACLS)),
  force: optional(flag()),
});

/** Of Mindkosh's cameras, whose layout `by-suffix` takes over. */
const CAMERA_SUFFIXES = ['left', 'right', 'front'];

type JobInput = z.output<typeof JOB_INPUT>;

function toJob(input: JobInput, { jobId, startedAt, defaultOutput }: JobContext): Job {
  return {
    jobId,
    fileList: input.fileList,
    output: input.output ?? defaultOutput,
    relativeTo: input.relativeTo ?? null,
    layout: input.layout ?? 'mirror',
    suffixes: input.suffixes ?? CAMERA_SUFFIXES,
    compression: compressionOf(input),
    images: {
      perBatch: input.images?.perBatch ?? 200,
      perBatchBytes: input.images?.perBatchBytes ?? null,
      fargateAbove: input.images?.fargateAbove ?? 2000,
      fargateAboveBytes: input.images?.fargateAboveBytes ?? 5_000_000_000,
    },
    limits: {
      maxObjects: input.limits?.maxObjects ?? null,
      maxBytes: input.limits?.maxBytes ?? null,
      maxPixels: input.limits?.maxPixels ?? null,
    },
    select: {
      suffixes: input.select?.suffixes ?? null,
      minBytes: input.select?.minBytes ?? null,
      maxBytes: input.select?.maxBytes ?? null,
      modifiedAfter: input.select?.modifiedAfter ?? null,
    },
    copyKept: input.copyKept ?? true,
    toleratedFailurePercentage: input.toleratedFailurePercentage ?? 10,
    dryRun: input.dryRun ?? false,
    resume: input.resume ?? null,
    backup: input.backup ?? null,
    ...(input.correctContentType && { correctContentType: true }),
    ...(input.acl && { acl: input.acl }),
    force: input.force ?? false,
    startedAt,
  };
}

function compressionOf({ encoding, resize, metadata, minSavings, autoOrient }: JobInput): Job['compression'] {
  const defaults = DEFAULT_COMPRESSION;
  return {
    mode: encoding?.mode ?? defaults.mode,
    quality: encoding?.quality ?? defaults.quality,
    effort: encoding?.effort ?? defaults.effort,
    format: encoding?.format ?? defaults.format,
    progressive: encoding?.progressive ?? defaults.progressive,
    background: encoding?.background?.toLowerCase() ?? defaults.background,
    autoOrient: autoOrient ?? defaults.autoOrient,
    resize: resize ? limitsOf(resize) : defaults.resize,
    metadata: metadata ?? defaults.metadata,
    minSavings: {
      percent: minSavings?.percent ?? defaults.minSavings.percent,
      bytes: minSavings?.bytes ?? defaults.minSavings.bytes,
    },
  };
}

function limitsOf({ maxWidth, maxHeight }: NonNullable<JobInput['resize']>): Job['compression']['resize'] {
  return {
    ...(typeof maxWidth === 'number' ? { maxWidth } : undefined),
    ...(typeof maxHeight === 'number' ? { maxHeight } : undefined),
  };
}

/** Settings that are each right and together ask for what cannot be done, or what nobody wants unsaid. */
function contradictionsOf(job: Job): string[] {
  const { compression, output, select } = job;
  const inPlace = output === 'in-place';
  const lossless = compression.mode === 'lossless';
  const rules: readonly (readonly [boolean, string])[] = [
    [
      inPlace && compression.format !== 'keep',
      `'encoding.format' must be keep where 'output' is in-place (the key would name another format), '${compression.format}' given`,
    ],
    [
      inPlace && job.layout !== 'mirror',
      `'layout' must be mirror where 'output' is in-place, '${job.layout}' given`,
    ],
    [
      !inPlace && job.backup !== null,
      `'backup' must be left out unless 'output' is in-place, '${job.backup}' given`,
    ],
    [
      job.backup !== null && job.fileList.endsWith('/') && job.fileList.startsWith(job.backup),
      `'backup' must not cover 'fileList' (what lies below it is never compressed), '${job.backup}' given for ${job.fileList}`,
    ],
    [
      !inPlace && job.correctContentType === true,
      `'correctContentType' must be left out unless 'output' is in-place (outputs elsewhere always get the type of their bytes), 'true' given`,
    ],
    [
      job.layout === 'by-suffix' && job.suffixes.length === 0,
      `'suffixes' must name at least one suffix where 'layout' is by-suffix, '[]' given`,
    ],
    [
      lossless && !['keep', 'webp'].includes(compression.format),
      `'encoding.format' must be keep or webp where 'encoding.mode' is lossless (no other encoder here is), '${compression.format}' given`,
    ],
    [
      lossless && compression.resize !== null,
      `'resize' must be left out where 'encoding.mode' is lossless (pixels would change), '${JSON.stringify(compression.resize)}' given`,
    ],
    [
      lossless && compression.autoOrient,
      `'autoOrient' must be false where 'encoding.mode' is lossless (pixels would change), 'true' given`,
    ],
    [
      select.minBytes !== null && select.maxBytes !== null && select.minBytes > select.maxBytes,
      `'select.minBytes' must be at most 'select.maxBytes' (${select.maxBytes}), '${select.minBytes}' given`,
    ],
    [
      job.resume === job.jobId,
      `'resume' must be the name of an earlier execution, its own name '${job.resume}' given`,
    ],
  ];
  return rules.filter(([broken]) => broken).map(([, message]) => message);
}

function problemsOf(issue: z.core.$ZodIssue, input: unknown): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `'${path.join('.')}' must be left out (it is no setting; ${known(issue.path)}), ${given(at(input, path))}`;
    });
  const path = issue.path.length > 0 ? issue.path.join('.') : 'input';
  return [`'${path}' ${issue.message}, ${given(at(input, issue.path))}`];
}

function given(value: unknown): string {
  if (value === undefined) return 'nothing given';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `'${text.length > 120 ? `${text.slice(0, 119)}…` : text}' given`;
}

/** The settings that exist beside a misspelt one. */
function known(path: readonly PropertyKey[]): string {
  let schema: unknown = JOB_INPUT;
  for (const step of path) schema = shapeOf(schema)?.[String(step)];
  return `settings here: ${Object.keys(shapeOf(schema) ?? {}).join(', ')}`;
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) inner = inner.unwrap();
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (within, step) => (within as Record<PropertyKey, unknown> | null)?.[step],
    value,
  );
}

function range(least: number, most: number): string {
  return most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
}
