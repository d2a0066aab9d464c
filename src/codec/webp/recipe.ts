import { type FormatRecipes, keep, lossless, lossy, reshapeOf } from '../../core/recipe.ts';

export const WEBP_RECIPES: FormatRecipes = {
  own: (facts, settings) => {
    const reshape = reshapeOf(facts, settings);
    if (reshape?.upright && facts.pages > 1) return keep('animation', 'its frames cannot be turned here');
    if (facts.lossless) return { ...lossless('webp'), ...(reshape && { reshape }) };
    return lossy('webp', facts, settings);
  },
  lossless: (facts) => (facts.lossless ? lossless('webp') : undefined),
};
