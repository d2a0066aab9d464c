import { isUtf8 } from 'node:buffer';
import { FileListError, show } from '../core/file-list.ts';

/** Consecutive lines without their ends. */
export interface Lines {
  /** Number of the first of them, from 1. */
  readonly first: number;
  readonly lines: readonly string[];
}

/** No entry is that long, not with a key of 1,024 bytes that is escaped throughout. */
export const MAX_LINE_BYTES = 64 * 1024;

/**
 * Cuts UTF-8 bytes into lines (LF or CRLF), a block at a time: memory holds one chunk and one line.
 * @throws FileListError for a line over 64 KiB and for bytes that are no UTF-8
 */
export async function* readLines(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Lines> {
  let first = 1;
  let carry = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const [head, block, tail] = cut(chunk);
    if (head) {
      const lines = decode(Buffer.concat([carry, head]), first, name);
      yield { first, lines };
      first += lines.length;
      carry = Buffer.alloc(0);
    }
    if (block) {
      const lines = decode(block, first, name);
      yield { first, lines };
      first += lines.length;
    }
    carry = Buffer.concat([carry, tail]);
    if (carry.byteLength > MAX_LINE_BYTES) throw tooLong(carry, first, name);
  }
  if (carry.byteLength > 0) yield { first, lines: decode(carry, first, name) };
}

const LINE_FEED = 0x0a;

/** The end of a line begun before, the whole lines after it (as they lie: no copy), and the beginning of the next. */
function cut(
  chunk: Uint8Array,
): readonly [head: Uint8Array | undefined, block: Uint8Array | undefined, tail: Uint8Array] {
  const firstFeed = chunk.indexOf(LINE_FEED);
  if (firstFeed < 0) return [undefined, undefined, chunk];
  const lastFeed = chunk.lastIndexOf(LINE_FEED);
  const block = lastFeed > firstFeed ? chunk.subarray(firstFeed + 1, lastFeed) : undefined;
  return [chunk.subarray(0, firstFeed), block, chunk.subarray(lastFeed + 1)];
}

function decode(bytes: Uint8Array, first: number, name: string): string[] {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isUtf8(block)) throw notUtf8(block, first, name);
  const text = block.toString('utf8');
  const lines = text.split('\n');
  return text.includes('\r') ? lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : lines;
}

function tooLong(line: Buffer, number: number, name: string): FileListError {
  return new FileListError([
    `Expected one entry a line in ${name} but line ${number} is longer than ${MAX_LINE_BYTES} bytes and begins with ${show(line.subarray(0, 200).toString('utf8'))}`,
  ]);
}

function notUtf8(block: Buffer, first: number, name: string): FileListError {
  let number = first;
  for (let start = 0; start <= block.byteLength; number++) {
    const end = block.indexOf(LINE_FEED, start);
    const line = block.subarray(start, end < 0 ? block.byteLength : end);
    if (!isUtf8(line))
      return new FileListError([
        `Expected UTF-8 at line ${number} of ${name} but received ${show(line.subarray(0, 200).toString('latin1'))}: save the list as UTF-8`,
      ]);
    if (end < 0) break;
    start = end + 1;
  }
  return new FileListError([`Expected UTF-8 in ${name}`]);
}
