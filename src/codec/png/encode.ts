import type { Sharp } from 'sharp';
import { fromEngine } from '../engines.ts';
import type { Encoded } from '../task.ts';

export async function encodePng(image: Sharp): Promise<Encoded> {
  const bytes = await fromEngine(image.png({ compressionLevel: 6, adaptiveFiltering: true }).toBuffer());
  return { bytes, encoding: { format: 'png', lossless: true } };
}
