import { joinAll, joinBytes, uint32At } from '../bytes.ts';
import { findChunk, type Png, type PngChunk, readPng, writePng } from './chunks.ts';
import type { PngPicture } from './rows.ts';

/** Frames of an animation, 0 of a still. */
export function countFrames(png: Png): number {
  return findChunk(png, 'acTL') ? png.chunks.filter(({ type }) => type === 'fcTL').length : 0;
}

/**
 * Why viewers may not show the animation: then they show the still picture. A decoder allocates memory for a whole
 * frame, so each must be present and within the picture.
 */
export function findAnimationDoubt(png: Png): string | undefined {
  const controls = png.chunks.filter(({ type }) => type === 'fcTL');
  const outside = controls.find(({ payload }) => !isWithin(png.header, payload));
  if (outside) return `the frame at byte ${outside.at} is not within the picture`;
  const animation = findChunk(png, 'acTL')?.payload;
  if (!animation) return undefined;
  if (animation.length !== 8) return `the header of its animation (acTL) has ${animation.length} bytes instead of 8`;
  const announced = uint32At(animation, 0);
  return announced > controls.length
    ? `it has ${controls.length} of the ${announced} frames of its animation`
    : undefined;
}

function isWithin({ width, height }: Png['header'], control: Uint8Array): boolean {
  if (control.length !== 26) return false;
  const [frameWidth, frameHeight] = [uint32At(control, 4), uint32At(control, 8)];
  const [left, top] = [uint32At(control, 12), uint32At(control, 16)];
  return left + frameWidth <= width && top + frameHeight <= height;
}

/**
 * The frames of an animated PNG, none when it is a still: each alone as a PNG of its own, in its own size, and where and
 * how long it is shown (fcTL without its sequence number).
 */
export function apngFrames(bytes: Uint8Array): Readonly<Record<'png' | 'control', Uint8Array>>[] {
  const png = readPng(bytes);
  const { chunks } = png;
  const header = findChunk(png, 'IHDR')?.payload;
  if (!header || !findChunk(png, 'acTL')) return [];
  const shared = chunks.filter(({ type }) => type === 'PLTE' || type === 'tRNS');
  const frames: { control: Uint8Array; parts: Uint8Array[] }[] = [];
  for (const { type, payload } of chunks) {
    if (type === 'fcTL' && payload.length === 26) frames.push({ control: payload, parts: [] });
    else if (type === 'IDAT') frames.at(-1)?.parts.push(payload);
    else if (type === 'fdAT') frames.at(-1)?.parts.push(payload.subarray(4));
  }
  return frames.map(({ control, parts }) => {
    const whole = [
      { type: 'IHDR', payload: joinBytes(control.subarray(4, 12), header.subarray(8)) },
      ...shared,
      { type: 'IDAT', payload: joinAll(parts) },
      { type: 'IEND', payload: new Uint8Array() },
    ];
    return { png: writePng(whole), control: control.subarray(4) };
  });
}

/** One picture of a PNG: the still, or a frame with its own size. */
export interface CodedPicture extends Omit<PngPicture, 'colours'> {
  /** Offset of its first chunk of data. */
  readonly at: number;
  readonly parts: readonly Uint8Array[];
}

/** The still picture, and after it each frame that has data of its own; only these where there is no acTL. */
export function codedPictures({ header, chunks }: Png): CodedPicture[] {
  const first = chunks.findIndex(({ type }) => type === 'IDAT');
  const still = chunks.slice(first, first + lengthOfRun(chunks, first));
  const pictures = [{ ...header, at: chunks[first]?.at ?? 0, parts: still.map(({ payload }) => payload) }];
  if (!chunks.some(({ type }) => type === 'acTL')) return pictures;
  for (const { type, payload, at } of chunks) {
    if (type === 'fcTL') {
      const [width, height] = [uint32At(payload, 4), uint32At(payload, 8)];
      pictures.push({ ...header, width, height, at, parts: [] });
    }
    if (type === 'fdAT') pictures.at(-1)?.parts.push(payload.subarray(4));
  }
  return pictures.filter(({ parts }) => parts.length > 0);
}

/** Decoders stop at the first other chunk: IDAT chunks belong together only where they follow each other. */
export function lengthOfRun(chunks: readonly PngChunk[], first: number): number {
  const length = chunks.slice(first).findIndex(({ type }) => type !== 'IDAT');
  return length < 0 ? chunks.length - first : length;
}

type FrameFault = { readonly fault: string; readonly at: number } | undefined;

/** The first chunk of an animation that is out of order or lacks data. Decoders of stills do not notice. */
export function findFrameFault(chunks: readonly PngChunk[]): FrameFault {
  const first = chunks.findIndex(({ type }) => type === 'acTL');
  const animation = first < 0 ? [] : chunks.slice(first);
  const [number, order] = [findNumberFault(animation), findOrderFault(animation)];
  return number && (!order || number.at <= order.at) ? number : order;
}

/** Control and data chunks are numbered together, from 0. */
function findNumberFault(animation: readonly PngChunk[]): FrameFault {
  const numbered = animation.filter(({ type }) => type === 'fcTL' || type === 'fdAT');
  for (const [sequence, { payload, at }] of numbered.entries()) {
    const number = payload.length >= 4 ? uint32At(payload, 0) : undefined;
    if (number !== sequence) return { fault: `Expected number ${sequence} of the animation but found ${number}`, at };
  }
  return undefined;
}

function findOrderFault(animation: readonly PngChunk[]): FrameFault {
  let state: FrameState = 'none';
  for (const { type, at } of animation) {
    const next: Transition = TRANSITIONS[state][type] ?? state;
    if (next === 'no data') return { fault: 'Expected the data of a frame but found none', at };
    if (next === 'no control') return { fault: 'Expected the control chunk of a frame but found its data', at };
    state = next;
  }
  return undefined;
}

/** What the current frame has so far, and from which kind of chunk. */
type FrameState = 'none' | 'begun' | 'has IDAT' | 'has fdAT';
type Transition = FrameState | 'no data' | 'no control';

const TRANSITIONS: Readonly<Record<FrameState, Readonly<Record<string, Transition>>>> = {
  none: { fcTL: 'begun', fdAT: 'no control' },
  begun: { fcTL: 'no data', IDAT: 'has IDAT', fdAT: 'has fdAT', IEND: 'no data' },
  'has IDAT': { fcTL: 'begun', fdAT: 'no control' },
  'has fdAT': { fcTL: 'begun' },
};
