import type { OutputFormat } from '../core/image-result.ts';
import { textAt } from './bytes.ts';
import { FORMATS } from './formats.ts';
import type { ImageFile } from './image-file.ts';
import { inspectImage, readMetadata } from './inspect-image.ts';
import { withoutThumbnail } from './metadata/exif.ts';
import type { MetadataPolicy, MetadataSource, MetadataTransfer } from './metadata/model.ts';
import { underPolicy, withIptcAsXmp } from './metadata/policy.ts';

/**
 * The output of an encoder with the metadata of its source, as far as the policy lets it through. A profile that
 * the encoder wrote stays; without one the output gets the source's, so its pixels must still be in that space.
 * @throws CorruptImageError when one of the two cannot be read
 */
export function applyMetadata(
  source: MetadataSource,
  output: ImageFile,
  outputFormat: OutputFormat,
  policy: MetadataPolicy,
  { orientation, isReshaped = false }: Pick<MetadataTransfer, 'orientation' | 'isReshaped'>,
): Uint8Array {
  const { turnsByProperty, holdsPhotoshop, writeMetadata } = FORMATS[outputFormat];
  const all = readMetadata(source);
  const found = holdsPhotoshop ? all : withIptcAsXmp(all);
  const own = readMetadata({ format: outputFormat, file: output });
  const icc = own.icc ?? fittingProfile(found.icc, source, output);
  const allowed = underPolicy(found, policy, turnsByProperty ? 1 : orientation);
  const exif = isReshaped && allowed.exif ? withoutThumbnail(allowed.exif) : allowed.exif;
  const transfer = { source, policy, orientation, isReshaped, ownsIcc: own.icc !== undefined };
  return writeMetadata(output, { ...allowed, exif, icc }, transfer);
}

/** A profile is for one kind of colours: it goes with an output of that kind, or of the kind it came with. */
function fittingProfile(icc: Uint8Array | undefined, source: MetadataSource, output: ImageFile) {
  if (!icc) return undefined;
  const kind = kindOfColour(output);
  const model = PROFILE_MODELS[textAt(icc, 16, 4)];
  return model === kind || kindOfColour(source.file) === kind ? icc : undefined;
}

const PROFILE_MODELS: Readonly<Record<string, string>> = { 'RGB ': 'rgb', GRAY: 'grey', CMYK: 'cmyk' };

function kindOfColour(file: ImageFile): string {
  const colour = inspectImage(file)?.colour ?? 'other';
  return colour === 'palette' ? 'rgb' : colour;
}
