import { encoderQuality, type QualityCurve } from '../../core/quality.ts';
import { fromEngine } from '../engines.ts';
import type { WritableFormat } from '../format.ts';
import { ImageFile } from '../image-file.ts';

export const encodeJpeg: WritableFormat['encode'] = async (image, { recipe, settings }) => {
  const { effort, progressive: wanted } = settings;
  const quality = encoderQuality(effort === 'best' ? MOZJPEG : FAST_JPEG, recipe.quality!);
  const progressive = wanted === 'auto' ? effort === 'best' : wanted;
  const chromaSubsampling = recipe.fullChroma ? '4:4:4' : '4:2:0';
  const options = { quality, progressive, chromaSubsampling, ...EFFORTS[effort](progressive) };
  const bytes = await fromEngine(image.jpeg(options).toBuffer());
  return { file: new ImageFile(bytes), encoding: { format: 'jpeg', lossless: false, quality, effort, progressive } };
};

export const MOZJPEG: QualityCurve = [12, 24.5, 37, 48.5, 60, 66.5, 74, 78, 83, 87.5, 92, 96.5, 100];
export const FAST_JPEG: QualityCurve = [11.5, 22, 33, 42.5, 53, 61.5, 71, 75, 80, 85, 90.5, 95.5, 100];

const EFFORTS = {
  best: (progressive: boolean) => ({
    quantisationTable: 3,
    trellisQuantisation: true,
    overshootDeringing: true,
    optimiseScans: progressive,
  }),
  // Without optimal Huffman tables the image streams through: nothing is held, and half the time is saved.
  fast: (progressive: boolean) => ({ quantisationTable: 3, optimiseCoding: progressive }),
} as const;
