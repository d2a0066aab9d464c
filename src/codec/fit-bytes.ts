import { FORMATS } from './formats.ts';
import { encodeTiles, type PictureSample, sampleOf } from './picture-sample.ts';
import { scoreTiles } from './search-quality.ts';
import type { EncodeTask } from './task.ts';

/** A recipe whose output fits under `encoding.maxBytes`, or why there is none that still looks like the picture. */
export type Fit = Readonly<{ recipe: EncodeTask['recipe']; score?: number } | { unfit: string; score?: number }>;

/** Medium quality on the scale of SSIMULACRA2, about libjpeg's 35. Below it a picture is ruined, not compressed. */
const LEAST_SCORE = 50;

/**
 * The highest quality below the present one at which an output of `bytes` should shrink to `ceiling`, judged by what
 * the sample needs at each quality. @throws EngineError
 */
export async function fitBytes(task: EncodeTask, bytes: number, ceiling: number): Promise<Fit> {
  const { recipe } = task;
  const name = FORMATS[recipe.format].name;
  if (recipe.search) return { unfit: `${name} needs ${bytes} bytes for the floor of auto` };
  if (ceiling <= 0) return { unfit: `${name} has no space for pixels beside the metadata of its source` };
  const sample = await sampleOf(task);
  const quality = await highestQuality(task, sample, ceiling / bytes);
  const score = quality && (await scoreTiles(task, sample, quality));
  if (quality && (score === undefined || score >= LEAST_SCORE)) return { recipe: { ...recipe, quality }, score };
  const reached =
    score === undefined || score === 0
      ? 'at no quality'
      : `only at a score of ${score.toFixed(1)}; the least is ${LEAST_SCORE}`;
  return { unfit: `${name} fits into ${ceiling} bytes ${reached}`, score: score || undefined };
}

/** By halving the range; undefined where even the lowest needs more. @param share of what the present quality needs */
async function highestQuality(task: EncodeTask, { tiles }: PictureSample, share: number) {
  const bytesAt = async (quality: number) =>
    (await encodeTiles(tiles, { ...task, recipe: { ...task.recipe, quality } })).bytes.length;
  const present = task.recipe.quality ?? 100;
  const wanted = (await bytesAt(present)) * share;
  let [fits, exceeds] = [0, present];
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if ((await bytesAt(middle)) <= wanted) fits = middle;
    else exceeds = middle;
  }
  return fits > 0 ? fits : undefined;
}
