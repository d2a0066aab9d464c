import type { Outcome } from '../core/image-result.ts';
import type { PlannedImage } from '../core/job.ts';
import { ObjectStoreError } from '../core/object-store.ts';
import { isBucketMissing } from '../store/s3-errors.ts';
import { compressElsewhere } from './compress-elsewhere.ts';
import { compressInPlace } from './compress-in-place.ts';
import type { ImageContext } from './image-context.ts';
import { outcomeOrError } from './outcome-or-error.ts';

/** Compresses one image of a job, from S3 to S3. Never throws: what goes wrong with one image is its outcome. */
export async function compressImage(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  if (image.duplicateOf !== undefined) return { status: 'skipped', reason: 'duplicate' };
  const { job, batchId, log } = context;
  return outcomeOrError(compressIfThere(image, context), image, { jobId: job.jobId, batchId }, log);
}

/**
 * An image that S3 listed, and that was deleted before its turn, is no failure. One that only the user's list names may
 * never have existed: its key may be wrong.
 */
async function compressIfThere(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  // Listings and inventories have ETags, but an inventory may be made without them.
  const wasSeen = image.etag !== undefined || context.job.fileList.endsWith('/manifest.json');
  const gone: Outcome = { status: 'skipped', reason: 'gone', bytesIn: image.size };
  try {
    const outcome = await compressWithinMemory(image, context);
    return wasSeen && outcome.status === 'failed' && outcome.code === 'NotFound' ? gone : outcome;
  } catch (error) {
    if (wasSeen && error instanceof ObjectStoreError && error.code === 'NotFound' && !isBucketMissing(error))
      return gone;
    throw error;
  }
}

/** A large image waits until no other is in flight. */
async function compressWithinMemory(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  const { job, large, maxBytes = Number.POSITIVE_INFINITY } = context;
  const compress = (within: ImageContext) =>
    job.output === 'in-place'
      ? compressInPlace(image, { ...within, ...job, settings: job.compression })
      : compressElsewhere(image, within);
  if (!large || large.bytes >= maxBytes) return compress(context);
  try {
    return await compress({ ...context, maxBytes: large.bytes });
  } catch (error) {
    // Nothing of its body was read: only now is its size known.
    if (!(error instanceof ObjectStoreError) || error.code !== 'TooLarge') throw error;
    return large.exclusive(() => compress(context));
  }
}
