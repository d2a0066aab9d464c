import type { Sharp } from 'sharp';
import { encoderQuality } from '../../core/quality.ts';
import { fromEngine } from '../engines.ts';
import type { Encoded, EncodePlan } from '../task.ts';

export async function encodeJpeg(
  image: Sharp,
  { recipe, settings: { effort, progressive: wanted } }: EncodePlan,
): Promise<Encoded> {
  const quality = encoderQuality(effort === 'best' ? 'mozjpeg' : 'fastJpeg', recipe.quality!);
  const progressive = wanted === 'auto' ? effort === 'best' : wanted;
  const chromaSubsampling = recipe.fullChroma ? '4:4:4' : '4:2:0';
  const options = { quality, progressive, chromaSubsampling, ...EFFORTS[effort](progressive) };
  const bytes = await fromEngine(image.jpeg(options).toBuffer());
  return { bytes, encoding: { format: 'jpeg', lossless: false, quality, effort, progressive } };
}

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
