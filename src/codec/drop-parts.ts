import type { ImageFacts } from '../core/recipe.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import type { DroppedParts, WantedParts } from './format.ts';
import { FORMATS } from './formats.ts';
import { ImageFile } from './image-file.ts';
import { inspectImage } from './inspect-image.ts';
import { type BytesOutcome, keptOutcome } from './outcome.ts';
import type { InspectedImage } from './task.ts';

/** An image as it goes through the encoders, and what was cut out of it before. */
export type PreparedImage = Readonly<{ image: InspectedImage; dropped: readonly string[] }>;

/**
 * The image without the parts that the settings drop: content credentials, data after its end, and the metadata of the
 * pictures in one file. They are cut out of the source, so everything after works as if they had never been there.
 */
export function dropParts(image: InspectedImage): PreparedImage {
  const { facts, settings } = image;
  const { metadata: policy, contentCredentials, trailingData } = settings;
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
  { image, dropped }: PreparedImage,
  original: InspectedImage,
): BytesOutcome {
  if (dropped.length === 0 || outcome.status === 'skipped' || outcome.status === 'failed') return outcome;
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
