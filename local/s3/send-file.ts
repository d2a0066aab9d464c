import { closeSync, openSync, readSync } from 'node:fs';
import type { ServerResponse } from 'node:http';

/** Opens a file that `using` closes. */
export function openFile(file: string | Buffer, flags: 'r' | 'wx') {
  const fd = openSync(file, flags);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

const CHUNK_BYTES = 1024 * 1024;

/** Sends bytes `start` to `end` (inclusive) of an open file in chunks of 1 MiB, no faster than the client reads. */
export async function sendFile(response: ServerResponse, fd: number, start: number, end: number): Promise<void> {
  for (let position = start; position <= end; ) {
    const chunk = readChunk(fd, position, end);
    position += chunk.length;
    if (chunk.length === 0) return void response.destroy(); // the file was truncated meanwhile
    if (position > end) return void response.end(chunk);
    if (!response.write(chunk)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

/** A file's bytes as chunks, for copies. */
export async function* chunksOf(fd: number, start: number, end: number): AsyncGenerator<Buffer> {
  for (let position = start; position <= end; ) {
    const chunk = readChunk(fd, position, end);
    if (chunk.length === 0) throw new Error(`The file ended at byte ${position} while it was being copied.`);
    position += chunk.length;
    yield chunk;
    // Other requests are answered between two chunks.
    if (position <= end) await new Promise(setImmediate);
  }
}

function readChunk(fd: number, position: number, end: number): Buffer {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position + 1));
  const length = readSync(fd, chunk, 0, chunk.length, position);
  return length === chunk.length ? chunk : chunk.subarray(0, length);
}

function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve).once('close', resolve);
  return promise.finally(() => response.off('drain', resolve).off('close', resolve));
}
