import { fromEngine } from '../engines.ts';
import type { WritableFormat } from '../format.ts';
import { ImageFile } from '../image-file.ts';

export const encodePng: WritableFormat['encode'] = async (image) => {
  const bytes = await fromEngine(image.png({ compressionLevel: 6, adaptiveFiltering: true }).toBuffer());
  return { file: new ImageFile(bytes), encoding: { format: 'png', lossless: true } };
};
