import { byteAt, joinBytes, sameBytes, uint16, uint16At } from '../bytes.ts';
import { chunkKind } from './chunk-kinds.ts';
import { findChunk, type NewChunk, type Png } from './chunks.ts';

/** How pixels are written down, which the values of some chunks depend on. */
export interface PngPixelFormat {
  readonly colourType: number;
  readonly bitDepth: number;
  readonly palette?: Uint8Array;
}

export function pixelFormatOf(png: Png): PngPixelFormat {
  const { colourType, bitDepth } = png.header;
  return { colourType, bitDepth, palette: findChunk(png, 'PLTE')?.payload };
}

/** The chunk as it reads in the target's pixel format; undefined where that cannot express it. */
export function fitChunk(chunk: NewChunk, own: PngPixelFormat, target: PngPixelFormat): NewChunk | undefined {
  const { type, payload } = chunk;
  if (!chunkKind(type)?.inColourType || isSameFormat(own, target)) return chunk;
  const value = FITTERS[type]?.(payload, own, target);
  return value && { type, payload: value };
}

type FitValue = (payload: Uint8Array, own: PngPixelFormat, target: PngPixelFormat) => Uint8Array | undefined;

// A histogram of the old palette (hIST) fits no other.
const FITTERS: Readonly<Record<string, FitValue>> = { bKGD: fitBackground, sBIT: fitSignificantBits };

function isSameFormat(own: PngPixelFormat, target: PngPixelFormat): boolean {
  if (target.colourType !== own.colourType || target.bitDepth !== own.bitDepth) return false;
  if (!own.palette || !target.palette) return own.palette === target.palette;
  return sameBytes(own.palette, target.palette);
}

function isColour({ colourType }: PngPixelFormat): boolean {
  return (colourType & 2) !== 0;
}

function hasAlpha({ colourType }: PngPixelFormat): boolean {
  return (colourType & 4) !== 0;
}

/** Bits of a decoded sample: an entry of a palette has eight. */
function sampleDepth({ colourType, bitDepth }: PngPixelFormat): number {
  return colourType === 3 ? 8 : bitDepth;
}

type Rgb = readonly [red: number, green: number, blue: number];

function fitBackground(
  payload: Uint8Array,
  own: PngPixelFormat,
  target: PngPixelFormat,
): Uint8Array | undefined {
  const colour = readBackground(payload, own);
  if (!colour) return undefined;
  const [from, to] = [2 ** sampleDepth(own) - 1, 2 ** sampleDepth(target) - 1];
  const scaled = (sample: number) => (sample * to) / from;
  const [red, green, blue] = colour;
  const fitted: Rgb = [scaled(red), scaled(green), scaled(blue)];
  return fitted.every(Number.isInteger) ? writeBackground(fitted, target) : undefined;
}

function readBackground(payload: Uint8Array, own: PngPixelFormat): Rgb | undefined {
  if (own.colourType === 3) {
    const at = (payload[0] ?? 256) * 3;
    const [red, green, blue] = own.palette?.subarray(at, at + 3) ?? [];
    return red === undefined || green === undefined || blue === undefined ? undefined : [red, green, blue];
  }
  const step = isColour(own) ? 2 : 0;
  if (payload.length < 2 + 2 * step) return undefined;
  return [uint16At(payload, 0), uint16At(payload, step), uint16At(payload, 2 * step)];
}

function writeBackground(colour: Rgb, target: PngPixelFormat): Uint8Array | undefined {
  const [red, green, blue] = colour;
  if (target.colourType === 3) return paletteIndex(colour, target.palette);
  if (isColour(target)) return joinBytes(uint16(red), uint16(green), uint16(blue));
  return red === green && green === blue ? uint16(red) : undefined;
}

function paletteIndex([red, green, blue]: Rgb, palette?: Uint8Array): Uint8Array | undefined {
  for (let at = 0; palette && at + 3 <= palette.length; at += 3) {
    if (palette[at] === red && palette[at + 1] === green && palette[at + 2] === blue)
      return Uint8Array.of(at / 3);
  }
  return undefined;
}

function fitSignificantBits(
  payload: Uint8Array,
  own: PngPixelFormat,
  target: PngPixelFormat,
): Uint8Array | undefined {
  const colours = payload.subarray(0, isColour(own) ? 3 : 1);
  const alpha = payload.subarray(colours.length, colours.length + (hasAlpha(own) ? 1 : 0));
  if (colours.length + alpha.length !== payload.length) return undefined;
  const first = byteAt(colours, 0);
  if (!isColour(target) && colours.some((bits) => bits !== first)) return undefined;
  const depth = sampleDepth(target);
  const wanted = isColour(target) ? [0, 1, 2].map((index) => colours[index] ?? first) : [first];
  const all = [...wanted, ...(hasAlpha(target) ? [alpha[0] ?? depth] : [])];
  return Uint8Array.from(all.map((bits) => Math.min(bits, depth)));
}
