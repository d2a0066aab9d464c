import type { Sharp } from 'sharp';
import type { ImageFacts } from '../core/recipe.ts';
import { openImage } from './engines.ts';
import { FORMATS } from './formats.ts';
import type { Encoded, EncodeTask } from './task.ts';

/** New pixels or a new format by way of libvips, without any metadata. @throws EngineError */
export async function encodeImage(task: EncodeTask): Promise<Encoded> {
  return FORMATS[task.recipe.format].encode(pixelsToEncode(task), task);
}

/** What an encoder is given: the source, upright, resized and flattened as the recipe asks. */
export function pixelsToEncode(task: EncodeTask): Sharp {
  const { facts, recipe } = task;
  let image = openSource(task).timeout({ seconds: Math.ceil(task.timeLimitMs / 1000) });
  if (recipe.reshape?.upright) image = image.autoOrient();
  if (recipe.reshape) image = image.resize(recipe.reshape.width, recipe.reshape.height, { fit: 'fill' });
  if (recipe.flattenOn) image = image.flatten({ background: recipe.flattenOn });
  return image.toColourspace(storedColourspace(facts));
}

/** A source as its judge wants it decoded. */
export function openSource({ source, facts, verdict }: Pick<EncodeTask, 'source' | 'facts' | 'verdict'>): Sharp {
  return openImage(source.bytes, facts, verdict?.is === 'odd' ? 'none' : 'warning');
}

// libvips would store grey as RGB and 16 bits as 8.
function storedColourspace(facts: ImageFacts): string {
  const deep = facts.bitsPerChannel > 8;
  if (facts.colour === 'grey') return deep ? 'grey16' : 'b-w';
  return deep ? 'rgb16' : 'srgb';
}
