import type { S3Client } from '@aws-sdk/client-s3';
import { createS3Client } from '../../src/store/s3-store.ts';

/** The client for the S3 that the user's own AWS settings name. */
export function createUsersS3(): S3Client {
  const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1';
  // Few, because clients of the local S3 retry as well: the attempts of both multiply.
  return createS3Client({ region, attempts: 3 });
}

/** Whether no credentials were found, or those found have expired. */
export function lacksCredentials(error: unknown): boolean {
  return /Credentials|Token/.test((error as Error).name);
}

/** The message of a failed connection; with several addresses tried, that of the first. */
export function messageOf(error: unknown): string {
  const { message, errors } = error as AggregateError;
  const text = message || (errors?.[0] as Error | undefined)?.message || String(error);
  return text.replace(/\.$/, '');
}
