import type { Job } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';

/** A job with every setting at its default; a test names what matters to it. */
export const A_JOB: Job = {
  jobId: 'job-1',
  fileList: 's3://in/list.json',
  output: 's3://out/',
  relativeTo: null,
  layout: 'mirror',
  suffixes: [],
  compression: DEFAULT_COMPRESSION,
  images: { perBatch: 200, perBatchBytes: null, fargateAbove: 2000, fargateAboveBytes: 5e9 },
  limits: { maxObjects: null, maxBytes: null },
  select: { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null },
  copyKept: true,
  toleratedFailurePercentage: 10,
  dryRun: false,
  resume: null,
  backup: null,
  force: false,
  startedAt: '2026-01-01T00:00:00.000Z',
};
