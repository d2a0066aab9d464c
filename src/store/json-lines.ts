import { linesOf } from '../core/lines.ts';
import type { ByteRange, ObjectStore } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/** One JSON document from S3. @throws Error that names the object when it is no JSON. */
export async function readJson<T>(store: ObjectStore, location: S3Location): Promise<T | undefined> {
  const object = await store.get(location);
  if (object === undefined || object === 'not-modified') return undefined;
  return parsed<T>(Buffer.from(object.body).toString('utf8'), location);
}

/**
 * The lines of an object, or of a byte range of it, each parsed as JSON; streamed.
 * @throws Error that names the object when a line is no JSON
 */
export async function* readJsonLines<T>(
  store: ObjectStore,
  location: S3Location,
  range?: ByteRange,
): AsyncGenerator<T> {
  const bytes = range ? readInPieces(store, location, range) : store.read(location);
  for await (const line of linesOf(bytes)) if (line !== '') yield parsed<T>(line, location);
}

const PIECE_BYTES = 1024 * 1024;

/** Reads each piece to its end at once: a reader that works for minutes on each line must not hold a connection. */
async function* readInPieces(store: ObjectStore, location: S3Location, { start, end }: ByteRange) {
  for (let from = start; from <= end; from += PIECE_BYTES) {
    const piece = { start: from, end: Math.min(end, from + PIECE_BYTES - 1) };
    yield Buffer.concat(await Array.fromAsync(store.read(location, piece)));
  }
}

function parsed<T>(text: string, location: S3Location): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const start = JSON.stringify(text.slice(0, 80));
    throw new Error(`Expected JSON in ${formatS3Uri(location)} but received ${start}`, { cause });
  }
}
