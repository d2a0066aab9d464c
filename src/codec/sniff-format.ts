import type { ImageFormat } from '../core/image-result.ts';
import { startsWith, textAt, viewOf } from './bytes.ts';
import { readBrands } from './isobmff/boxes.ts';

/** The format by its first bytes, whatever its name says; undefined when these bytes are no image. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  const magic = MAGIC.find(([, prefix, at]) => startsWith(bytes, prefix, at));
  if (magic) return magic[0];
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return 'webp';
  return sniffIso(bytes) ?? sniffText(bytes);
}

const MAGIC: readonly (readonly [format: ImageFormat, prefix: string, at: number])[] = [
  ['jpeg', '\xff\xd8\xff', 0],
  ['png', '\x89PNG\r\n\x1a\n', 0],
  ['gif', 'GIF87a', 0],
  ['gif', 'GIF89a', 0],
  ['tiff', 'II*\0', 0],
  ['tiff', 'MM\0*', 0],
  ['tiff', 'II+\0', 0],
  ['tiff', 'MM\0+', 0],
  ['psd', '8BPS', 0],
  ['jxl', '\xff\x0a', 0],
  ['jxl', '\0\0\0\x0cJXL \r\n\x87\n', 0],
  ['jp2', '\0\0\0\x0cjP  \r\n\x87\n', 0],
  ['jp2', '\xff\x4f\xff\x51', 0],
  ['qoi', 'qoif', 0],
];

const AVIF_BRANDS = ['avif', 'avis'];
const HEIF_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'mif2', 'msf1'];

function sniffIso(bytes: Uint8Array): ImageFormat | undefined {
  const brands = readBrands(bytes);
  if (AVIF_BRANDS.some((brand) => brands.includes(brand))) return 'avif';
  return HEIF_BRANDS.some((brand) => brands.includes(brand)) ? 'heif' : undefined;
}

/** Formats whose magic is short or is text, so that more than the first bytes must fit. */
function sniffText(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, 'BM') && isBmp(bytes)) return 'bmp';
  if ((startsWith(bytes, '\0\0\x01\0') || startsWith(bytes, '\0\0\x02\0')) && isIco(bytes)) return 'ico';
  const head = textAt(bytes, 0, 4096);
  if (/^P[1-6]\s(?:\s|#[^\n]*\n)*\d/.test(head) || /^P7\s+WIDTH\s/.test(head)) return 'pnm';
  return isSvg(head) ? 'svg' : undefined;
}

function isBmp(bytes: Uint8Array): boolean {
  return bytes.length >= 26 && [12, 16, 40, 52, 56, 64, 108, 124].includes(viewOf(bytes).getUint32(14, true));
}

function isIco(bytes: Uint8Array): boolean {
  return bytes.length >= 22 && bytes[4]! > 0 && bytes[5] === 0 && bytes[9] === 0;
}

/** `<svg` as the root element: HTML that holds a drawing is no image. */
function isSvg(head: string): boolean {
  const text = head.replace(/^\u00ef\u00bb\u00bf/, '').replace(/^\s+/, '');
  if (!text.startsWith('<')) return false;
  const root = /<(?![?!])\s{0,9}([\w:.-]{1,40})/.exec(text.replace(/<!--(?:[^-]|-(?!->))*-->/g, ''));
  return root !== null && /^(?:\w{1,20}:)?svg$/.test(root[1]!);
}
