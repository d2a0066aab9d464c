import { countTrailing, startsWith, textAt, viewOf } from '../bytes.ts';
import { isIsoFile } from '../isobmff/boxes.ts';

/** What phones put behind a JPEG and tell how to read: places in it are counted from its own ends, so it can be moved. */
export interface Trailer {
  /** Notes on the picture and nothing that could be looked at or listened to. */
  readonly isMetadata: boolean;
}

/** The film of a moving photo, Samsung's notes, or both; undefined where any byte is something else. */
export function readTrailer(trailing: Uint8Array): Trailer | undefined {
  const notes = readSamsungNotes(trailing);
  const rest = trailing.subarray(0, notes?.start);
  const film = isIsoFile(rest);
  if (!film && (!notes || countTrailing(rest, 0) > 0)) return undefined;
  return { isMetadata: !film && notes?.isMetadata === true };
}

const MAX_BLOCKS = 1000;

/** A text or number of this length at most; pictures and sounds are larger. */
const MAX_NOTE_BYTES = 65_536;

const NOTES = /^(Image_UTC_Data|MCC_Data|Color_Display_P3|\w+_Info)$/;

/**
 * The blocks that Samsung's phones write, and their directory at the end of the file, whose entries count back from its
 * own beginning (ExifTool, Samsung.pm). Sound before 2014 was also told by its place in the file ("QDIO"), which is
 * none of these.
 */
function readSamsungNotes(bytes: Uint8Array): { start: number; isMetadata: boolean } | undefined {
  const directory = findDirectory(bytes);
  if (!directory) return undefined;
  const view = viewOf(bytes);
  const blocks = Array.from({ length: directory.count }, (_, index) => {
    const entry = directory.at + 12 + index * 12;
    return {
      start: directory.at - view.getUint32(entry + 4, true),
      length: view.getUint32(entry + 8, true),
      entry,
    };
  }).sort((one, other) => one.start - other.start);
  const start = blocks[0]!.start;
  let at = start;
  for (const block of blocks) {
    const isItself = view.getUint32(Math.max(0, block.start), true) === view.getUint32(block.entry, true);
    if (block.start !== at || block.length < 8 || !isItself) return undefined;
    at += block.length;
  }
  if (start < 0 || at !== directory.at) return undefined;
  return { start, isMetadata: blocks.every((block) => isNote(bytes, block)) };
}

function findDirectory(bytes: Uint8Array): { at: number; count: number } | undefined {
  if (bytes.length < 32 || !startsWith(bytes, 'SEFT', bytes.length - 4)) return undefined;
  const view = viewOf(bytes);
  const at = bytes.length - 8 - view.getUint32(bytes.length - 8, true);
  if (at < 0 || !startsWith(bytes, 'SEFH', at)) return undefined;
  const count = view.getUint32(at + 8, true);
  return count > 0 && count <= MAX_BLOCKS && at + 12 + count * 12 === bytes.length - 8
    ? { at, count }
    : undefined;
}

function isNote(bytes: Uint8Array, { start, length }: { start: number; length: number }): boolean {
  const nameLength = viewOf(bytes).getUint32(start + 4, true);
  return (
    length <= MAX_NOTE_BYTES && nameLength <= length - 8 && NOTES.test(textAt(bytes, start + 8, nameLength))
  );
}
