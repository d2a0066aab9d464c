import type { Outcome } from '../core/image-result.ts';
import type { PlannedImage } from '../core/job.ts';
import { ObjectStoreError } from '../core/object-store.ts';
import { outcomeOfError } from '../core/outcome-of-error.ts';
import { compressElsewhere } from './compress-elsewhere.ts';
import { compressInPlace } from './compress-in-place.ts';
import type { ImageContext } from './image-context.ts';
import { logUnexpected } from './log-unexpected.ts';

/** Compresses one image of a job, from S3 to S3. Never throws: what goes wrong with one image is its outcome. */
export async function compressImage(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  if (image.duplicateOf !== undefined) return { status: 'skipped', reason: 'duplicate' };
  const outcome = await compressWithinMemory(image, context).catch(outcomeOfError);
  const { job, batchId, log } = context;
  return logUnexpected(outcome, image, { jobId: job.jobId, batchId }, log);
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
