import type { CompressionSettings } from '../../core/job.ts';
import {
  type FormatRecipes,
  type ImageFacts,
  keep,
  lossless,
  lossy,
  type Recipe,
  reshapeOf,
} from '../../core/recipe.ts';

export const JPEG_RECIPES: FormatRecipes = {
  own: (facts, settings) => {
    const reshape = reshapeOf(facts, settings);
    if (facts.lossless || facts.bitsPerChannel > 8) return losslessJpeg(facts, settings);
    // No lossy encoder here keeps these as they are; their coefficients can still be packed tighter.
    if (facts.colour === 'cmyk') return reshape ? keep('cmyk') : losslessJpeg(facts, settings);
    if (facts.colour !== 'rgb' && facts.colour !== 'grey') return losslessJpeg(facts, settings);
    if (reshape || !hasWantedQuality(facts, settings)) return lossy('jpeg', facts, settings);
    if (settings.effort === 'best' || settings.maxBytes !== undefined) return losslessJpeg(facts, settings);
    return keep('already-compressed', `about libjpeg quality ${facts.sourceQuality}`);
  },
  lossless: losslessJpeg,
  // The coefficients can be packed tighter with the map after them byte for byte.
  withGainMap: (facts, settings) =>
    facts.bitsPerChannel === 8 && settings.metadata === 'keep' ? losslessJpeg(facts, settings) : undefined,
  withTrailingParts,
};

/** Trailing parts go along with a JPEG; those that are metadata go where all metadata goes. */
function withTrailingParts(facts: ImageFacts, settings: CompressionSettings): Recipe | undefined {
  const { isMetadata = false, isPointedAt = false } = facts.trailingParts ?? {};
  const reason = facts.multiPicture ? 'multi-picture' : 'trailing-data';
  if (settings.metadata !== 'keep') return isMetadata ? undefined : keep(reason, CONTENT_AFTER_END);
  const becomesJpeg = settings.mode === 'lossless' || ['keep', 'jpeg'].includes(settings.format);
  // Other formats have no place for Samsung's SEF block, as they have none for comments.
  if (!becomesJpeg && isMetadata && !facts.multiPicture) return undefined;
  if (isPointedAt) return keep(reason, POINTED_AT);
  // A preview is a copy of a picture of this size.
  const outgrows = facts.multiPicture && reshapeOf(facts, settings) !== undefined;
  return becomesJpeg && !outgrows ? undefined : losslessJpeg(facts, settings);
}

const POINTED_AT =
  'its maker notes seem to hold the offsets of the data after its end; metadata copyright or strip removes both';

const CONTENT_AFTER_END = 'a video, sound or picture after its end is carried along only with metadata keep';

// What the encoders write at the highest quality of a search reads as at most this, so that no output is searched again.
const MAX_SEARCHED_QUALITY = 88;

// One lossy generation at most: what is of the wanted quality or below it would lose without gaining.
function hasWantedQuality({ sourceQuality }: ImageFacts, settings: CompressionSettings): boolean {
  const wanted = settings.mode === 'auto' ? MAX_SEARCHED_QUALITY : settings.quality;
  return sourceQuality !== undefined && sourceQuality <= wanted;
}

function losslessJpeg(facts: ImageFacts, { progressive }: CompressionSettings): Recipe {
  if (facts.lossless) return keep('unsupported-format', 'a JPEG of the lossless process (SOF3)');
  if (facts.bitsPerChannel > 8) return keep('deep-colour', `${facts.bitsPerChannel} bits per channel`);
  if (facts.arithmetic) return keep('unsupported-format', 'a JPEG with arithmetic codes');
  if (progressive === false && !facts.progressive)
    return keep('unsupported-format', 'the lossless encoder here writes progressive JPEGs only');
  return lossless('jpeg');
}
