import { type CompressionMark, fingerprintSource } from '../core/compression-mark.ts';
import type { Outcome } from '../core/image-result.ts';
import type { PlannedImage } from '../core/job.ts';
import type { ObjectAttributes } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { confirmMark } from '../store/confirm-mark.ts';
import type { ImageContext } from './image-context.ts';

/** What is stored at a key where the output may go. */
export type OutputPlace =
  | { readonly state: 'free'; readonly location: S3Location }
  | {
      readonly state: 'ours';
      readonly location: S3Location;
      readonly object: ObjectAttributes;
      readonly mark: CompressionMark;
    }
  | TakenPlace;

export interface TakenPlace {
  readonly state: 'source' | 'foreign' | 'of-another-source';
  readonly location: S3Location;
  readonly object: ObjectAttributes;
}

/** Looks at a key with one HEAD. Only an object with a confirmed mark of this very source may be overwritten. */
export async function lookAtOutput(
  location: S3Location,
  image: PlannedImage,
  { job, store }: Pick<ImageContext, 'job' | 'store'>,
): Promise<OutputPlace> {
  const object = await store.head(location);
  if (!object) return { state: 'free', location };
  if (formatS3Uri(location) === formatS3Uri(image)) return { state: 'source', location, object };
  const mark = await confirmMark(store, location, object);
  if (!mark) return { state: 'foreign', location, object };
  const ofThisSource = mark.of === fingerprintSource(image) || (job.force && mark.job !== job.jobId);
  return ofThisSource ? { state: 'ours', location, object, mark } : { state: 'of-another-source', location, object };
}

export function isTaken(place: OutputPlace): place is TakenPlace {
  return place.state !== 'free' && place.state !== 'ours';
}

export function outputExists({ state, location }: TakenPlace): Outcome {
  return { status: 'failed', code: 'OutputExists', message: `${formatS3Uri(location)} ${TAKEN_BY[state]}` };
}

const TAKEN_BY: Readonly<Record<TakenPlace['state'], string>> = {
  source: 'is the source itself; choose another output prefix, or "output": "in-place" to replace sources',
  foreign:
    'is an object that is not, or no longer, an output of image-press; move it away or choose another output prefix',
  'of-another-source':
    'is the output of another source; choose another output prefix or layout, or replace it with "force": true',
};
