import type { ImageFormat } from '../../core/image-result.ts';
import { startsWith, textAt } from '../bytes.ts';
import { inspectImage } from '../inspect-image.ts';
import { withIsoMetadata } from '../isobmff/metadata.ts';
import { jfifHeader, metadataSegments, type NewSegment, segmentsOfSource } from '../jpeg/metadata.ts';
import { readJpeg, writeJpeg } from '../jpeg/segments.ts';
import { iccChunk, readPng, writePng, xmpChunk } from '../png/chunks.ts';
import { chunksOfCopy, type NewChunk, natureOf } from '../png/metadata.ts';
import { foreignChunks, readWebP, withWebPMetadata } from '../webp/riff.ts';
import {
  type ImageMetadata,
  type MetadataPolicy,
  readMetadata,
  underPolicy,
  withIptcAsXmp,
} from './image-metadata.ts';

export interface MetadataSource {
  readonly format: ImageFormat;
  readonly bytes: Uint8Array;
}

export interface OutputNature {
  /** How the output's pixels are to be turned for viewing: 1 when they were turned upright. */
  readonly orientation: number;
}

type Spliced = 'jpeg' | 'png' | 'webp' | 'avif';

/**
 * The output of an encoder with the metadata of its source, as far as the policy lets it through. A profile that
 * the encoder wrote stands; without one the output gets the source's, so its pixels must still be in that space.
 * Throws CorruptImageError when one of the two cannot be read.
 */
export function applyMetadata(
  source: MetadataSource,
  output: Uint8Array,
  outputFormat: Spliced,
  policy: MetadataPolicy,
  { orientation }: OutputNature,
): Uint8Array {
  const shown = outputFormat === 'avif' ? 1 : orientation;
  const all = readMetadata(source.format, source.bytes);
  const found = outputFormat === 'jpeg' ? all : withIptcAsXmp(all);
  const own = readMetadata(outputFormat, output);
  const icc = own.icc ?? fittingProfile(found.icc, source, output);
  const metadata = { ...underPolicy(found, policy, shown), icc };
  return WRITERS[outputFormat](output, metadata, {
    source,
    policy,
    orientation,
    ownsIcc: own.icc !== undefined,
  });
}

interface Splice extends OutputNature {
  readonly source: MetadataSource;
  readonly policy: MetadataPolicy;
  /** The encoder wrote a profile by itself. */
  readonly ownsIcc: boolean;
}

const WRITERS: Readonly<
  Record<Spliced, (output: Uint8Array, metadata: ImageMetadata, splice: Splice) => Uint8Array>
> = {
  jpeg: writeJpegOutput,
  png: writePngOutput,
  webp: writeWebPOutput,
  // A viewer of AVIF goes by the properties irot and imir alone, so EXIF says 1 beside them.
  avif: (output, metadata, { orientation, ownsIcc }) =>
    withIsoMetadata(output, {
      exif: metadata.exif,
      xmp: metadata.xmp,
      icc: ownsIcc ? undefined : metadata.icc,
      orientation,
    }),
};

/** A profile speaks of one kind of colours: it goes with an output of that kind, or of the kind it came with. */
function fittingProfile(
  icc: Uint8Array | undefined,
  source: MetadataSource,
  output: Uint8Array,
): Uint8Array | undefined {
  if (!icc) return undefined;
  const kind = kindOfColour(output);
  const model = PROFILE_MODELS[textAt(icc, 16, 4)];
  return model === kind || kindOfColour(source.bytes) === kind ? icc : undefined;
}

const PROFILE_MODELS: Readonly<Record<string, string>> = { 'RGB ': 'rgb', GRAY: 'grey', CMYK: 'cmyk' };

function kindOfColour(bytes: Uint8Array): string {
  const colour = inspectImage(bytes)?.colour ?? 'other';
  return colour === 'palette' ? 'rgb' : colour;
}

function writeJpegOutput(output: Uint8Array, metadata: ImageMetadata, splice: Splice): Uint8Array {
  const { source, ownsIcc } = splice;
  const jpeg = readJpeg(output);
  const allowed = { ...metadata, icc: ownsIcc ? undefined : metadata.icc };
  const carried = source.format === 'jpeg' ? segmentsFromJpeg(allowed, splice) : metadataSegments(allowed);
  const isJfif = ({ marker, payload }: NewSegment) => marker === 0xe0 && startsWith(payload, 'JFIF\0');
  const ownHeader = jpeg.segments.filter((segment) => isJfif(segment) && !carried.some(isJfif));
  const own = jpeg.segments.filter(({ kind }) => kind === 'adobe' || kind === 'icc');
  const first = jpeg.segments.find(({ kind }) => kind === 'coding')!;
  return writeJpeg([...ownHeader, ...carried, ...own], [output.subarray(first.at, jpeg.end)]);
}

function segmentsFromJpeg(
  metadata: ImageMetadata,
  { source, policy, orientation }: Splice,
): readonly NewSegment[] {
  const jpeg = readJpeg(source.bytes);
  if (policy === 'keep') return segmentsOfSource(jpeg, orientation, metadata.icc !== undefined);
  return [...jfifHeader(jpeg.segments), ...metadataSegments(metadata)];
}

function writeWebPOutput(
  output: Uint8Array,
  metadata: ImageMetadata,
  { source, policy }: Splice,
): Uint8Array {
  const carriesAll = policy === 'keep' && source.format === 'webp';
  const foreign = carriesAll ? foreignChunks(readWebP(source.bytes)) : [];
  return withWebPMetadata(output, { ...metadata, foreign });
}

function writePngOutput(output: Uint8Array, metadata: ImageMetadata, splice: Splice): Uint8Array {
  const png = readPng(output);
  const [header, ...rest] = png.chunks;
  const added =
    splice.source.format === 'png' ? chunksFromPng(png, splice) : chunksFromOther(metadata, splice);
  return writePng([header!, ...added, ...rest]);
}

function chunksFromOther({ exif, xmp, icc }: ImageMetadata, { ownsIcc }: Splice): NewChunk[] {
  return [
    ...(icc && !ownsIcc ? [iccChunk(icc)] : []),
    ...(exif ? [{ type: 'eXIf', payload: exif }] : []),
    ...(xmp ? [xmpChunk(xmp)] : []),
  ];
}

const COLOUR_CHUNKS: ReadonlySet<string> = new Set(['iCCP', 'sRGB', 'gAMA', 'cHRM', 'cICP', 'mDCV', 'cLLI']);
// They describe pixels that were encoded anew, and stand behind the palette, where the output has its own.
const OF_OLD_PIXELS: ReadonlySet<string> = new Set(['bKGD', 'hIST', 'sBIT']);

function chunksFromPng(
  output: ReturnType<typeof readPng>,
  { source, policy, orientation, ownsIcc }: Splice,
): NewChunk[] {
  const from = readPng(source.bytes);
  const plain = { ...from, chunks: from.chunks.filter(({ type }) => !OF_OLD_PIXELS.has(type)) };
  const { before, after } = chunksOfCopy(plain, natureOf(output), policy, orientation)!;
  const present = new Set(output.chunks.map(({ type }) => type));
  return [...before, ...after].filter(
    ({ type }) => !(ownsIcc && COLOUR_CHUNKS.has(type)) && !(present.has(type) && type !== 'tEXt'),
  );
}
