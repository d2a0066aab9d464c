import type { MetadataPolicy, MetadataStripper } from '../metadata/model.ts';
import { partWithPlainExif } from '../metadata/policy.ts';
import { type Png, readPng } from './chunks.ts';
import { pixelFormatOf } from './fit-chunks.ts';
import { chunksOfCopy, isMetadataChunk } from './metadata.ts';
import { assemblePng, isUnderstood } from './recompress.ts';

export const pngStripper: MetadataStripper = {
  parts: ({ bytes }) => readPng(bytes).chunks.filter(isMetadataChunk).map(partWithPlainExif),
  partsLeft: ({ bytes, orientation }, policy) => Object.values(chunksLeft(readPng(bytes), policy, orientation)).flat(),
  strip: ({ bytes, orientation }, policy) => {
    const png = readPng(bytes);
    return isUnderstood(png) ? assemblePng(png, chunksLeft(png, policy, orientation)) : undefined;
  },
};

function chunksLeft(png: Png, policy: MetadataPolicy, orientation: number) {
  return chunksOfCopy(png, pixelFormatOf(png), policy, orientation) ?? { before: [], after: [] };
}
