import type { MetadataPart, MetadataPolicy, MetadataStripper, StripSource } from '../metadata/model.ts';
import { partWithPlainExif, underPolicy } from '../metadata/policy.ts';
import { readWebPMetadata, withWebPMetadata } from './metadata.ts';
import { PICTURES, readWebP } from './riff.ts';

export const webpStripper: MetadataStripper = {
  parts: ({ bytes }) => partsOf(bytes),
  partsLeft: (image, policy) => partsOf(strip(image, policy)),
  strip,
};

function strip({ bytes, orientation }: StripSource, policy: MetadataPolicy): Uint8Array {
  return withWebPMetadata(bytes, underPolicy(readWebPMetadata(bytes), policy, orientation));
}

function partsOf(webp: Uint8Array): MetadataPart[] {
  return readWebP(webp)
    .chunks.filter(({ type }) => type !== 'VP8X' && !PICTURES.has(type))
    .map(partWithPlainExif);
}
