import { textAt } from '../bytes.ts';
import { inspectImage } from '../inspect-image.ts';
import { writeAvifMetadata } from '../isobmff/metadata.ts';
import { writeJpegMetadata } from '../jpeg/metadata.ts';
import { writePngMetadata } from '../png/metadata.ts';
import { writeWebPMetadata } from '../webp/metadata.ts';
import { readMetadata } from './image-metadata.ts';
import type { ImageMetadata, MetadataPolicy, MetadataSource, MetadataTransfer } from './model.ts';
import { underPolicy, withIptcAsXmp } from './policy.ts';

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
  { orientation }: Pick<MetadataTransfer, 'orientation'>,
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

const WRITERS: Readonly<
  Record<Spliced, (output: Uint8Array, metadata: ImageMetadata, transfer: MetadataTransfer) => Uint8Array>
> = {
  jpeg: writeJpegMetadata,
  png: writePngMetadata,
  webp: writeWebPMetadata,
  avif: writeAvifMetadata,
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
