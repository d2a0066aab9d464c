import { Transformer } from '@napi-rs/image';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { type Judge, MAX_JUDGED_PIXELS, type Reading } from './judge.ts';

/** Decoders from npm, which every machine has. */
export const NPM_JUDGES: readonly Judge[] = [
  // It ignores codes that are left over.
  { name: 'jpeg-js', formats: ['jpeg'], strict: false, read: readWith(decodeJpeg) },
  { name: 'pngjs', formats: ['png'], strict: true, read: readWith(decodePng) },
  { name: 'image-webp', formats: ['webp'], strict: false, read: readWith(decodeInRust) },
  { name: 'libavif', formats: ['avif'], strict: true, read: readWith(decodeInRust) },
  { name: 'image-tiff', formats: ['tiff'], strict: false, read: readWith(decodeInRust) },
  {
    name: 'libvips',
    formats: ['jpeg', 'png', 'gif', 'webp', 'avif', 'tiff'],
    strict: true,
    read: readWith(decodeByVips),
  },
];

type Decode = (file: Uint8Array) => Promise<Omit<Reading, 'verdict'>> | Omit<Reading, 'verdict'>;

function readWith(decode: Decode): Judge['read'] {
  return async (file) => {
    try {
      return { verdict: 'read', ...(await decode(file)) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { verdict: verdictOf(message), message: message.split('\n')[0] ?? '' };
    }
  };
}

function verdictOf(message: string): Reading['verdict'] {
  if (HARMLESS.test(message)) return 'warned';
  return UNABLE.test(message) ? 'unable' : 'refused';
}

// Bytes behind the end; tags of a TIFF that libtiff does not know; fields of a JPEG that no decoder uses.
const HARMLESS =
  /unrecognised content at end of stream|Warning treated as error|of custom tag|Invalid SOS parameters for sequential|unknown JFIF revision|Unknown Adobe color transform/;

// Kinds that a decoder does not read, or not at this size.
const UNABLE =
  /not supported|not support|unsupported|pixel limit|limit exceeded|exceeded by at least|page \d+ differs/i;

function decodeJpeg(file: Uint8Array): Omit<Reading, 'verdict'> {
  const options = { useTArray: true, tolerantDecoding: false, maxResolutionInMP: 16, maxMemoryUsageInMB: 256 } as const;
  const { width, height, data } = jpeg.decode(file, options);
  return { width, height, frames: 1, pixels: data };
}

function decodePng(file: Uint8Array): Omit<Reading, 'verdict'> {
  const { width, height, data } = PNG.sync.read(Buffer.from(file), { checkCRC: true });
  return { width, height, frames: 1, pixels: data };
}

async function decodeInRust(file: Uint8Array): Promise<Omit<Reading, 'verdict'>> {
  const image = new Transformer(file);
  const { width, height } = await image.metadata();
  if (width * height > MAX_JUDGED_PIXELS) throw new Error('exceeds pixel limit');
  await image.rawPixels();
  return { width, height };
}

async function decodeByVips(file: Uint8Array): Promise<Omit<Reading, 'verdict'>> {
  const options = { failOn: 'warning', ignoreIcc: true, animated: true, limitInputPixels: MAX_JUDGED_PIXELS } as const;
  const image = sharp(file, options).toColourspace('srgb').ensureAlpha().raw();
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.pageHeight ?? info.height, frames: info.pages ?? 1, pixels: data };
}
