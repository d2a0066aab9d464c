import { encoderQuality, type QualityCurve } from '../../core/quality.ts';
import { fromEngine } from '../engines.ts';
import type { WritableFormat } from '../format.ts';
import { ImageFile } from '../image-file.ts';

export const encodeWebP: WritableFormat['encode'] = async (image, { recipe, settings: { effort } }) => {
  if (recipe.lossless) {
    const bytes = await fromEngine(image.webp({ lossless: true, exact: true, effort: 6 }).toBuffer());
    return { file: new ImageFile(bytes), encoding: { format: 'webp', lossless: true, effort } };
  }
  const quality = encoderQuality(WEBP, recipe.quality!);
  const options = { effort: effort === 'best' ? 4 : 1, smartSubsample: recipe.fullChroma === true };
  const bytes = await fromEngine(image.webp({ quality, ...options }).toBuffer());
  return { file: new ImageFile(bytes), encoding: { format: 'webp', lossless: false, quality, effort } };
};

export const WEBP: QualityCurve = [8, 14, 29.5, 41, 51, 62, 75, 77, 80.5, 84, 89.5, 95, 100];
