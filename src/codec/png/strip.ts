import type { MetadataPolicy, MetadataStripper } from '../metadata/model.ts';
import { partWithPlainExif } from '../metadata/policy.ts';
import { type Png, readPng } from './chunks.ts';
import { pixelFormatOf } from './fit-chunks.ts';
import { chunksOfCopy, isMetadataChunk } from './metadata.ts';
import { assemblePng, isUnderstood } from './recompress.ts';

export const pngStripper: MetadataStripper = {
  parts: ({ file }) => file.read(readPng).chunks.filter(isMetadataChunk).map(partWithPlainExif),
  partsLeft: ({ file, orientation }, policy) =>
    Object.values(chunksLeft(file.read(readPng), policy, orientation)).flat(),
  strip: ({ file, orientation }, policy) => {
    const png = file.read(readPng);
    return isUnderstood(png) ? assemblePng(png, chunksLeft(png, policy, orientation)) : undefined;
  },
};

function chunksLeft(png: Png, policy: MetadataPolicy, orientation: number) {
  return chunksOfCopy(png, pixelFormatOf(png), policy, orientation) ?? { before: [], after: [] };
}
