import { isUtf8 } from 'node:buffer';
import { FileListError, show } from '../core/file-list.ts';
import { LineSplitter, textLines } from '../core/lines.ts';

/** Consecutive lines. */
export interface Block<Line> {
  /** Number of the first of them, from 1. */
  readonly first: number;
  readonly lines: readonly Line[];
}

/** Longer than any entry, also with a key of 1,024 bytes that are all escaped. */
const MAX_LINE_BYTES = 64 * 1024;

/**
 * Cuts UTF-8 bytes into lines (LF or CRLF), a block at a time: memory holds one chunk and one line.
 * @throws FileListError for a line over 64 KiB and for bytes that are not UTF-8
 */
export async function* readLines(bytes: AsyncIterable<Uint8Array>, name: string): AsyncIterable<Block<string>> {
  const splitter = new LineSplitter();
  let first = 1;
  for await (const chunk of bytes) {
    const block = splitter.push(chunk);
    if (block) {
      const lines = decode(block, first, name);
      yield { first, lines };
      first += lines.length;
    }
    if (splitter.rest.byteLength > MAX_LINE_BYTES) throw tooLong(splitter.rest, first, name);
  }
  if (splitter.rest.byteLength > 0) yield { first, lines: decode(splitter.rest, first, name) };
}

function decode(block: Buffer, first: number, name: string): string[] {
  if (!isUtf8(block)) throw notUtf8(block, first, name);
  return textLines(block);
}

function tooLong(line: Buffer, number: number, name: string): FileListError {
  return new FileListError([
    `Expected one entry per line in ${name} but line ${number} is longer than ${MAX_LINE_BYTES} bytes and begins with ${show(line.subarray(0, 200).toString('utf8'))}`,
  ]);
}

/** Lines are cut from Latin-1, which shows every byte as a letter. */
function notUtf8(block: Buffer, first: number, name: string): FileListError {
  const lines = block.toString('latin1').split('\n');
  const index = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')));
  return new FileListError([
    `Expected UTF-8 at line ${first + index} of ${name} but received ${show(lines[index]?.slice(0, 200))}: save the list as UTF-8`,
  ]);
}
