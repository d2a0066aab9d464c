import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type SpillFolder = ReturnType<typeof openSpillFolder>;
export type SpillFile = ReturnType<typeof spillFile>;

/** Temporary files for what a plan cannot hold in memory. Nothing is written to disk while a file is small. */
export function openSpillFolder(bufferBytes = 64 * 1024) {
  let folder: string | undefined;
  const opened: number[] = [];

  const open = (): number => {
    folder ??= mkdtempSync(join(tmpdir(), 'image-press-plan-'));
    const descriptor = openSync(join(folder, String(opened.length)), 'wx+', 0o600);
    opened.push(descriptor);
    return descriptor;
  };

  return {
    file: () => spillFile(bufferBytes, open),
    /** Closes and deletes everything. */
    remove(): void {
      for (const descriptor of opened.splice(0)) closeSync(descriptor);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      folder = undefined;
    },
  };
}

/** Bytes appended one after the other: in memory while they are few, in a temporary file beyond. */
function spillFile(bufferBytes: number, open: () => number) {
  let descriptor: number | undefined;
  const opened = () => {
    descriptor ??= open();
    return descriptor;
  };
  let written = 0;
  let buffered = 0;
  let buffer = Buffer.allocUnsafe(Math.min(1024, bufferBytes));

  const flush = () => {
    writeAll(opened(), buffer.subarray(0, buffered), written);
    written += buffered;
    buffered = 0;
  };
  const reserve = (bytes: number) => {
    if (buffered + bytes <= buffer.byteLength) return;
    if (buffered + bytes > bufferBytes && buffered > 0) flush();
    if (bytes <= buffer.byteLength - buffered) return;
    const grown = Buffer.allocUnsafe(Math.max(bytes, Math.min(bufferBytes, buffer.byteLength * 4)));
    buffer.copy(grown, 0, 0, buffered);
    buffer = grown;
  };

  /** All bytes in order, a piece at a time. */
  function* pieces(pieceBytes = bufferBytes): Iterable<Buffer> {
    for (let position = 0; position < written; position += pieceBytes) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, written - position));
      readFully(opened(), piece, position);
      yield piece;
    }
    if (buffered > 0) yield Buffer.from(buffer.subarray(0, buffered));
  }

  return {
    append(bytes: Uint8Array): void {
      reserve(bytes.byteLength);
      buffer.set(bytes, buffered);
      buffered += bytes.byteLength;
    },
    get length(): number {
      return written + buffered;
    },
    pieces,
    /** All bytes at once, in `scratch` where they fit. */
    readAll(scratch: Buffer = Buffer.alloc(0)): Buffer {
      const length = written + buffered;
      const all = scratch.byteLength < length ? Buffer.allocUnsafeSlow(length) : scratch.subarray(0, length);
      if (written > 0) readFully(opened(), all.subarray(0, written), 0);
      all.set(buffer.subarray(0, buffered), written);
      return all;
    },
  };
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.byteLength; )
    done += writeSync(descriptor, bytes, done, bytes.byteLength - done, position + done);
}

function readFully(descriptor: number, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.byteLength; ) {
    const read = readSync(descriptor, into, done, into.byteLength - done, position + done);
    if (read === 0) throw new Error(`Expected ${into.byteLength} bytes in a temporary file but found ${done}`);
    done += read;
  }
}
