import type { FailureCode, Outcome } from './image-result.ts';
import { ObjectStoreError } from './object-store.ts';

/** What an error, of a call to S3 or any other, means for the image that it occurred with. */
export function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof ObjectStoreError))
    return { status: 'failed', code: 'Unexpected', message: messageOf(error), cause: error };
  switch (error.code) {
    case 'Archived':
      return { status: 'skipped', reason: 'archived' };
    case 'PreconditionFailed':
      return { status: 'skipped', reason: 'changed-meanwhile' };
    case 'TooLarge':
      return { status: 'failed', code: 'TooLarge', message: error.message, hostTooSmall: true };
    case 'Unexpected':
      return { status: 'failed', code: 'Unexpected', message: error.message, cause: error };
    default:
      return { status: 'failed', code: error.code satisfies FailureCode, message: error.message };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
