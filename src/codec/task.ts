import type { Encoding } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import type { EncodeRecipe, ImageFacts } from '../core/recipe.ts';

/** An image that was inspected, and what is wanted of it. */
export interface InspectedImage {
  readonly source: Uint8Array;
  readonly facts: ImageFacts;
  readonly settings: CompressionSettings;
  /** The output takes the place of its source: every check there is. */
  readonly replacesSource?: boolean;
}

/** What is to be done with an image; how long it may take, its host knows. */
export interface PlannedTask extends InspectedImage, EncodePlan {}

export interface EncodeTask extends PlannedTask {
  readonly timeLimitMs: number;
}

/** All that an encoder has to know. */
export interface EncodePlan {
  readonly recipe: EncodeRecipe;
  readonly settings: CompressionSettings;
}

/** An encoder's output, without any metadata. */
export interface Encoded {
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
}
