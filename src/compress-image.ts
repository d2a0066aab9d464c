import type { BytesOutcome } from './codec/compress-bytes.ts';
import { compressElsewhere } from './compress-elsewhere.ts';
import { compressInPlace } from './compress-in-place.ts';
import type { FailureCode, Outcome } from './core/image-result.ts';
import type { CompressionSettings, Job, PlannedImage } from './core/job.ts';
import { type ObjectStore, ObjectStoreError } from './core/object-store.ts';
import type { UndoEntry } from './core/undo.ts';

export interface ImageContext {
  readonly job: Job;
  readonly batchId: string;
  readonly store: ObjectStore;
  compress(bytes: Uint8Array, settings: CompressionSettings): Promise<BytesOutcome>;
  /** Called for every replaced original, before its outcome is returned. */
  onUndo?(entry: UndoEntry): void | Promise<void>;
  /** A source above it is not read into memory but `failed: TooLarge`. */
  readonly maxBytes?: number;
}

/** What becomes of one image of a job, from S3 to S3. Never throws: what goes wrong with one image is its outcome. */
export async function compressImage(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  if (image.duplicateOf !== undefined) return { status: 'skipped', reason: 'duplicate' };
  const { job } = context;
  try {
    if (job.output !== 'in-place') return await compressElsewhere(image, context);
    return await compressInPlace(image, { ...context, ...job, settings: job.compression });
  } catch (error) {
    return outcomeOfError(error);
  }
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
