import type { NewChunk, Png } from './chunks.ts';

/**
 * Whether an ancillary chunk is as long as its kind is. Decoders ignore one that is not, or refuse the whole file.
 * @see https://www.w3.org/TR/png-3/#11Chunks
 */
export function hasItsLength({ type, payload }: NewChunk, { colourType }: Png['header']): boolean {
  const wanted = LENGTHS[type];
  const length = typeof wanted === 'object' ? wanted[colourType] : wanted;
  return length === undefined || payload.length === length;
}

/** In bytes; of some by the colour type. */
const LENGTHS: Readonly<Record<string, number | Readonly<Record<number, number>>>> = {
  cHRM: 32,
  gAMA: 4,
  sRGB: 1,
  cICP: 4,
  mDCV: 24,
  mDCv: 24,
  cLLI: 8,
  cLLi: 8,
  pHYs: 9,
  sTER: 1,
  tIME: 7,
  sBIT: { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 },
  bKGD: { 0: 2, 2: 6, 3: 1, 4: 2, 6: 6 },
  tRNS: { 0: 2, 2: 6 },
};
