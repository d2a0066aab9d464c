import type { ImageFacts } from '../../core/recipe.ts';
import { indexOfText } from '../bytes.ts';
import type { ImageFile } from '../image-file.ts';
import { hasProfile } from './metadata.ts';
import { readMultiPicture } from './multi-picture.ts';
import { DNL, isProgressive, type Jpeg, type JpegFrame, readJpeg, readJpegOrientation, SOS } from './segments.ts';
import { estimateSourceQuality, quantisationTables } from './source-quality.ts';

const JPEG_COLOURS: Readonly<Record<number, ImageFacts['colour']>> = { 1: 'grey', 3: 'rgb', 4: 'cmyk' };

/** @throws CorruptImageError when no frame header can be reached */
export function inspectJpeg(file: ImageFile): Partial<ImageFacts> {
  const jpeg = file.read(readJpeg);
  const { frame, segments } = jpeg;
  const channels = frame.components.length;
  const pictures = readMultiPicture(jpeg);
  return {
    width: frame.width,
    height: frame.height,
    channels,
    bitsPerChannel: frame.bits,
    colour: JPEG_COLOURS[channels] ?? 'other',
    icc: hasProfile(jpeg),
    orientation: readJpegOrientation(jpeg),
    progressive: isProgressive(frame),
    separateScans: hasSeparateScans(jpeg) || undefined,
    sourceQuality: estimateSourceQuality(quantisationTables(jpeg)),
    chromaSubsampling: chromaSubsampling(frame),
    lossless: (frame.marker & 3) === 3,
    lateHeight: segments.some(({ marker }) => marker === DNL) || undefined,
    arithmetic: frame.marker > 0xc8 || undefined,
    gainMap: pictures.gainMap,
    multiPicture: pictures.count > 1,
    trailingParts: pictures.trailingParts,
    contentCredentials: segments.some(({ kind, payload }) => kind === 'jumbf' && indexOfText(payload, 'c2pa') >= 0),
    trailingBytes: pictures.unknownTrailingBytes,
  };
}

function hasSeparateScans({ frame, segments }: Jpeg): boolean {
  const scan = segments.find(({ marker }) => marker === SOS);
  return scan !== undefined && (scan.payload[0] ?? 0) < frame.components.length;
}

/** `4:2:0` and so on; undefined for grey. */
function chromaSubsampling({ components }: JpegFrame): string | undefined {
  const [luma, chroma] = components;
  if (!luma || !chroma || components.length < 3) return undefined;
  const ratio = `${luma.horizontal / chroma.horizontal}x${luma.vertical / chroma.vertical}`;
  return SUBSAMPLINGS[ratio] ?? ratio;
}

const SUBSAMPLINGS: Readonly<Record<string, string>> = {
  '1x1': '4:4:4',
  '2x1': '4:2:2',
  '2x2': '4:2:0',
  '1x2': '4:4:0',
  '4x1': '4:1:1',
  '4x2': '4:1:0',
};
