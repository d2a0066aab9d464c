import type { BytesOutcome } from '../../src/codec/outcome.ts';
import { compressImage } from '../../src/compress/compress-image.ts';
import type { ImageContext } from '../../src/compress/image-context.ts';
import type { Outcome } from '../../src/core/image-result.ts';
import type { Job } from '../../src/core/job.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { parseS3Uri } from '../../src/core/s3-uri.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { A_JOB } from './a-job.ts';

export const JOB: Job = {
  ...A_JOB,
  fileList: 's3://sources/lists/photos.json',
  output: 's3://outputs/',
  startedAt: '2026-11-21T00:00:00.000Z',
};

export const IN_PLACE: Job = { ...JOB, output: 'in-place' };

export const LOSSLESS: Job['compression'] = { ...DEFAULT_COMPRESSION, mode: 'lossless' };

export const NO_LOG: ImageContext['log'] = { error: () => {} };

/** A codec for tests of rules: every "image" becomes half as long, lossless in lossless mode. */
export const halve: ImageContext['compress'] = async (bytes, { mode }) => ({
  status: 'compressed',
  bytes: bytes.slice(0, Math.floor(bytes.length / 2)),
  contentType: 'image/jpeg',
  encoding: { format: 'jpeg', lossless: mode === 'lossless', quality: 74 },
});

export const keep: ImageContext['compress'] = async () => ({
  status: 'kept',
  reason: 'no-gain',
  format: 'jpeg',
  contentType: 'image/jpeg',
});

/** A codec that halves and adds a detail. */
export const remark: ImageContext['compress'] = async (bytes, settings) => ({
  ...(await halve(bytes, settings)),
  detail: 'only its metadata was removed (no-gain)',
});

export function answering(outcome: BytesOutcome): ImageContext['compress'] {
  return async () => outcome;
}

/** Runs one image of a job through `compressImage`. */
export function runImage(
  store: ObjectStore,
  uri: string,
  { job = JOB, compress = halve, log = NO_LOG, ...rest }: Partial<ImageContext> = {},
): Promise<Outcome> {
  const source = parseS3Uri(uri)!;
  return compressImage({ n: 0, ...source }, { job, batchId: 'batch_1', store, log, compress, ...rest });
}
