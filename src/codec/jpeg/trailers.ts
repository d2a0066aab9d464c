import type { TrailingParts } from '../../core/recipe.ts';
import { PADDING, startsWith, textAt, viewOf } from '../bytes.ts';
import { isIsoFile } from '../isobmff/boxes.ts';
import { countAfterEnd } from './segments.ts';

/**
 * Data of a documented form that phones store after a JPEG: the video of a motion photo, a Samsung SEF block, or both;
 * undefined where any byte is something else. Its offsets are relative to itself, so it can be moved.
 */
export function readTrailer(trailing: Uint8Array): Pick<TrailingParts, 'isMetadata'> | undefined {
  const sef = readSef(withoutPadding(trailing));
  const rest = trailing.subarray(0, sef?.start);
  const hasVideo = isIsoFile(rest);
  if (!hasVideo && (!sef || countAfterEnd(rest, 0) > 0)) return undefined;
  return { isMetadata: !hasVideo && sef?.isMetadata === true };
}

/** SEF ends with a letter: what comes after that is no part of it. */
function withoutPadding(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => !PADDING.has(byte)) + 1);
}

const MAX_BLOCKS = 1000;

/** A text or number of this length at most; pictures and sounds are larger. */
const MAX_METADATA_BYTES = 65_536;

const METADATA_NAMES = /^(Image_UTC_Data|MCC_Data|Color_Display_P3|\w+_Info)$/;

/**
 * SEF: the blocks that Samsung's phones write, and their directory at the end of the file, whose offsets count back from
 * its own start (ExifTool, Samsung.pm). Sound before 2014 also had an absolute offset ("QDIO"): that is none of these.
 */
function readSef(bytes: Uint8Array): { start: number; isMetadata: boolean } | undefined {
  const directory = findDirectory(bytes);
  if (!directory) return undefined;
  const view = viewOf(bytes);
  const blocks = Array.from({ length: directory.count }, (_, index) => {
    const entry = directory.at + 12 + index * 12;
    const start = directory.at - view.getUint32(entry + 4, true);
    return { start, length: view.getUint32(entry + 8, true), entry };
  }).sort((one, other) => one.start - other.start);
  const [{ start } = { start: directory.at }] = blocks;
  let at = start;
  for (const block of blocks) {
    const isItself = view.getUint32(Math.max(0, block.start), true) === view.getUint32(block.entry, true);
    if (block.start !== at || block.length < 8 || !isItself) return undefined;
    at += block.length;
  }
  if (start < 0 || at !== directory.at) return undefined;
  return { start, isMetadata: blocks.every((block) => isMetadataBlock(bytes, block)) };
}

function findDirectory(bytes: Uint8Array): { at: number; count: number } | undefined {
  if (bytes.length < 32 || !startsWith(bytes, 'SEFT', bytes.length - 4)) return undefined;
  const view = viewOf(bytes);
  const at = bytes.length - 8 - view.getUint32(bytes.length - 8, true);
  if (at < 0 || !startsWith(bytes, 'SEFH', at)) return undefined;
  const count = view.getUint32(at + 8, true);
  const isWhole = count > 0 && count <= MAX_BLOCKS && at + 12 + count * 12 === bytes.length - 8;
  return isWhole ? { at, count } : undefined;
}

function isMetadataBlock(bytes: Uint8Array, { start, length }: { start: number; length: number }): boolean {
  const nameLength = viewOf(bytes).getUint32(start + 4, true);
  return (
    length <= MAX_METADATA_BYTES &&
    nameLength <= length - 8 &&
    METADATA_NAMES.test(textAt(bytes, start + 8, nameLength))
  );
}
