import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Bucket } from './bucket.ts';
import type { ObjectEvent } from './notifications.ts';
import { S3Error } from './s3-error.ts';
import { element, xmlDocument } from './xml.ts';

/** The parts of a request's URL. */
export interface Address {
  readonly bucket: string;
  /** Raw, percent-decoded once; empty for requests about the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
}

/** One parsed request: everything that an operation needs. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bucket: Bucket;
  /** Raw, percent-decoded once; empty for requests about the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  bucketNamed(name: string): Bucket;
  notify(event: Omit<ObjectEvent, 'bucket'>): void;
}

export type Operation = (call: Call) => void | Promise<void>;

export function sendEmpty(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  const length = status === 204 || status === 304 ? {} : { 'content-length': 0 };
  response.writeHead(status, { ...length, ...headers }).end();
}

export function sendXml(
  response: ServerResponse,
  root: string,
  inner: string,
  headers: OutgoingHttpHeaders = {},
): void {
  sendDocument(response, 200, xmlDocument(root, inner), headers);
}

export function sendError(
  response: ServerResponse,
  error: S3Error,
  resource: string,
  withBody: boolean,
): void {
  if (!withBody) {
    sendEmpty(response, error.status, { 'x-amz-error-code': error.code });
    return;
  }
  const details = Object.entries(error.details).map(([name, value]) => element(name, value));
  const inner =
    element('Code', error.code) +
    element('Message', error.message) +
    details.join('') +
    element('Resource', resource) +
    element('RequestId', String(response.getHeader('x-amz-request-id'))) +
    element('HostId', 'local');
  sendDocument(response, error.status, `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inner}</Error>`);
}

function sendDocument(
  response: ServerResponse,
  status: number,
  document: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = Buffer.from(document);
  const about = { 'content-type': 'application/xml', 'content-length': body.length };
  response.writeHead(status, { ...about, ...headers }).end(body);
}

const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024;

/** The XML in the body of a request. @throws S3Error `MalformedXML` above 2 MiB or without that root element */
export async function readDocument(body: AsyncIterable<Buffer>, root: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_DOCUMENT_BYTES) break;
    chunks.push(chunk);
  }
  const xml = Buffer.concat(chunks).toString('utf8');
  if (bytes <= MAX_DOCUMENT_BYTES && xml.includes(`<${root}`)) return xml;
  throw new S3Error(
    400,
    'MalformedXML',
    `The XML you provided was not well-formed: expected <${root}> of at most 2 MiB.`,
  );
}
