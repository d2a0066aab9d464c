import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import sharp from 'sharp';

const require = createRequire(import.meta.url);

/**
 * Fills `folder` with typical images: photographs that npm packages ship, rendered ones, and a truncated JPEG, to
 * show how a broken file is reported.
 */
export async function makeSampleImages(folder: string): Promise<void> {
  const photos = path.join(path.dirname(require.resolve('exif-js/package.json')), 'example');
  const baboon = path.join(path.dirname(require.resolve('baboon-image/package.json')), 'baboon.png');
  const hero = await readFile(path.join(photos, 'Bloated-Hero.jpg'));
  for (const name of ['photos', 'shop', 'web', 'broken']) await mkdir(path.join(folder, name), { recursive: true });
  const at = (name: string) => path.join(folder, name);
  const grain = cameraGrain();
  const rotated = sharp(hero).resize(900).rotate(90);
  await Promise.all([
    copyFile(path.join(photos, 'Bloated-Hero.jpg'), at('photos/concert.jpg')),
    copyFile(path.join(photos, 'Bush-dog.jpg'), at('photos/bush dog.jpg')),
    copyFile(path.join(photos, 'DSCN0614_small.jpg'), at('photos/DSCN0614.JPG')),
    copyFile(path.join(photos, 'dsc_09827.jpg'), at('photos/dsc_09827.jpg')),
    copyFile(baboon, at('photos/baboon.png')),
    writeFile(at('broken/cut off.jpg'), hero.subarray(0, hero.length / 3)),
    writeFile(at('broken/really a web page.png'), '<!doctype html><title>404</title><p>Not found'),
    screenshot(at('web/dashboard.png')),
    grain.then((grain) => shopPicture(at('shop/lamp+shade.jpg'), '#d96c2c', grain)),
    grain.then((grain) => shopPicture(at('shop/vase 50%.jpg'), '#3a7ca5', grain)),
    sharp(hero).resize(640).webp({ quality: 92 }).toFile(at('web/concert-small.webp')),
    rotated.withMetadata({ orientation: 6 }).jpeg({ quality: 94 }).toFile(at('photos/held upright.jpg')),
  ]);
}

/** A plain user interface with text, as PNG is used for. */
async function screenshot(file: string): Promise<void> {
  const rows = Array.from({ length: 18 }, (_, row) => {
    const y = 130 + row * 34;
    return `<rect x="40" y="${y}" width="1200" height="33" fill="${row % 2 ? '#f4f6f8' : '#fff'}"/>
      <text x="60" y="${y + 22}">order ${10_483 + row * 7}</text><text x="400" y="${y + 22}">${(row * 37.9 + 12.5).toFixed(2)} EUR</text>
      <rect x="760" y="${y + 10}" width="${60 + ((row * 53) % 380)}" height="12" rx="6" fill="#2a9d8f"/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="780" font-family="sans-serif" font-size="16">
    <rect width="1280" height="780" fill="#eceff1"/><rect width="1280" height="70" fill="#264653"/>
    <text x="40" y="44" fill="#fff" font-size="26">Orders this week</text>${rows.join('')}</svg>`;
  await sharp(Buffer.from(svg)).png({ compressionLevel: 3 }).toFile(file);
}

const SHOP_SIZE = { width: 1600, height: 1200, channels: 3 } as const;

/** Pixels of SHOP_SIZE. Making it takes longer than all else, so the shop pictures share it. */
function cameraGrain(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 9 } as const;
  return sharp({ create: { ...SHOP_SIZE, background: '#000', noise } })
    .raw()
    .toBuffer();
}

/** A product on a soft background, with the grain of a camera, saved at a needlessly high quality. */
async function shopPicture(file: string, colour: string, grain: Buffer): Promise<void> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1600" height="1200"><defs>
    <radialGradient id="g" cx=".5" cy=".35" r=".9"><stop offset="0" stop-color="#fff"/><stop offset="1" stop-color="#b9bec4"/></radialGradient>
    <linearGradient id="p" x2="1"><stop offset="0" stop-color="${colour}"/><stop offset=".4" stop-color="#fff8"/><stop offset="1" stop-color="${colour}"/></linearGradient></defs>
    <rect width="1600" height="1200" fill="url(#g)"/><ellipse cx="800" cy="1010" rx="330" ry="50" fill="#0003"/>
    <path d="M620 1000 Q500 600 700 330 L900 330 Q1100 600 980 1000Z" fill="${colour}"/><path d="M620 1000 Q500 600 700 330 L900 330 Q1100 600 980 1000Z" fill="url(#p)"/></svg>`;
  await sharp(Buffer.from(svg))
    .composite([{ input: grain, raw: SHOP_SIZE, blend: 'soft-light' }])
    .flatten()
    .jpeg({ quality: 95 })
    .toFile(file);
}
