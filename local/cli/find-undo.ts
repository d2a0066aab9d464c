import { ListBucketsCommand, type S3Client } from '@aws-sdk/client-s3';
import { jobKeys } from '../../src/core/job-keys.ts';
import { formatS3Uri } from '../../src/core/s3-uri.ts';
import { createS3Store } from '../../src/store/s3-store.ts';
import { OUTPUT_BUCKET } from '../cloud/local-buckets.ts';
import { UsageError } from './run-command.ts';

/** Whether an argument can only be the name of a job: neither a path nor a file that ends as a list does. */
export function isJobName(text: string): boolean {
  return /^[^/\\\s:]{1,80}$/.test(text) && !text.endsWith('.jsonl');
}

/**
 * The undo.jsonl of a job, in the output bucket of whichever stage of this account, or of `npm start -- serve`, ran it.
 * @returns `s3://bucket/jobs/<jobId>/undo.jsonl`
 * @throws UsageError where there is none, or more than one
 */
export async function findUndo(jobId: string, client: S3Client): Promise<string> {
  const { Buckets = [] } = await client.send(new ListBucketsCommand({}));
  const outputs = Buckets.map(({ Name = '' }) => Name).filter(isOutputBucket);
  const store = createS3Store(client);
  const found: string[] = [];
  for (const bucket of outputs) {
    const location = { bucket, key: jobKeys.undo(jobId) };
    if (await store.head(location)) found.push(formatS3Uri(location));
  }
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const expected = `Expected one undo.jsonl of the job ${jobId}`;
  if (only !== undefined) throw new UsageError(`${expected} but found ${found.join(', ')}: name the one to restore`);
  const searched = outputs.join(', ') || 'any bucket named image-press-<stage>-output-…';
  throw new UsageError(
    `${expected} but found none in ${searched}. A job has one once its report is written, and only if it replaced images in place. See npm run restore -- --help`,
  );
}

function isOutputBucket(name: string): boolean {
  return name === OUTPUT_BUCKET || /^image-press-.+-output-/.test(name);
}
