import type { Job } from './job.ts';

/** A checked job as the execution input that asks for the same, with every default written out. */
export function settingsOf(job: Job): Record<string, unknown> {
  const { mode, quality, effort, format, progressive, background, ...other } = job.compression;
  const { jobId: _jobId, startedAt: _startedAt, compression: _compression, ...settings } = job;
  const encoding = { mode, quality, effort, format, progressive, background };
  return { ...settings, ...other, encoding };
}

/** What says which images a job is about, not what becomes of them. */
const OF_ITS_LIST = ['fileList', 'relativeTo', 'select', 'resume', 'limits'] as const;

/** The settings that a job over the images which failed in an earlier one takes over from it. */
export function settingsForRetry(job: Job): Record<string, unknown> {
  const taken = Object.entries(settingsOf(job)).filter(
    ([name]) => !OF_ITS_LIST.some((other) => other === name),
  );
  const { maxPixels } = job.limits;
  return { ...Object.fromEntries(taken), ...(maxPixels && { limits: { maxPixels } }) };
}
