import type { Outcome } from '../core/image-result.ts';
import type { PlannedImage } from '../core/job.ts';
import { ObjectStoreError } from '../core/object-store.ts';
import { outcomeOfError } from '../core/outcome-of-error.ts';
import { compressElsewhere } from './compress-elsewhere.ts';
import { compressInPlace } from './compress-in-place.ts';
import type { ImageContext } from './image-context.ts';

/** Compresses one image of a job, from S3 to S3. Never throws: what goes wrong with one image is its outcome. */
export async function compressImage(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  if (image.duplicateOf !== undefined) return { status: 'skipped', reason: 'duplicate' };
  try {
    return await compressWithinMemory(image, context);
  } catch (error) {
    return outcomeOfError(error);
  }
}

/** A large image waits until no other is in flight. */
async function compressWithinMemory(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  const { large, maxBytes = Number.POSITIVE_INFINITY } = context;
  if (!large || large.bytes >= maxBytes) return compressToOutput(image, context);
  try {
    return await compressToOutput(image, { ...context, maxBytes: large.bytes });
  } catch (error) {
    // Nothing of its body was read: only now is its size known.
    if (!(error instanceof ObjectStoreError) || error.code !== 'TooLarge') throw error;
    return large.exclusive(() => compressToOutput(image, context));
  }
}

function compressToOutput(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  const { job } = context;
  if (job.output !== 'in-place') return compressElsewhere(image, context);
  return compressInPlace(image, { ...context, ...job, settings: job.compression });
}
