import type { ImageFacts } from '../../core/recipe.ts';
import { indexOfText } from '../bytes.ts';
import { readMultiPicture } from './multi-picture.ts';
import {
  chromaSubsampling,
  isProgressive,
  type Jpeg,
  quantisationTables,
  readJpeg,
  readJpegOrientation,
} from './segments.ts';
import { estimateSourceQuality } from './source-quality.ts';

const JPEG_COLOURS: Readonly<Record<number, ImageFacts['colour']>> = { 1: 'grey', 3: 'rgb', 4: 'cmyk' };

/** @throws CorruptImageError when no frame header can be reached */
export function inspectJpeg(bytes: Uint8Array): Partial<ImageFacts> {
  const jpeg = readJpeg(bytes);
  const { frame, segments } = jpeg;
  const channels = frame.components.length;
  const pictures = readMultiPicture(jpeg);
  return {
    width: frame.width,
    height: frame.height,
    channels,
    bitsPerChannel: frame.bits,
    colour: JPEG_COLOURS[channels] ?? 'other',
    icc: segments.some(({ kind }) => kind === 'icc'),
    orientation: readJpegOrientation(jpeg),
    progressive: isProgressive(frame),
    separateScans: hasSeparateScans(jpeg) || undefined,
    sourceQuality: estimateSourceQuality(quantisationTables(jpeg)),
    chromaSubsampling: chromaSubsampling(frame),
    lossless: (frame.marker & 3) === 3,
    arithmetic: frame.marker > 0xc8 || undefined,
    gainMap: pictures.gainMap,
    multiPicture: pictures.count > 1,
    trailingParts: pictures.trailingParts,
    contentCredentials: segments.some(
      ({ kind, payload }) => kind === 'jumbf' && indexOfText(payload, 'c2pa') >= 0,
    ),
    trailingBytes: pictures.unknownTrailingBytes,
  };
}

function hasSeparateScans({ frame, segments }: Jpeg): boolean {
  const scan = segments.find(({ marker }) => marker === 0xda);
  return scan !== undefined && (scan.payload[0] ?? 0) < frame.components.length;
}
