import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Bucket, type BucketFolder } from './bucket.ts';
import { type Address, sendError } from './call.ts';
import { untrustedHost } from './loopback.ts';
import { eventRecord, requestId, type S3EventRecord } from './notifications.ts';
import { listBuckets, operationFor } from './routes.ts';
import { asS3Error, S3Error } from './s3-error.ts';
import { Sequence } from './sequence.ts';

export type { BucketFolder } from './bucket.ts';
export type { S3EventRecord } from './notifications.ts';

export interface S3ServerOptions {
  readonly buckets: Readonly<Record<string, BucketFolder>>;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Called after an object was created or removed and before the client has its answer. Must not throw. */
  readonly onEvent?: (record: S3EventRecord) => void;
  /** Answers requests for buckets that are not served here. Without it they do not exist. */
  readonly upstream?: Upstream;
  /** Called before each request for a bucket. May throw an S3Error to refuse it; tests inject faults here. */
  readonly beforeRequest?: (request: BucketRequest, response: ServerResponse) => void;
}

export type BucketRequest = Omit<Address, 'query'> & { readonly method: string };

/** Another S3, which is reached with the user's own permissions. */
export interface Upstream {
  /** Every request has to be signed with this access key: otherwise any local program could use those permissions. */
  readonly accessKeyId: string;
  /** Answers one request. @throws S3Error */
  answer(request: IncomingMessage, response: ServerResponse, address: Address): Promise<void>;
}

export type S3Server = Awaited<ReturnType<typeof startS3Server>>;

/**
 * An S3-compatible server on loopback for plain folders. Signatures are not checked; the access key is, where there is
 * an upstream.
 * @throws Error when a folder cannot be served or the port is taken
 */
export async function startS3Server(options: S3ServerOptions) {
  const entries = Object.entries(options.buckets);
  const buckets = new Map(entries.map(([name, place]) => [name, new Bucket(name, place)]));
  const server = await listen(new RequestHandler(options, buckets), options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  // For an IP address the SDK uses path style.
  return { endpoint: `http://127.0.0.1:${port}`, port, close: () => close(server) };
}

function listen(handler: RequestHandler, port: number): Promise<Server> {
  const handle = (request: IncomingMessage, response: ServerResponse) => handler.handle(request, response);
  const limits = { noDelay: true, keepAliveTimeout: 120_000, requestTimeout: 0, maxHeaderSize: 64 * 1024 };
  const server = createServer(limits, handle);
  server.on('checkContinue', handle);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

class RequestHandler {
  readonly #options: S3ServerOptions;
  readonly #sequence = new Sequence();
  readonly #buckets: ReadonlyMap<string, Bucket>;

  constructor(options: S3ServerOptions, buckets: ReadonlyMap<string, Bucket>) {
    this.#options = options;
    this.#buckets = buckets;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-amz-request-id', requestId());
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) response.destroy();
      else sendError(response, asS3Error(error), request.url ?? '', request.method !== 'HEAD');
      // The rest of the body is read and discarded: many clients read the answer only after sending everything.
      if (!request.complete) request.resume();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#refuseUntrusted(request);
    const { upstream, beforeRequest, onEvent } = this.#options;
    const method = request.method ?? '';
    const address = addressOf(request.url ?? '/');
    const { bucket: name, key, query } = address;
    if (name === '') return listBuckets(method, response, this.#buckets.keys());
    beforeRequest?.({ method, bucket: name, key }, response);
    if (upstream && !this.#buckets.has(name)) return upstream.answer(request, response, address);
    const operation = operationFor(method, key, query);
    const bucket = this.#bucketNamed(name);
    if (bucket.readOnly && method !== 'GET' && method !== 'HEAD')
      throw new S3Error(403, 'AccessDenied', `Access Denied: bucket "${name}" is read-only.`);
    await operation({
      ...address,
      request,
      response,
      bucket,
      bucketNamed: (other) => this.#bucketNamed(other),
      notify: (event) => onEvent?.(eventRecord({ bucket: name, ...event }, this.#sequence.next())),
    });
  }

  #refuseUntrusted({ headers }: IncomingMessage): void {
    const reason = untrustedHost(headers);
    if (reason) throw new S3Error(403, 'AccessDenied', reason);
    const { upstream } = this.#options;
    if (!upstream || accessKeyOf(headers.authorization) === upstream.accessKeyId) return;
    const message = 'Expected the access key that this server was started with.';
    throw new S3Error(403, 'InvalidAccessKeyId', message);
  }

  #bucketNamed(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket) return bucket;
    throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
  }
}

/** Parsed by hand, because URL resolves `..` and drops slashes: both are legal in keys. @throws URIError */
function addressOf(url: string): Address {
  const [, rawPath = '', search = ''] = /^([^?]*)\??(.*)$/s.exec(url) ?? [];
  const [, bucket = '', key = ''] = /^\/?([^/]*)\/?(.*)$/s.exec(rawPath) ?? [];
  const decodedKey = decodeURIComponent(key);
  if (Buffer.byteLength(decodedKey) > 1024) throw new S3Error(400, 'KeyTooLongError', 'Your key is too long');
  return { bucket: decodeURIComponent(bucket), key: decodedKey, query: new URLSearchParams(search) };
}

/** `KEY` of `AWS4-HMAC-SHA256 Credential=KEY/20260131/…`. */
function accessKeyOf(authorization = ''): string | undefined {
  return /\bCredential=([^/,\s]+)\//.exec(authorization)?.[1];
}
