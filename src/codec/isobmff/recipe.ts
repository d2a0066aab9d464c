import { type FormatRecipes, fitsInto, keep, lossy, reshapeOf } from '../../core/recipe.ts';

export const AVIF_RECIPES: FormatRecipes = {
  own: (facts, settings, { avif }) => {
    if (facts.pages > 1) return keep('animation');
    if (facts.bitsPerChannel > 8) return keep('deep-colour', `${facts.bitsPerChannel} bits per channel`);
    if (facts.orientation !== 1) return keep('unsupported-format', TURNED);
    if (facts.cropped) return keep('unsupported-format', 'an AVIF that shows only a part of its pixels');
    if (facts.ownColours) return keep('colour-space', 'its encoder here would label them sRGB');
    if (!fitsInto(avif, reshapeOf(facts, settings) ?? facts))
      return keep('unsupported-format', `an AVIF with a side over ${avif.maxSide} pixels`);
    return lossy('avif', facts, settings);
  },
};

// libheif turns the pixels while it decodes them: an output would have another grid.
const TURNED = 'an AVIF that its properties rotate or mirror cannot be decoded as it is stored';
