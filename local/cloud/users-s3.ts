import { HeadBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { createS3Client } from '../../src/store/s3-store.ts';
import { InputError } from '../cli/input-error.ts';

/** Few, because whoever asks through the local S3 asks again as well; the patience of both would multiply. */
const ATTEMPTS = 3;

/** The client for the S3 that the user's own AWS settings name. */
export function createUsersS3(): S3Client {
  const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1';
  return createS3Client({ region, attempts: ATTEMPTS });
}

/** Nobody answers where the AWS settings lead. The job cannot be done: exit code 3. */
export class UnreachableError extends Error {
  override name = 'UnreachableError';
}

/**
 * Finds out before a job begins whether anybody answers. What is answered does not matter: a right that is missing
 * here, to look at the bucket, may not be needed.
 * @throws InputError without credentials, UnreachableError without an answer
 */
export async function askUsersS3(bucket: string, signal: AbortSignal): Promise<void> {
  const client = createUsersS3();
  const question = new HeadBucketCommand({ Bucket: bucket });
  const place = placeAsked(question);
  try {
    await client.send(question, { abortSignal: signal });
  } catch (error) {
    if (signal.aborted || isAnswered(error)) return;
    const uri = `s3://${bucket}/`;
    if (lacksCredentials(error))
      throw new InputError(
        `Expected AWS credentials for ${uri} but found none that can be used: ${wordsOf(error)}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with aws sso login`,
        { cause: error },
      );
    throw new UnreachableError(
      `Expected an answer for ${uri} from ${place()} but none came: ${wordsOf(error)}. Check the network and your AWS settings (AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE), then run the same command again`,
      { cause: error },
    );
  } finally {
    client.destroy();
  }
}

/** Whether no credentials were found, or those that were found have run out. */
export function lacksCredentials(error: unknown): boolean {
  return /Credentials|Token/.test((error as Error).name);
}

/** What a failed connection says of itself; with several addresses tried, what the first said. */
export function wordsOf(error: unknown): string {
  const { message, errors } = error as AggregateError;
  const words = message || (errors?.[0] as Error | undefined)?.message || String(error);
  return words.replace(/\.$/, '');
}

function isAnswered(error: unknown): boolean {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined;
}

/** Where a command was sent, whichever of many AWS settings said so. */
function placeAsked(command: HeadBucketCommand): () => string {
  let place = 'S3';
  command.middlewareStack.add(
    (next) => (args) => {
      const { protocol, hostname, port } = args.request as URL;
      place = `${protocol}//${hostname}${port ? `:${port}` : ''}`;
      return next(args);
    },
    { step: 'build', name: 'notePlaceAsked' },
  );
  return () => place;
}
