import type { PNGLosslessOptions } from '@napi-rs/image';
import { TooSlowError } from '../too-slow-error.ts';
import { type PngPicture, pictureLength } from './rows.ts';

/** Which filters the engine tries on every row; all that its own preset tries where absent. */
export type PackingEffort = Pick<PNGLosslessOptions, 'filter'>;

/** Paeth, the best of the single ones for photographs. */
const ONE_FILTER = [4];

/**
 * Half of what one core of 2023 packs in a second, in bytes of pixels: a photograph of 3 MP took 4.5 s of CPU time with
 * the preset and 2.5 s with one filter. Half, because hosts are slower and one image may be packed twice.
 */
const BYTES_PER_SECOND = { preset: 1e6, oneFilter: 1.8e6 } as const;

/**
 * The engine cannot be stopped, so what it may do is chosen by the pixels before.
 * @throws TooSlowError where it would take longer than the limit whatever it does
 */
export function choosePackingEffort(pictures: readonly PngPicture[], timeLimitMs: number): PackingEffort {
  const bytes = pictures.reduce((sum, picture) => sum + pictureLength(picture), 0);
  const seconds = timeLimitMs / 1000;
  if (bytes <= seconds * BYTES_PER_SECOND.preset) return {};
  if (bytes <= seconds * BYTES_PER_SECOND.oneFilter) return { filter: ONE_FILTER };
  const expected = Math.ceil(bytes / BYTES_PER_SECOND.oneFilter);
  throw new TooSlowError(
    `packing ${Math.round(bytes / 1e6)} MB of pixels would take about ${expected} s and the limit is ${seconds} s`,
  );
}
