import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { createUsersS3, lacksCredentials, messageOf } from '../cloud/users-s3.ts';
import { InputError } from './input-error.ts';

/**
 * Checks before a job begins that S3 answers. Any answer will do: the job may not need the permission that this
 * request needs.
 * @throws InputError without credentials, Error (exit code 3) without an answer
 */
export async function askUsersS3(bucket: string, signal: AbortSignal): Promise<void> {
  const client = createUsersS3();
  const request = new HeadBucketCommand({ Bucket: bucket });
  const address = addressOf(request);
  try {
    await client.send(request, { abortSignal: signal });
  } catch (error) {
    const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
    const isAnswered = $metadata?.httpStatusCode !== undefined;
    if (signal.aborted || isAnswered) return;
    const uri = `s3://${bucket}/`;
    if (lacksCredentials(error))
      throw new InputError(
        `Expected AWS credentials for ${uri} but found none that can be used: ${messageOf(error)}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with aws sso login`,
        { cause: error },
      );
    throw new Error(
      `Expected an answer for ${uri} from ${address()} but none came: ${messageOf(error)}. Check the network and your AWS settings (AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE), then run the same command again`,
      { cause: error },
    );
  } finally {
    client.destroy();
  }
}

/** The address that a command was sent to, whichever of many AWS settings it comes from. */
function addressOf(command: HeadBucketCommand): () => string {
  let address = 'S3';
  command.middlewareStack.add(
    (next) => (args) => {
      const { protocol, hostname, port } = args.request as URL;
      address = `${protocol}//${hostname}${port ? `:${port}` : ''}`;
      return next(args);
    },
    { step: 'build', name: 'readAddress' },
  );
  return () => address;
}
