import { fromEngine, openImage, rgbPixels } from '../engines.ts';
import { ImageFile } from '../image-file.ts';
import { perceptualReference, type RgbPixels } from '../score/perceptual-score.ts';
import { cut, type Tile } from '../score/picture-tiles.ts';
import type { EncodeTask } from '../task.ts';
import { inspectPng } from './inspect.ts';

/** Its score is SSIMULACRA2, the mean of all tiles. */
export type PalettePng = { readonly bytes: Uint8Array; readonly score: number };

/** From 90 on a palette looks the same as the original, even when the two are shown alternately. */
const MEAN_FLOOR = 90;
/** The worst tile is still of very high quality: a gradient in one corner is not averaged away by a white page. */
const WORST_FLOOR = 80;
const TILE = 512;
// Two pictures are held as RGBA while they are compared.
const MAX_PIXELS_TO_SCORE = 16_000_000;

/** The PNG with at most 256 colours, without metadata; undefined where the difference would be visible. @throws libvips' errors */
export async function palettePng({ source, facts, timeLimitMs }: EncodeTask): Promise<PalettePng | undefined> {
  if (facts.width * facts.height > MAX_PIXELS_TO_SCORE || Math.min(facts.width, facts.height) < 8) return undefined;
  const image = openImage(source.bytes, facts).timeout({ seconds: Math.ceil(timeLimitMs / 1000) });
  const options = { palette: true, quality: 90, effort: 7, compressionLevel: 9 };
  const bytes = await fromEngine(image.png(options).toBuffer());
  if (inspectPng(new ImageFile(bytes)).colour !== 'palette') return undefined;
  const isOpaque = !facts.alpha || (await fromEngine(openImage(source.bytes, facts).stats())).isOpaque;
  const score = await scoreTiles(source.bytes, bytes, isOpaque ? ['#ffffff'] : ['#ffffff', '#000000']);
  return score === undefined ? undefined : { bytes, score };
}

/** The mean over all tiles, on the background where it is worse; undefined when a floor is missed. */
async function scoreTiles(source: Uint8Array, output: Uint8Array, backgrounds: readonly string[]) {
  let worstMean = 100;
  for (const background of backgrounds) {
    const before = await rgbPixels(openImage(source, { pages: 1 }), background);
    const after = await rgbPixels(openImage(output, { pages: 1 }), background);
    const tiles = tilesOf(before);
    let sum = 0;
    for (const tile of tiles) {
      const score = perceptualReference(cut(before, tile)).score(cut(after, tile).pixels);
      if (score < WORST_FLOOR) return undefined;
      sum += score;
    }
    worstMean = Math.min(worstMean, sum / tiles.length);
  }
  return worstMean >= MEAN_FLOOR ? worstMean : undefined;
}

/** The picture in tiles of about 512 x 512, none much smaller than the others. */
function tilesOf({ width, height }: RgbPixels): Tile[] {
  const [across, down] = [Math.ceil(width / TILE), Math.ceil(height / TILE)];
  return Array.from({ length: across * down }, (_, index) => {
    const [column, row] = [index % across, Math.floor(index / across)];
    const [left, top] = [Math.floor((column * width) / across), Math.floor((row * height) / down)];
    return {
      left,
      top,
      width: Math.floor(((column + 1) * width) / across) - left,
      height: Math.floor(((row + 1) * height) / down) - top,
    };
  });
}
