import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import sharp from 'sharp';

const require = createRequire(import.meta.url);

/** `count` different camera-like JPEGs of width × height: crops of real photographs, enlarged, with grain. */
export async function makePhotos(folder: string, count: number, width: number, height: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const sources = [
    require.resolve('exif-js/example/Bloated-Hero.jpg'),
    require.resolve('exif-js/example/Bush-dog.jpg'),
    require.resolve('baboon-image/baboon.png'),
  ];
  for (let n = 0; n < count; n++) {
    const file = path.join(folder, `photo-${width}x${height}-${String(n).padStart(4, '0')}.jpg`);
    await makePhoto(sources[n % sources.length] ?? '', n, width, height, file);
  }
}

const GRAIN = { width: 512, height: 512, channels: 3 } as const;

async function makePhoto(source: string, n: number, width: number, height: number, file: string): Promise<void> {
  const image = sharp(source);
  const size = await image.metadata();
  const share = 0.55 + ((n * 7) % 40) / 100;
  const crop = { width: Math.floor(size.width * share), height: Math.floor(size.height * share) };
  const left = (n * 31) % (size.width - crop.width);
  const top = (n * 17) % (size.height - crop.height);
  const noise = { type: 'gaussian', mean: 128, sigma: 7 } as const;
  const tile = await sharp({ create: { ...GRAIN, background: '#888', noise } })
    .raw()
    .toBuffer();
  const pixels = await image
    .extract({ left, top, ...crop })
    .removeAlpha()
    .resize(width, height, { fit: 'fill' })
    .toBuffer();
  await sharp(pixels)
    .composite([{ input: tile, raw: GRAIN, tile: true, blend: 'soft-light' }])
    .flatten()
    .jpeg({ quality: 92 })
    .toFile(file);
}
