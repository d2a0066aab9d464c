import { type FormatRecipes, fitsInto, keep, lossless, reshapeOf } from '../../core/recipe.ts';

export const PNG_RECIPES: FormatRecipes = {
  own: (facts, settings) => {
    const reshape = reshapeOf(facts, settings);
    if (reshape && facts.pages > 1) return keep('animation');
    if (reshape && facts.colour === 'palette')
      return keep('colour-space', 'resized, it would need more colours than a palette has');
    const isTrueColour = facts.pages === 1 && facts.bitsPerChannel === 8 && facts.colour === 'rgb';
    const tryPalette = !reshape && isTrueColour && settings.effort === 'best';
    return { ...lossless('png'), ...(reshape && { reshape }), ...(tryPalette && { tryPalette }) };
  },
  lossless: (facts, settings, { webp }) => {
    const isPlain = facts.pages === 1 && facts.bitsPerChannel <= 8 && !facts.ownColours;
    return lossless(
      (settings.format === 'webp' || settings.format === 'smallest') && isPlain && fitsInto(webp, facts)
        ? 'webp'
        : 'png',
    );
  },
};
