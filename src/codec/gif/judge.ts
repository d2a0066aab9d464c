import type { ImageFacts } from '../../core/recipe.ts';
import { byteAt, uint16At } from '../bytes.ts';
import { EngineError, fromEngine, openImage } from '../engines.ts';
import type { ImageFile } from '../image-file.ts';
import { damaged, unproven, type Verdict, WHOLE } from '../verdict.ts';
import { EXTENSION, type GifBlock, IMAGE, readBlocks, readGif, sizeOfFrame, TRAILER, tableLength } from './blocks.ts';
import { PixelCounter } from './lzw.ts';

/** A GIF is whole when its blocks follow each other up to the trailer and each frame has codes for all its pixels. */
export async function judgeGif(file: ImageFile, facts: ImageFacts): Promise<Verdict> {
  const verdict = judgeBlocks(file);
  if (verdict.is === 'damaged' || verdict.is === 'unproven') return verdict;
  return (await hasSizeInDecoder(file.bytes, facts)) ? verdict : unproven(SIZE_DISPUTED);
}

const SIZE_DISPUTED = 'decoders disagree about the size of its screen';

/** libvips goes by the frames where it does not believe the screen. */
async function hasSizeInDecoder(bytes: Uint8Array, { width, height, pages }: ImageFacts): Promise<boolean> {
  try {
    const found = await fromEngine(openImage(bytes, { pages }, 'none').metadata());
    return found.width === width && (found.pageHeight ?? found.height) === height;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}

function judgeBlocks(file: ImageFile): Verdict {
  const { bytes } = file;
  const frames: FrameReading[] = [];
  const counter = new PixelCounter();
  let control: number | undefined;
  let end = 13 + tableLength(byteAt(bytes, 10));
  let kind = 0;
  for (const block of readBlocks(bytes)) {
    ({ kind, end } = block);
    if (kind === EXTENSION) control = transparentIndex(bytes, block) ?? control;
    if (kind !== IMAGE) continue;
    const frame = readFrame(bytes, block, counter, control);
    if (frame.fault) return damaged(frame.fault);
    frames.push(frame);
    control = undefined;
  }
  if (frames.length === 0) return damaged('Expected a picture in the GIF but found none');
  return kind === TRAILER ? judgeFrames(file, frames) : judgeEnd(file, end, frames);
}

interface FrameReading {
  readonly fault?: string;
  readonly isEmpty: boolean;
  /** It uses a colour that its table does not have. */
  readonly lacksColours: boolean;
  readonly isOutside: boolean;
}

function readFrame(bytes: Uint8Array, block: GifBlock, counter: PixelCounter, transparent = -1): FrameReading {
  const { at, dataAt } = block;
  const { width, height } = sizeOfFrame(bytes, at);
  const used = new Uint8Array(2048);
  const { count, undefinedCode } = counter.count(bytes, dataAt, width * height, used);
  const what = undefinedCode ? 'an undefined code follows' : 'its codes end';
  const fault =
    count < width * height
      ? `Expected ${width} x ${height} pixels in the frame at byte ${at} but ${what} after ${count}`
      : undefined;
  const local = byteAt(bytes, at + 9);
  const colours = tableLength(local) || tableLength(byteAt(bytes, 10));
  const highest = used.findLastIndex((isUsed, index) => isUsed === 1 && index !== transparent);
  const [screenWidth, screenHeight] = [uint16At(bytes, 6, true), uint16At(bytes, 8, true)];
  const [right, bottom] = [uint16At(bytes, at + 1, true) + width, uint16At(bytes, at + 3, true) + height];
  return {
    fault,
    isEmpty: width * height === 0,
    lacksColours: highest * 3 >= colours,
    isOutside: right > screenWidth || bottom > screenHeight,
  };
}

/** The index that is transparent in the next frame, by its graphic control extension. */
function transparentIndex(bytes: Uint8Array, { at }: GifBlock): number | undefined {
  const isControl = byteAt(bytes, at + 1) === 0xf9 && byteAt(bytes, at + 2) === 4;
  return isControl && byteAt(bytes, at + 3) & 1 ? byteAt(bytes, at + 6) : undefined;
}

function judgeFrames({ bytes }: ImageFile, frames: readonly FrameReading[]): Verdict {
  const [number, count] = [(index: number) => index + 1, frames.length];
  const empty = frames.findIndex(({ isEmpty }) => isEmpty);
  if (empty >= 0) return damaged(`Expected pixels in frame ${number(empty)} of ${count} but it has none`);
  const colourless = frames.findIndex(({ lacksColours }) => lacksColours);
  if (colourless >= 0)
    return unproven(`frame ${number(colourless)} of ${count} uses colours that its table does not have`);
  const outside = frames.findIndex(({ isOutside }) => isOutside);
  if (outside < 0) return WHOLE;
  if (uint16At(bytes, 6, true) === 0 || uint16At(bytes, 8, true) === 0) return unproven('its screen has no size');
  const screen = `${uint16At(bytes, 6, true)} x ${uint16At(bytes, 8, true)}`;
  // Some decoders enlarge the picture, others cut the frame, or refuse the file.
  return unproven(`frame ${number(outside)} of ${count} reaches beyond the screen of ${screen}`);
}

/** Of a file without a trailer: the one frame of a still is the whole picture, but an animation may have had more. */
function judgeEnd(file: ImageFile, end: number, frames: readonly FrameReading[]): Verdict {
  const { bytes } = file;
  if (end < bytes.length)
    return damaged(
      `Expected a block or the trailer of the GIF at byte ${end} but found 0x${byteAt(bytes, end).toString(16)}`,
    );
  // The sub-block of no length that ends the codes may be missing as well, but nothing more.
  if (end > bytes.length + 1)
    return damaged('Expected the end of a block and the trailer of the GIF but the file ends before');
  const animates = frames.length > 1 || file.read(readGif).applications.some(({ name }) => LOOPS.includes(name));
  if (animates) return unproven('its trailer is missing, and whether more frames followed is not known');
  const verdict = judgeFrames(file, frames);
  return verdict.is === 'whole'
    ? unproven('its trailer is missing, and decoders disagree about its transparency')
    : verdict;
}

const LOOPS = ['NETSCAPE2.0', 'ANIMEXTS1.0'];
