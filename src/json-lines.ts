import type { ObjectStore } from './core/object-store.ts';
import { formatS3Uri, type S3Location } from './core/s3-uri.ts';

/** One JSON document from S3. @throws Error that names the object when it is missing or no JSON. */
export async function readJson<T>(store: ObjectStore, location: S3Location): Promise<T | undefined> {
  const object = await store.get(location);
  if (object === undefined || object === 'not-modified') return undefined;
  const text = Buffer.from(object.body).toString('utf8');
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Error(
      `Expected JSON in ${formatS3Uri(location)} but received ${JSON.stringify(text.slice(0, 80))}`,
      { cause },
    );
  }
}

/** The lines of an object, or of the byte range of it, each parsed as JSON; streamed. */
export async function* readJsonLines<T>(
  store: ObjectStore,
  location: S3Location,
  range?: { start: number; end: number },
): AsyncGenerator<T> {
  for await (const line of lines(store.read(location, range))) yield JSON.parse(line) as T;
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
