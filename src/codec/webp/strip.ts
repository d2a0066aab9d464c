import type { MetadataPart, MetadataPolicy, MetadataStripper, StripSource } from '../metadata/model.ts';
import { partWithPlainExif, underPolicy } from '../metadata/policy.ts';
import { readWebPMetadata, withWebPMetadata } from './metadata.ts';
import { PICTURES, readWebP, type WebP } from './riff.ts';

export const webpStripper: MetadataStripper = {
  parts: ({ file }) => partsOf(file.read(readWebP)),
  partsLeft: (image, policy) => partsOf(readWebP(strip(image, policy))),
  strip,
};

function strip({ file, orientation }: StripSource, policy: MetadataPolicy): Uint8Array {
  return withWebPMetadata(file, underPolicy(readWebPMetadata(file), policy, orientation));
}

function partsOf({ chunks }: WebP): MetadataPart[] {
  return chunks.filter(({ type }) => type !== 'VP8X' && !PICTURES.has(type)).map(partWithPlainExif);
}
