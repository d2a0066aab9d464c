import type { z } from 'zod';
import type { CompressionSettings, Job } from '../core/job.ts';
import { contradictionsIn, withoutIneffective } from './contradictions.ts';
import { mergeSettings, type Settings } from './merge-settings.ts';
import { JobInputError, parseSettings } from './problems.ts';
import { JOB_SETTINGS } from './schema.ts';

interface JobContext extends Pick<Job, 'jobId' | 'startedAt'> {
  /** `s3://bucket/prefix/` that outputs go to when the input names none. */
  readonly defaultOutput: string;
}

/**
 * Checks an execution input and fills in every default.
 * @throws JobInputError naming each setting at fault: `'encoding.quality' must be 1 to 100, '700' given`
 */
export function parseJobInput(input: unknown, context: JobContext): Job {
  const job = toJob(parseSettings(JOB_SETTINGS, input), context);
  const contradictions = contradictionsIn(input, job);
  if (contradictions.length > 0) throw new JobInputError(contradictions);
  return job;
}

/** The execution input that gives the same job, with every default written out. */
export function settingsOf(job: Job): Settings {
  const { autoOrient, resize, minSavings, ...ofImage } = job.compression;
  const { metadata, metadataLeft, trailingData, contentCredentials, ...encoding } = ofImage;
  const { jobId: _jobId, startedAt: _startedAt, compression: _compression, ...settings } = job;
  const ofMetadata = { metadata, metadataLeft, trailingData, contentCredentials };
  return withoutIneffective({ ...settings, encoding, autoOrient, resize, ...ofMetadata, minSavings });
}

/**
 * The settings for a job over the images that failed in an earlier one: those of the earlier job, except those that
 * chose its images, overridden by the user's own, setting by setting.
 */
export function settingsForRetry(earlier: Job, own: Settings = {}): Settings {
  const { maxPixels } = earlier.limits;
  const choosing = { fileList: null, relativeTo: null, select: null, resume: null };
  const limits = maxPixels ? { maxPixels } : null;
  const inherited = { ...settingsOf(earlier), ...choosing, limits };
  return withoutIneffective(mergeSettings(inherited, own), own);
}

/** How an image is compressed where a job says nothing else. */
export const DEFAULT_COMPRESSION: CompressionSettings = toJob(JOB_SETTINGS.parse({ fileList: 's3://bucket/' }), {
  jobId: '',
  startedAt: '',
  defaultOutput: '',
}).compression;

function toJob(settings: z.output<typeof JOB_SETTINGS>, { jobId, startedAt, defaultOutput }: JobContext): Job {
  const { encoding, autoOrient, resize: sides, minSavings, ...others } = settings;
  const { metadata, metadataLeft, trailingData, contentCredentials, ...rest } = others;
  const resize = sides.maxWidth || sides.maxHeight ? sides : null;
  const ofMetadata = { metadata, metadataLeft, trailingData, contentCredentials };
  const compression = { ...encoding, autoOrient, resize, ...ofMetadata, minSavings };
  const job = { jobId, ...rest, output: rest.output ?? defaultOutput, compression, startedAt };
  // Without fields that are undefined: the job equals the job.json that is read back.
  return JSON.parse(JSON.stringify(job satisfies Job));
}
