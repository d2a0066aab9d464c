import { S3Error } from './s3-error.ts';

/**
 * Removes the `aws-chunked` framing of a body: yields the payload and fills `trailers` (names in lower case).
 * Chunk signatures are ignored: this server listens on loopback and checks no credentials.
 * @throws S3Error `InvalidRequest` when the framing is broken, `IncompleteBody` when it ends early
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  trailers: Record<string, string>,
): AsyncGenerator<Buffer> {
  await using reader = new FrameReader(source);
  yield* readChunks(reader);
  await readTrailers(reader, trailers);
}

async function* readChunks(reader: FrameReader): AsyncGenerator<Buffer> {
  for (;;) {
    const length = chunkLength(await reader.line());
    if (length === 0) return;
    yield* reader.bytes(length);
    if ((await reader.line()) !== '') throw badFraming('an empty line after a chunk');
  }
}

async function readTrailers(reader: FrameReader, trailers: Record<string, string>): Promise<void> {
  for (let line = await reader.line(); line !== ''; line = await reader.line()) {
    const colon = line.indexOf(':');
    if (colon < 0) throw badFraming('"name: value" as a trailer');
    trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  await reader.drain();
}

function chunkLength(line: string): number {
  const digits = /^([0-9a-f]{1,12})(;|$)/i.exec(line)?.[1];
  if (digits === undefined) throw badFraming('a chunk length in hexadecimal digits');
  return Number.parseInt(digits, 16);
}

function badFraming(expected: string): S3Error {
  return new S3Error(400, 'InvalidRequest', `Expected ${expected} in the aws-chunked body.`);
}

const MAX_LINE_BYTES = 16 * 1024;

class FrameReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The text up to the next CRLF. The last one may be missing, because some clients omit it. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffered.indexOf('\r\n');
      if (end >= 0) return this.#take(end + 2).toString('latin1', 0, end);
      if (this.#buffered.length > MAX_LINE_BYTES) throw badFraming('a line of at most 16 KiB');
      if (!(await this.#more())) return this.#take(this.#buffered.length).toString('latin1');
    }
  }

  async *bytes(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      if (this.#buffered.length === 0 && !(await this.#more())) {
        throw new S3Error(400, 'IncompleteBody', `The body ended ${left} bytes before the end of its chunk.`);
      }
      const piece = this.#take(Math.min(left, this.#buffered.length));
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  async drain(): Promise<void> {
    while (await this.#more()) this.#buffered = Buffer.alloc(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  #take(length: number): Buffer {
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#buffered = this.#buffered.length === 0 ? next.value : Buffer.concat([this.#buffered, next.value]);
    return true;
  }
}
