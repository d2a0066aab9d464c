import { indexOfText, startsWith, textAt, uint32At, viewOf } from './bytes.ts';
import type { Format } from './format.ts';
import { readBoxes } from './isobmff/boxes.ts';

/** Formats that no decoder here reads: known by their first bytes, some also by their size, and always kept. */
export const HEADER_ONLY_FORMATS = {
  jxl: {
    name: 'JXL',
    contentType: 'image/jxl',
    sniff: (bytes) => startsWith(bytes, '\xff\x0a') || startsWith(bytes, '\0\0\0\x0cJXL \r\n\x87\n'),
    unreadMetadata: ({ bytes }) => jxlPartsLeft(bytes),
  },
  jp2: {
    name: 'JP2',
    contentType: 'image/jp2',
    sniff: (bytes) => startsWith(bytes, '\0\0\0\x0cjP  \r\n\x87\n') || startsWith(bytes, '\xff\x4f\xff\x51'),
    unreadMetadata: () => UNREAD,
  },
  psd: {
    name: 'PSD',
    contentType: 'image/vnd.adobe.photoshop',
    sniff: (bytes) => startsWith(bytes, '8BPS'),
    inspect: ({ bytes }) => sizeAt(bytes, 18, 14, false),
    unreadMetadata: () => UNREAD,
  },
  svg: {
    name: 'SVG',
    contentType: 'image/svg+xml',
    sniff: (bytes) => isSvg(textAt(bytes, 0, 4096)),
    unreadMetadata: ({ bytes }) => svgPartsLeft(bytes),
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
    unreadMetadata: ({ bytes }) => PNG_TEXTS.filter((type) => indexOfText(bytes, type) >= 0),
  },
  pnm: {
    name: 'PNM',
    contentType: 'image/x-portable-anymap',
    sniff: (bytes) => {
      const head = textAt(bytes, 0, 4096);
      return /^P[1-6]\s(?:\s|#[^\n]*\n)*\d/.test(head) || /^P7\s+WIDTH\s/.test(head);
    },
    unreadMetadata: ({ bytes }) => (hasPnmComment(textAt(bytes, 0, 4096)) ? ['a comment'] : []),
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

/** Before the numbers of the header are complete. */
function hasPnmComment(head: string): boolean {
  const isPam = head.startsWith('P7');
  return isPam ? head.split('ENDHDR')[0]?.includes('\n#') === true : /^P[1-6]\s+(?:\d+\s+){0,2}#/.test(head);
}

/** Of a format that holds metadata in places that are not read here. */
const UNREAD = ['metadata that is not read here'];

/** Chunks of metadata of the PNGs in an icon. */
const PNG_TEXTS = ['eXIf', 'tEXt', 'zTXt', 'iTXt'];

const JXL_PICTURE_BOXES = ['JXL ', 'ftyp', 'jxlc', 'jxlp', 'jxll', 'jxli'];

/** A JPEG XL without boxes is nothing but its picture. */
function jxlPartsLeft(bytes: Uint8Array): string[] {
  if (startsWith(bytes, '\xff\x0a')) return [];
  const boxes = readBoxes(bytes, 0, bytes.length);
  const others = boxes.filter(({ type }) => !JXL_PICTURE_BOXES.includes(type)).map(({ type }) => `box ${type.trim()}`);
  return boxes.at(-1)?.end === bytes.length ? others : UNREAD;
}

const SVG_METADATA = [
  [/<(?:\w{1,20}:)?metadata[\s>]/, 'a metadata element'],
  [/<rdf:RDF/, 'RDF'],
  [/<\?xpacket/, 'XMP'],
  [/<!--/, 'a comment'],
  [/\s(?:sodipodi|inkscape):/, 'the name and the view of the file in its editor'],
  [/data:image\//, 'an image in it'],
] as const;

function svgPartsLeft(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return SVG_METADATA.filter(([pattern]) => pattern.test(text)).map(([, name]) => name);
}
