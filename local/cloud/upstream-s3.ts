import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { type Address, sendEmpty } from '../s3/call.ts';
import { payloadEncoding } from '../s3/object-headers.ts';
import { payloadOf } from '../s3/receive-body.ts';
import { routeOf } from '../s3/routes.ts';
import { notImplemented, S3Error } from '../s3/s3-error.ts';
import { lacksCredentials, messageOf } from './users-s3.ts';

/**
 * Forwards a request to the S3 of `client` and streams its answer back. The client signs and retries as always;
 * headers and query are forwarded unchanged.
 * @throws S3Error `NotImplemented` for everything but reads and PutObject, or the error that the other S3 answered
 */
export async function forwardRequest(
  client: S3Client,
  request: IncomingMessage,
  response: ServerResponse,
  address: Address,
): Promise<void> {
  const command = commandFor(request, response, address) as AnyCommand;
  const closed = new AbortController();
  response.once('close', () => closed.abort());
  const answer = await send(client, command, request, address, closed.signal);
  if (request.method === 'HEAD' || answer.status === 304) {
    return sendEmpty(response, answer.status, answer.headers);
  }
  response.writeHead(answer.status, answer.headers);
  await pipeline(answer.body, response);
}

// The commands differ only in the types of input and output, which are not used here.
type AnyCommand = GetObjectCommand;

const READS: Readonly<Record<string, new (input: ObjectName) => unknown>> = {
  'GET object': GetObjectCommand,
  'HEAD object': HeadObjectCommand,
  'GET object?tagging': GetObjectTaggingCommand,
  'HEAD bucket': HeadBucketCommand,
  'GET bucket?location': GetBucketLocationCommand,
  'GET bucket?versioning': GetBucketVersioningCommand,
  'GET bucket?list-type': ListObjectsV2Command,
};

function commandFor(request: IncomingMessage, response: ServerResponse, address: Address) {
  const object = { Bucket: address.bucket, Key: address.key };
  const route = routeOf(request.method ?? '', address.key, address.query);
  if (route === 'PUT object') return putCommand(request, response, object);
  const Command = READS[route];
  if (Command) return new Command(object);
  throw notImplemented(`${route} for a bucket that is not local`);
}

type ObjectName = Record<'Bucket' | 'Key', string>;

function putCommand(request: IncomingMessage, response: ServerResponse, object: ObjectName) {
  if (request.headers['x-amz-copy-source']) throw notImplemented('copies into a bucket that is not local');
  const length = request.headers['x-amz-decoded-content-length'] ?? request.headers['content-length'];
  if (length === undefined) throw new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length.');
  const body = Readable.from(payloadOf({ request, response }), { objectMode: false });
  return new PutObjectCommand({ ...object, Body: body, ContentLength: Number(length) });
}

type Answer = Readonly<{ status: number; headers: OutgoingHttpHeaders; body: Readable }>;

async function send(
  client: S3Client,
  command: AnyCommand,
  request: IncomingMessage,
  address: Address,
  abortSignal: AbortSignal,
): Promise<Answer> {
  let answer: Answer | undefined;
  command.middlewareStack.add(
    (next) => (args) => {
      const message = args.request as Readonly<Record<'headers' | 'query', Record<string, string>>>;
      Object.assign(message.headers, forwardedHeaders(request.headers));
      for (const [name, value] of address.query) if (!/^x-amz-/i.test(name)) message.query[name] = value;
      return next(args);
    },
    { step: 'build', priority: 'high' },
  );
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const message = result.response as { statusCode: number; headers: Record<string, string>; body: Readable };
      answer = { status: message.statusCode, headers: answeredHeaders(message.headers), body: message.body };
      // The SDK parses an empty answer instead: the real body is streamed to the client.
      if (message.statusCode < 300) Object.assign(message, { headers: {}, body: Readable.from([]) });
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  try {
    await client.send(command, { abortSignal });
  } catch (error) {
    if (answer?.status !== 304) throw upstreamError(error, answer?.status);
  }
  if (!answer) throw new Error('The SDK succeeded without an answer.');
  return answer;
}

const CONNECTION_HEADERS = new Set([
  ...['host', 'connection', 'keep-alive', 'transfer-encoding', 'te', 'upgrade', 'expect', 'content-length'],
  ...['authorization', 'user-agent', 'accept-encoding', 'amz-sdk-invocation-id', 'amz-sdk-request'],
  ...['x-amz-date', 'x-amz-content-sha256', 'x-amz-trailer', 'x-amz-security-token', 'x-amz-user-agent'],
  ...['x-amz-decoded-content-length', 'x-amz-sdk-checksum-algorithm'],
]);

function forwardedHeaders(received: IncomingHttpHeaders): Record<string, string> {
  const { 'content-encoding': encoding, ...rest } = received;
  const entries = Object.entries(rest).filter(([name]) => !CONNECTION_HEADERS.has(name));
  const payload = payloadEncoding(encoding);
  return {
    ...Object.fromEntries(entries.map(([name, value]) => [name, String(value)])),
    ...(payload && { 'content-encoding': payload }),
  };
}

const SERVER_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'server', 'date']);

function answeredHeaders(received: Record<string, string>): OutgoingHttpHeaders {
  const entries = Object.entries(received).filter(([name]) => !SERVER_HEADERS.has(name.toLowerCase()));
  return Object.fromEntries(entries);
}

function upstreamError(error: unknown, status: number | undefined): S3Error {
  const { name, code } = error as NodeJS.ErrnoException;
  const text = `The S3 of your AWS settings: ${messageOf(error)}`;
  if (status !== undefined) return new S3Error(status, name, text);
  if (lacksCredentials(error)) return new S3Error(403, 'AccessDenied', text);
  const isBroken = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'].includes(code ?? '');
  if (isBroken) return new S3Error(500, 'InternalError', text); // the next connection may work
  // A status that SDKs do not retry: an address that does not answer will not answer next time.
  return new S3Error(400, 'S3Unreachable', `${text}. Check the network and your AWS settings.`);
}
