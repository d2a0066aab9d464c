import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageFile } from '../src/codec/image-file.ts';
import { inspectImage } from '../src/codec/inspect-image.ts';
import { judgeJpeg } from '../src/codec/jpeg/judge.ts';
import type { ImageFacts } from '../src/core/recipe.ts';

export interface Picture {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly facts: ImageFacts;
}

export function readPictures(folder: string): Picture[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  const images = names.filter((name) => /\.(jpe?g|png|webp|gif|avif)$/i.test(name));
  return images.flatMap((name) => readPicture(join(folder, name)) ?? []);
}

/** Undefined where the header cannot be read: such a file is reported, not measured. */
export function readPicture(file: string): Picture | undefined {
  const bytes = readFileSync(file);
  try {
    const facts = inspectImage(new ImageFile(bytes));
    return facts && { file, bytes, facts };
  } catch {
    return undefined;
  }
}

/** Undamaged and of a single picture: what every peer can compress. */
export function isOrdinaryJpeg({ bytes, facts }: Picture): boolean {
  if (facts.format !== 'jpeg' || facts.multiPicture || facts.trailingBytes > 0 || facts.colour === 'cmyk') return false;
  return judgeJpeg(new ImageFile(bytes)).is !== 'damaged';
}

export function megapixelsOf(pictures: readonly Picture[]): number {
  return pictures.reduce((sum, { facts }) => sum + facts.width * facts.height, 0) / 1e6;
}
