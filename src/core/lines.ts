/**
 * Cuts bytes that arrive in chunks into complete lines. Memory holds one chunk and the line that is still open.
 * Line ends are LF; what a CR before it means is for the reader to decide.
 */
export class LineSplitter {
  /** The line that no line feed has ended yet. */
  rest: Buffer = Buffer.alloc(0);

  /** All lines that `chunk` completes, in one block without the last line feed; undefined when it completes none. */
  push(chunk: Uint8Array): Buffer | undefined {
    const bytes = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : viewOf(chunk);
    const end = bytes.lastIndexOf(LINE_FEED);
    // A copy, because the sender may reuse the buffer of a chunk.
    this.rest = Buffer.from(bytes.subarray(end + 1));
    return end < 0 ? undefined : bytes.subarray(0, end);
  }
}

/** The lines of UTF-8 bytes without their ends (LF or CRLF), one at a time. @throws whatever `chunks` throws */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const splitter = new LineSplitter();
  for await (const chunk of chunks) {
    const block = splitter.push(chunk);
    if (block) yield* textLines(block);
  }
  if (splitter.rest.length > 0) yield* textLines(splitter.rest);
}

/** As `linesOf`, of pieces that are at hand. */
export function* linesIn(pieces: Iterable<Uint8Array>): Generator<string> {
  const splitter = new LineSplitter();
  for (const piece of pieces) {
    const block = splitter.push(piece);
    if (block) yield* textLines(block);
  }
  if (splitter.rest.length > 0) yield* textLines(splitter.rest);
}

/** The lines of a block of UTF-8 without their ends. */
export function textLines(block: Uint8Array): string[] {
  const text = viewOf(block).toString('utf8');
  const lines = text.split('\n');
  return text.includes('\r') ? lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : lines;
}

export const LINE_FEED = 0x0a;

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
