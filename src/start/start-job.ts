import { hash } from 'node:crypto';
import { ExecutionAlreadyExists, type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { decodeEventKey } from '../core/upload-event.ts';

/** The fields of an S3 notification that are used here; `key` is form-URL-encoded. */
export interface ObjectCreated {
  readonly s3: {
    readonly bucket: { readonly name: string };
    readonly object: { readonly key: string; readonly sequencer: string };
  };
}

/**
 * Starts an execution under a name of the caller's choice.
 * @returns `already-started` when that name was used before (AWS remembers names for 90 days).
 */
export type StartExecution = (name: string, input: unknown) => Promise<'started' | 'already-started'>;

/**
 * Starts a job for every file list that an S3 notification names. The list is not read here: a bad one must end as a
 * failed execution that its owner sees, not as a line in this function's log.
 */
export async function startJobs(
  event: { readonly Records?: readonly ObjectCreated[] },
  startExecution: StartExecution,
) {
  const jobs = [];
  for (const { s3 } of event.Records ?? []) {
    const location = { bucket: s3.bucket.name, key: decodeEventKey(s3.object.key) };
    if (location.key.endsWith('/')) continue; // the console's marker for a folder
    const jobId = jobIdFor(location, s3.object.sequencer);
    const fileList = formatS3Uri(location);
    jobs.push({ jobId, fileList, outcome: await startExecution(jobId, { fileList }) });
  }
  return jobs;
}

/**
 * The same event gives the same name, so that its second delivery starts nothing; writing the file again gives
 * another. At most 80 characters, all of them allowed in the names of executions and in S3 keys.
 */
function jobIdFor({ bucket, key }: S3Location, sequencer: string): string {
  const readable = key
    .slice(key.lastIndexOf('/') + 1)
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(0, 48)
    .replace(/^-|-$/g, '');
  const unique = hash('sha256', JSON.stringify([bucket, key, sequencer]));
  return `${readable || 'list'}-${unique.slice(0, 20)}`;
}

export function createStartExecution(client: SFNClient, stateMachineArn: string): StartExecution {
  return async (name, input) => {
    try {
      await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
      return 'started';
    } catch (error) {
      if (error instanceof ExecutionAlreadyExists) return 'already-started';
      throw error;
    }
  };
}
