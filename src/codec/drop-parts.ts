import { countOf } from '../core/readable.ts';
import type { ImageFacts } from '../core/recipe.ts';
import { joinBytes, sameBytes } from './bytes.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import type { DroppedParts, WantedParts } from './format.ts';
import { FORMATS } from './formats.ts';
import { ImageFile } from './image-file.ts';
import { inspectImage } from './inspect-image.ts';
import { type BytesOutcome, type CompressedBytes, type KeptBytes, keptOutcome } from './outcome.ts';
import type { InspectedImage } from './task.ts';

/** An image as it goes through the encoders, and what was cut out of it before. */
export type PreparedImage = Readonly<{
  image: InspectedImage;
  dropped: readonly string[];
  /** Unknown data after the end of the source, which goes behind an output of the same format. */
  tail?: Uint8Array;
}>;

/**
 * The image without the parts that the settings drop: content credentials, data after its end, and the metadata of the
 * pictures in one file. They are cut out of the source, so everything after works as if they had never been there.
 */
export function dropParts(image: InspectedImage): PreparedImage {
  const { facts, settings } = image;
  const { metadata: policy, contentCredentials, trailingData } = settings;
  const tail = policy === 'keep' && trailingData === 'keep' ? withoutTail(image) : undefined;
  if (tail) return tail;
  const isStripped = policy === 'strip';
  const cut = cutOut(image, {
    policy,
    credentials: isStripped || contentCredentials === 'drop',
    trailing: isStripped || trailingData === 'drop',
  });
  if (!cut) return { image, dropped: [] };
  const file = new ImageFile(cut.bytes);
  const left = inspectImage(file);
  if (!left || !isSamePicture(facts, left)) return { image, dropped: [] };
  // What was cleaned already goes through as it is.
  const metadata = cut.isClean ? 'keep' : policy;
  return { image: { ...image, source: file, facts: left, settings: { ...settings, metadata } }, dropped: cut.dropped };
}

/** The image up to its end, with the rest apart; undefined where there is none or it cannot be moved. */
function withoutTail(image: InspectedImage): PreparedImage | undefined {
  const { source, facts } = image;
  if (facts.trailingBytes === 0 || !FORMATS[facts.format].canCarryTail?.(source)) return undefined;
  const bytes = cutOut(image, { policy: 'keep', credentials: false, trailing: true })?.bytes;
  if (!bytes || !sameBytes(source.bytes.subarray(0, bytes.length), bytes)) return undefined;
  const file = new ImageFile(bytes);
  const left = inspectImage(file);
  if (!left || !isSamePicture(facts, left)) return undefined;
  return { image: { ...image, source: file, facts: left }, dropped: [], tail: source.bytes.subarray(bytes.length) };
}

function cutOut({ source, facts }: InspectedImage, wanted: WantedParts): DroppedParts | undefined {
  try {
    return FORMATS[facts.format].dropParts?.(source, wanted);
  } catch (error) {
    // A picture after the first one that cannot be read; the first may be whole.
    if (error instanceof CorruptImageError) return undefined;
    throw error;
  }
}

function isSamePicture(before: ImageFacts, after: ImageFacts): boolean {
  const names = [
    'format',
    'width',
    'height',
    'pages',
    'alpha',
    'icc',
    'orientation',
    'colour',
    'bitsPerChannel',
  ] as const;
  return names.every((name) => before[name] === after[name]);
}

/**
 * The outcome with what was dropped: a kept image then becomes its source without these parts. Nothing larger than the
 * original comes of it: a rewritten packet can take more bytes than the one it replaces.
 */
export function withDropped(
  outcome: BytesOutcome,
  { image, dropped, tail }: PreparedImage,
  original: InspectedImage,
): BytesOutcome {
  if (outcome.status === 'skipped' || outcome.status === 'failed') return outcome;
  if (dropped.length === 0) return withTail(outcome, original, tail);
  const names = dropped.join(' and ');
  const { length } = outcome.status === 'compressed' ? outcome.bytes : image.source.bytes;
  if (length >= original.source.bytes.length) return keptOutcome(original.facts.format, 'no-gain');
  if (outcome.status === 'compressed')
    return { ...outcome, detail: [outcome.detail, `without ${names}`].filter(Boolean).join('; ') };
  const { reason, detail, contentType } = outcome;
  return {
    status: 'compressed',
    bytes: image.source.bytes,
    contentType,
    encoding: { format: image.facts.format, lossless: true },
    detail: `only ${names} was removed (${[reason, detail].filter(Boolean).join(': ')})`,
  };
}

/** The outcome with unknown data after its end, byte for byte and counted, since it may be something hidden. */
function withTail(
  outcome: CompressedBytes | KeptBytes,
  { facts, settings }: InspectedImage,
  tail?: Uint8Array,
): BytesOutcome {
  const hiddenBytes = settings.metadata === 'keep' ? facts.trailingBytes : 0;
  if (outcome.status === 'kept') return hiddenBytes > 0 ? { ...outcome, hiddenBytes } : outcome;
  if (!tail) return outcome;
  if (outcome.encoding.format === facts.format)
    return { ...outcome, bytes: joinBytes(outcome.bytes, tail), hiddenBytes };
  const detail = `${countOf(hiddenBytes, 'byte')} after the end of the image have no place in another format`;
  return { ...keptOutcome(facts.format, 'trailing-data', detail), hiddenBytes };
}
