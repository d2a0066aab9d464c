import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Bucket } from './bucket.ts';
import type { ObjectEvent } from './notifications.ts';
import type { S3Error } from './s3-error.ts';
import { element } from './xml.ts';

/** The parts of a request's URL. */
export interface Address {
  readonly bucket: string;
  /** Raw, percent-decoded once; empty for requests about the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
}

/** One parsed request: everything that an operation needs. */
export interface Call extends Omit<Address, 'bucket'> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bucket: Bucket;
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
  const document = `<${root} xmlns="${NAMESPACE}">${inner}</${root}>`;
  sendDocument(response, 200, document, headers);
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

export function sendError(response: ServerResponse, error: S3Error, resource: string, withBody: boolean): void {
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
  sendDocument(response, error.status, `<Error>${inner}</Error>`);
}

function sendDocument(response: ServerResponse, status: number, root: string, headers: OutgoingHttpHeaders = {}): void {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${root}`);
  const about = { 'content-type': 'application/xml', 'content-length': body.length };
  response.writeHead(status, { ...about, ...headers }).end(body);
}
