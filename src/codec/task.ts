import type { EncodingPlan } from '../core/admission.ts';
import type { Encoding } from '../core/image-result.ts';
import type { ImageFile } from './image-file.ts';
import type { Sound } from './verdict.ts';

/** An image that was inspected, and what is wanted of it. */
export interface InspectedImage extends Omit<EncodingPlan, 'recipe'> {
  readonly source: ImageFile;
  /** The output takes the place of its source: every check there is. */
  readonly replacesSource?: boolean;
}

/** What is to be done with an image; how long it may take, its host knows. */
export interface PlannedTask extends InspectedImage, EncodingPlan {}

export interface EncodeTask extends PlannedTask {
  /** What its judge found of the source, where it has one. */
  readonly verdict?: Sound;
  readonly timeLimitMs: number;
}

/** All that an encoder has to know. */
export type EncodePlan = Pick<EncodingPlan, 'recipe' | 'settings'>;

/** An encoder's output, without any metadata. */
export type Encoded = Readonly<{ file: ImageFile; encoding: Encoding }>;
