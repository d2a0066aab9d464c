import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { decodeAwsChunked } from './aws-chunked.ts';
import type { Call } from './call.ts';
import {
  type Checksum,
  type ChecksumAlgorithm,
  checksumAlgorithmOf,
  checksumHeader,
  startChecksum,
} from './checksums.ts';
import { notImplemented, S3Error } from './s3-error.ts';
import { openFile } from './send-file.ts';

export interface WrittenFile {
  readonly size: number;
  readonly md5: Buffer;
  readonly checksum?: Checksum;
}

/**
 * Writes a request's payload to `file` and checks it against every length and checksum that the client sent.
 * @throws S3Error `IncompleteBody`, `BadDigest`, `InvalidRequest`; the file is then unusable
 */
export async function receiveBody(call: Transfer, file: string): Promise<WrittenFile> {
  const { headers } = call.request;
  const trailers: Record<string, string> = {};
  const written = await writeFileFrom(payloadOf(call, trailers), file, announcedAlgorithm(headers));
  checkLength(headers, written.size);
  checkMd5(headers, written.md5);
  checkChecksum({ ...headers, ...trailers }, written.checksum);
  return written;
}

type Transfer = Pick<Call, 'request' | 'response'>;

/** A request's payload, without framing. `trailers` is filled when the last byte has been read. */
export function payloadOf(call: Transfer, trailers: Record<string, string> = {}): AsyncIterable<Buffer> {
  const { request, response } = call;
  // Only now: a request that is refused for its headers never has to send its body.
  if (request.headers.expect) response.writeContinue();
  // Stopping half-way must not close the connection: the answer has to reach the client.
  const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  return isAwsChunked(request.headers) ? decodeAwsChunked(body, trailers) : body;
}

const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024;

/** The XML in the body of a request. @throws S3Error `MalformedXML` above 2 MiB or without that root element */
export async function readDocument(call: Transfer, root: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of payloadOf(call)) {
    bytes += chunk.length;
    if (bytes > MAX_DOCUMENT_BYTES) break;
    chunks.push(chunk);
  }
  const xml = Buffer.concat(chunks).toString('utf8');
  if (bytes <= MAX_DOCUMENT_BYTES && xml.includes(`<${root}`)) return xml;
  const message = `The XML you provided was not well-formed: expected <${root}> of at most 2 MiB.`;
  throw new S3Error(400, 'MalformedXML', message);
}

/** Writes chunks to a new file and hashes them meanwhile. */
export async function writeFileFrom(
  chunks: AsyncIterable<Buffer>,
  file: string,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<WrittenFile> {
  const md5 = createHash('md5');
  const checksum = algorithm && startChecksum(algorithm);
  let size = 0;
  using opened = openFile(file, 'wx');
  for await (const chunk of chunks) {
    md5.update(chunk);
    checksum?.update(chunk);
    size += chunk.length;
    for (let done = 0; done < chunk.length; ) done += writeSync(opened.fd, chunk, done);
  }
  return { size, md5: md5.digest(), checksum: checksum?.result() };
}

function isAwsChunked(headers: IncomingHttpHeaders): boolean {
  const encoding = String(headers['content-encoding'] ?? '');
  return encoding.includes('aws-chunked') || String(headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-');
}

const NOT_A_CHECKSUM = ['x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode'];

/** The algorithm whose checksum is sent with the body, in a header or in the trailer. */
function announcedAlgorithm(headers: IncomingHttpHeaders): ChecksumAlgorithm | undefined {
  const inTrailer = String(headers['x-amz-trailer'] ?? '').split(',');
  const names = [...Object.keys(headers), ...inTrailer.map((name) => name.trim().toLowerCase())].filter(
    (name) => name.startsWith('x-amz-checksum-') && !NOT_A_CHECKSUM.includes(name),
  );
  const [name, second] = names;
  if (name === undefined) return undefined;
  if (second !== undefined) {
    const message = 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.';
    throw new S3Error(400, 'InvalidRequest', message);
  }
  const algorithm = checksumAlgorithmOf(name);
  if (!algorithm) throw notImplemented(`the checksum ${name}`);
  return algorithm;
}

function checkLength(headers: IncomingHttpHeaders, size: number): void {
  const expected = isAwsChunked(headers) ? headers['x-amz-decoded-content-length'] : headers['content-length'];
  if (expected === undefined || Number(expected) === size) return;
  const message = 'You did not provide the number of bytes specified by the Content-Length HTTP header';
  throw new S3Error(400, 'IncompleteBody', `${message}: expected ${expected}, received ${size}.`);
}

function checkMd5(headers: IncomingHttpHeaders, md5: Buffer): void {
  const sent = headers['content-md5'];
  if (sent === undefined || sent === md5.toString('base64')) return;
  if (Buffer.from(String(sent), 'base64').length !== 16) {
    throw new S3Error(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
  }
  throw badDigest('Content-MD5');
}

function checkChecksum(sent: Record<string, unknown>, computed: Checksum | undefined): void {
  if (!computed) return;
  const expected = sent[checksumHeader(computed.algorithm)];
  if (expected !== computed.value) throw badDigest(computed.algorithm);
}

export function badDigest(name: string): S3Error {
  return new S3Error(400, 'BadDigest', `The ${name} you specified did not match the calculated checksum.`);
}
