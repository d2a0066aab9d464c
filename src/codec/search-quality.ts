import sharp from 'sharp';
import { SEARCH_RANGE } from '../core/recipe.ts';
import { rgbPixels } from './engines.ts';
import { encodeTiles, GREY, type PictureSample, sampleOf } from './picture-sample.ts';
import type { EncodeTask } from './task.ts';

export interface QualityFound {
  /** libjpeg's scale. */
  readonly quality: number;
  /** SSIMULACRA2 of the tiles at that quality. */
  readonly score: number;
  readonly probes: number;
  /** Whether `score` reaches the floor; where nothing does, `quality` is the highest allowed. */
  readonly isGood: boolean;
}

/** What an eye that compares side by side takes for the same picture. */
export const SCORE_FLOOR = 80;

const MAX_PROBES = 4;
// A score this little above the floor is worth no further probe.
const CLOSE_ENOUGH = 0.7;

/**
 * The lowest quality whose SSIMULACRA2 stays above the floor, by halving the range on a mosaic of tiles; undefined
 * for pictures too small to be scored. @throws EngineError
 */
export async function searchQuality(task: EncodeTask): Promise<QualityFound | undefined> {
  const sample = await sampleOf(task);
  if (!sample.reference()) return undefined;
  return findLowest(async (quality) => (await scoreTiles(task, sample, quality)) ?? 0, task.facts.sourceQuality);
}

/** SSIMULACRA2 of the tiles at a quality; undefined for pictures too small to be scored. @throws EngineError */
export async function scoreTiles(task: EncodeTask, { tiles, reference }: PictureSample, quality: number) {
  const { bytes } = await encodeTiles(tiles, { ...task, recipe: { ...task.recipe, quality } });
  return reference()?.score((await rgbPixels(sharp(bytes), GREY)).pixels);
}

/** Exported for its test: the lowest quality that was found to be good, in at most four probes. */
export async function findLowest(scoreAt: (quality: number) => Promise<number>, sourceQuality = 100) {
  let below: number = SEARCH_RANGE.lowest - 1;
  let above = Math.max(SEARCH_RANGE.lowest, Math.min(SEARCH_RANGE.highest, sourceQuality)) + 1;
  let best: QualityFound | undefined;
  let probes = 0;
  let score = Number.NaN;
  while (probes < MAX_PROBES && above - below > 1) {
    // The last probe of a search without success goes to the end of the range.
    const isLastHope = !best && probes === MAX_PROBES - 1;
    const quality = isLastHope ? above - 1 : Math.floor((below + above) / 2);
    score = await scoreAt(quality);
    probes++;
    if (score < SCORE_FLOOR) below = quality;
    else [above, best] = [quality, { quality, score, probes, isGood: true }];
    if (best && score >= SCORE_FLOOR && score < SCORE_FLOOR + CLOSE_ENOUGH) break;
  }
  return best ? { ...best, probes } : { quality: below, score, probes, isGood: false };
}
