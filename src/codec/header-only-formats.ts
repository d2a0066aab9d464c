import { startsWith, textAt, uint32At, viewOf } from './bytes.ts';
import type { Format } from './format.ts';

/** Formats that no decoder here reads: known by their first bytes, some also by their size, and always kept. */
export const HEADER_ONLY_FORMATS = {
  jxl: {
    name: 'JXL',
    contentType: 'image/jxl',
    sniff: (bytes) => startsWith(bytes, '\xff\x0a') || startsWith(bytes, '\0\0\0\x0cJXL \r\n\x87\n'),
    holdsUnreadMetadata: () => true,
  },
  jp2: {
    name: 'JP2',
    contentType: 'image/jp2',
    sniff: (bytes) => startsWith(bytes, '\0\0\0\x0cjP  \r\n\x87\n') || startsWith(bytes, '\xff\x4f\xff\x51'),
    holdsUnreadMetadata: () => true,
  },
  psd: {
    name: 'PSD',
    contentType: 'image/vnd.adobe.photoshop',
    sniff: (bytes) => startsWith(bytes, '8BPS'),
    inspect: ({ bytes }) => sizeAt(bytes, 18, 14, false),
    holdsUnreadMetadata: () => true,
  },
  svg: {
    name: 'SVG',
    contentType: 'image/svg+xml',
    sniff: (bytes) => isSvg(textAt(bytes, 0, 4096)),
    holdsUnreadMetadata: () => true,
  },
  bmp: {
    name: 'BMP',
    contentType: 'image/bmp',
    sniff: (bytes) => startsWith(bytes, 'BM') && bytes.length >= 26 && BMP_HEADERS.includes(uint32At(bytes, 14, true)),
    inspect: ({ bytes }) => sizeAt(bytes, 18, 22, true),
  },
  ico: {
    name: 'ICO',
    contentType: 'image/vnd.microsoft.icon',
    sniff: (bytes) =>
      ['\0\0\x01\0', '\0\0\x02\0'].some((magic) => startsWith(bytes, magic)) &&
      bytes.length >= 22 &&
      bytes[4] !== 0 &&
      bytes[5] === 0 &&
      bytes[9] === 0,
  },
  pnm: {
    name: 'PNM',
    contentType: 'image/x-portable-anymap',
    sniff: (bytes) => {
      const head = textAt(bytes, 0, 4096);
      return /^P[1-6]\s(?:\s|#[^\n]*\n)*\d/.test(head) || /^P7\s+WIDTH\s/.test(head);
    },
  },
  qoi: {
    name: 'QOI',
    contentType: 'image/qoi',
    sniff: (bytes) => startsWith(bytes, 'qoif'),
    inspect: ({ bytes }) => sizeAt(bytes, 4, 8, false),
  },
} as const satisfies Record<string, Format>;

const BMP_HEADERS = [12, 16, 40, 52, 56, 64, 108, 124];

/** `<svg` as the root element: HTML that holds a drawing is no image. */
function isSvg(head: string): boolean {
  const text = head.replace(/^\u00ef\u00bb\u00bf/, '').replace(/^\s+/, '');
  if (!text.startsWith('<')) return false;
  const root = /<(?![?!])\s{0,9}([\w:.-]{1,40})/.exec(text.replace(/<!--(?:[^-]|-(?!->))*-->/g, ''));
  return /^(?:\w{1,20}:)?svg$/.test(root?.[1] ?? '');
}

/** Of formats that store their size at a fixed place. */
function sizeAt(bytes: Uint8Array, widthAt: number, heightAt: number, littleEndian: boolean) {
  if (Math.max(widthAt, heightAt) + 4 > bytes.length) return {};
  const numberAt = (at: number) => Math.abs(viewOf(bytes).getInt32(at, littleEndian));
  return { width: numberAt(widthAt), height: numberAt(heightAt) };
}
