import type { ObjectStore } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/** One JSON document from S3. @throws Error that names the object when it is no JSON. */
export async function readJson<T>(store: ObjectStore, location: S3Location): Promise<T | undefined> {
  const object = await store.get(location);
  if (object === undefined || object === 'not-modified') return undefined;
  return parsed<T>(Buffer.from(object.body).toString('utf8'), location);
}

/**
 * The lines of an object, or of the byte range of it, each parsed as JSON; streamed.
 * @throws Error that names the object when a line is no JSON
 */
export async function* readJsonLines<T>(
  store: ObjectStore,
  location: S3Location,
  range?: ByteRange,
): AsyncGenerator<T> {
  const bytes = range ? readInPieces(store, location, range) : store.read(location);
  for await (const line of lines(bytes)) yield parsed<T>(line, location);
}

interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

const PIECE_BYTES = 1024 * 1024;

/** Each piece is read to its end at once: whoever works for minutes on each line shall not hold a connection. */
async function* readInPieces(
  store: ObjectStore,
  location: S3Location,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  for (let from = start; from <= end; from += PIECE_BYTES) {
    const chunks: Uint8Array[] = [];
    const piece = { start: from, end: Math.min(end, from + PIECE_BYTES - 1) };
    for await (const chunk of store.read(location, piece)) chunks.push(chunk);
    yield Buffer.concat(chunks);
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes: Buffer = rest.length
      ? Buffer.concat([rest, chunk])
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      if (end > 0) yield bytes.toString('utf8', 0, end);
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
  if (rest.length) yield rest.toString('utf8');
}

function parsed<T>(text: string, location: S3Location): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const start = JSON.stringify(text.slice(0, 80));
    throw new Error(`Expected JSON in ${formatS3Uri(location)} but received ${start}`, { cause });
  }
}
