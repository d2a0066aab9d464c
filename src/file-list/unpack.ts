import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { FileListError } from '../core/file-list.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';

export interface Unpacked {
  /** The first bytes, enough to recognise a format by. */
  readonly head: Buffer;
  /** All bytes, with the head, without a byte order mark. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** How much of a list is looked at to recognise its format: more than any sensible first line. */
const HEAD_BYTES = 64 * 1024;

/**
 * Unpacks gzip where the first bytes say so, and returns the first bytes too.
 * @param name the name of the list in messages
 * @throws FileListError for broken gzip and for anything that is not UTF-8 text
 */
export async function unpack(packed: AsyncIterable<Uint8Array>, name: string): Promise<Unpacked> {
  const outer = await peek(packed);
  const isGzip = outer.head.toString('hex', 0, 2) === '1f8b';
  return asText(isGzip ? await peek(gunzip(outer.bytes, name)) : outer, name);
}

/**
 * The bytes of an object.
 * @param what the object in the message of the error
 * @throws FileListError where there is none, ObjectStoreError
 */
export async function* readObject(store: ObjectStore, location: S3Location, what: string): AsyncIterable<Uint8Array> {
  try {
    yield* store.read(location);
  } catch (error) {
    if (error instanceof ObjectStoreError && error.code === 'NotFound')
      throw new FileListError([`Expected ${what}: no such object`], 1, { cause: error });
    throw error;
  }
}

async function peek(bytes: AsyncIterable<Uint8Array>): Promise<Unpacked> {
  const iterator = bytes[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < HEAD_BYTES) {
    const { done, value } = await iterator.next();
    if (done) break;
    chunks.push(value);
    length += value.byteLength;
  }
  const head = Buffer.concat(chunks);
  return { head: head.subarray(0, HEAD_BYTES), bytes: resume(head, iterator) };
}

async function* resume(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    if (head.byteLength > 0) yield head;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    // A reader that stops early closes the connection.
    await rest.return?.();
  }
}

async function* gunzip(packed: AsyncIterable<Uint8Array>, name: string): AsyncIterable<Uint8Array> {
  const unzip = createGunzip({ chunkSize: HEAD_BYTES });
  const feeding = pipeline(Readable.from(packed, { objectMode: false }), unzip);
  // Awaited below; an early failure must not count as unhandled meanwhile.
  feeding.catch(() => {});
  try {
    yield* unzip;
    await feeding;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^Z_/.test(String(error.code)))) throw error;
    const problem = `Expected gzip in ${name} but received broken data: ${error.message}`;
    throw new FileListError([problem], 1, { cause: error });
  } finally {
    unzip.destroy();
  }
}

function asText({ head, bytes }: Unpacked, name: string): Unpacked {
  const mark = head.toString('hex', 0, 3);
  if (mark === 'efbbbf') return { head: head.subarray(3), bytes: without(3, bytes) };
  if (/^(fffe|feff)/.test(mark))
    throw new FileListError([`Expected UTF-8 text in ${name} but received UTF-16: save the list as UTF-8`]);
  if (head.includes(0))
    throw new FileListError([
      `Expected UTF-8 text in ${name} but received binary data (${head.subarray(0, 8).toString('hex')}…)`,
    ]);
  return { head, bytes };
}

async function* without(count: number, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let left = count;
  for await (const chunk of bytes) {
    yield left > 0 ? chunk.subarray(left) : chunk;
    left = Math.max(0, left - chunk.byteLength);
  }
}
