import type { BytesOutcome } from '../codec/compress-bytes.ts';
import type { FailureCode, Outcome } from '../core/image-result.ts';
import type { CompressionSettings, Job, PlannedImage } from '../core/job.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import type { UndoEntry } from '../core/undo.ts';
import { compressElsewhere } from './compress-elsewhere.ts';
import { compressInPlace } from './compress-in-place.ts';
import type { Turns } from './exclusive-lock.ts';

export interface ImageContext {
  readonly job: Job;
  readonly batchId: string;
  readonly store: ObjectStore;
  compress(bytes: Uint8Array, settings: CompressionSettings): Promise<BytesOutcome>;
  /** Called for every replaced original, before its outcome is returned. */
  onUndo?(entry: UndoEntry): void | Promise<void>;
  /** A source above it is not read into memory but `failed: TooLarge`. */
  readonly maxBytes?: number;
  /** A source above `bytes` is compressed while nothing else is in hand. */
  readonly large?: { readonly bytes: number; readonly alone: Turns['alone'] };
}

/** What becomes of one image of a job, from S3 to S3. Never throws: what goes wrong with one image is its outcome. */
export async function compressImage(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  if (image.duplicateOf !== undefined) return { status: 'skipped', reason: 'duplicate' };
  try {
    return await compressInTurn(image, context);
  } catch (error) {
    return outcomeOfError(error);
  }
}

async function compressInTurn(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  const { large, maxBytes = Number.POSITIVE_INFINITY } = context;
  if (!large || large.bytes >= maxBytes) return compressWhereAsked(image, context);
  try {
    return await compressWhereAsked(image, { ...context, maxBytes: large.bytes });
  } catch (error) {
    // Nothing of its body was read: only now is its size known.
    if (!(error instanceof ObjectStoreError) || error.code !== 'TooLarge') throw error;
    return large.alone(() => compressWhereAsked(image, context));
  }
}

function compressWhereAsked(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  const { job } = context;
  if (job.output !== 'in-place') return compressElsewhere(image, context);
  return compressInPlace(image, { ...context, ...job, settings: job.compression });
}

/** What a failed call to S3 means for the image that it was for. */
export function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof ObjectStoreError))
    return { status: 'failed', code: 'Unexpected', message: messageOf(error) };
  switch (error.code) {
    case 'Archived':
      return { status: 'skipped', reason: 'archived' };
    case 'PreconditionFailed':
      return { status: 'skipped', reason: 'changed-meanwhile' };
    case 'TooLarge':
      return { status: 'failed', code: 'TooLarge', message: error.message, hostTooSmall: true };
    default:
      return { status: 'failed', code: error.code satisfies FailureCode, message: error.message };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
