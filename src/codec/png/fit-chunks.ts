import { byteAt, joinBytes, sameBytes, uint16, uint16At } from '../bytes.ts';
import { chunkKind } from './chunk-kinds.ts';
import { findChunk, type NewChunk, type Png } from './chunks.ts';

/** How pixels are written down, which the values of some chunks depend on. */
export type PngPixelFormat = Readonly<{ colourType: number; bitDepth: number; palette?: Uint8Array }>;

export function pixelFormatOf(png: Png): PngPixelFormat {
  const { colourType, bitDepth } = png.header;
  return { colourType, bitDepth, palette: findChunk(png, 'PLTE')?.payload };
}

/** The chunk as it reads in the target's pixel format; undefined where that cannot express it. */
export function fitChunk(chunk: NewChunk, own: PngPixelFormat, target: PngPixelFormat): NewChunk | undefined {
  const { type } = chunk;
  if (!chunkKind(type)?.inColourType || isSameFormat(own, target)) return chunk;
  const payload = FITTERS[type]?.(chunk.payload, own, target);
  return payload && { type, payload };
}

function isSameFormat(own: PngPixelFormat, target: PngPixelFormat): boolean {
  if (target.colourType !== own.colourType || target.bitDepth !== own.bitDepth) return false;
  if (!own.palette || !target.palette) return own.palette === target.palette;
  return sameBytes(own.palette, target.palette);
}

const isColour = ({ colourType }: PngPixelFormat) => (colourType & 2) !== 0;
const hasAlpha = ({ colourType }: PngPixelFormat) => (colourType & 4) !== 0;

/** Bits of a decoded sample: an entry of a palette has eight. */
function sampleDepth({ colourType, bitDepth }: PngPixelFormat): number {
  return colourType === 3 ? 8 : bitDepth;
}

type Fit = (payload: Uint8Array, own: PngPixelFormat, target: PngPixelFormat) => Uint8Array | undefined;

const fitBackground: Fit = (payload, own, target) => {
  const [from, to] = [2 ** sampleDepth(own) - 1, 2 ** sampleDepth(target) - 1];
  const colour = readBackground(payload, own)?.map((sample) => (sample * to) / from);
  return colour?.every(Number.isInteger) ? writeBackground(colour, target) : undefined;
};

/** Red, green and blue. */
function readBackground(payload: Uint8Array, own: PngPixelFormat): number[] | undefined {
  if (own.colourType === 3) {
    const at = (payload[0] ?? 256) * 3;
    const colour = [...(own.palette?.subarray(at, at + 3) ?? [])];
    return colour.length === 3 ? colour : undefined;
  }
  const step = isColour(own) ? 2 : 0;
  if (payload.length < 2 + 2 * step) return undefined;
  return [0, step, 2 * step].map((at) => uint16At(payload, at));
}

function writeBackground(colour: readonly number[], target: PngPixelFormat): Uint8Array | undefined {
  if (target.colourType === 3) return paletteIndex(colour, target.palette);
  const samples = colour.map((sample) => uint16(sample));
  if (isColour(target)) return joinBytes(...samples);
  return colour.every((sample) => sample === colour[0]) ? samples[0] : undefined;
}

function paletteIndex(colour: readonly number[], palette?: Uint8Array): Uint8Array | undefined {
  for (let at = 0; palette && at + 3 <= palette.length; at += 3) {
    if (colour.every((sample, index) => sample === palette[at + index])) return Uint8Array.of(at / 3);
  }
  return undefined;
}

const fitSignificantBits: Fit = (payload, own, target) => {
  const colours = payload.subarray(0, isColour(own) ? 3 : 1);
  const alpha = payload.subarray(colours.length, colours.length + (hasAlpha(own) ? 1 : 0));
  if (colours.length + alpha.length !== payload.length) return undefined;
  const first = byteAt(colours, 0);
  if (!isColour(target) && colours.some((bits) => bits !== first)) return undefined;
  const depth = sampleDepth(target);
  const wanted = isColour(target) ? [0, 1, 2].map((index) => colours[index] ?? first) : [first];
  const all = [...wanted, ...(hasAlpha(target) ? [alpha[0] ?? depth] : [])];
  return Uint8Array.from(all.map((bits) => Math.min(bits, depth)));
};

// A histogram of the old palette (hIST) fits no other.
const FITTERS: Readonly<Record<string, Fit>> = { bKGD: fitBackground, sBIT: fitSignificantBits };
