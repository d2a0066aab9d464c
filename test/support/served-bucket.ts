import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';
import { type S3EventRecord, type S3Server, type S3ServerOptions, startS3Server } from '../../local/s3/s3-server.ts';

export interface ServedBucket {
  readonly server: S3Server;
  readonly client: S3Client;
  readonly events: S3EventRecord[];
  /** The folder of the bucket `photos`. */
  readonly folder: string;
  readonly state: string;
}

/** A server with one bucket, `photos`, in folders of its own; removed after the test. */
export async function serveBucket(options: Partial<S3ServerOptions> = {}): Promise<ServedBucket> {
  const root = await temporaryFolder();
  const [folder, state] = [path.join(root, 'photos'), path.join(root, 'state')];
  const events: S3EventRecord[] = [];
  const server = await startS3Server({
    buckets: { photos: { folder, state } },
    onEvent: (event) => events.push(event),
    ...options,
  });
  const client = clientOf(server.endpoint);
  onTestFinished(async () => {
    client.destroy();
    await server.close();
  });
  return { server, client, events, folder, state };
}

export function clientOf(endpoint: string, settings: { maxAttempts?: number } = {}): S3Client {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return new S3Client({ endpoint, region: 'us-east-1', credentials, ...settings });
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 's3-server-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The `Code` of an S3 error document. */
  readonly code: string | undefined;
}

/** One HTTP request as it is written here: nothing added, nothing normalised. */
export function rawRequest(
  server: Pick<S3Server, 'port'>,
  method: string,
  urlPath: string,
  headers: Record<string, string> = {},
  body: Buffer | string = '',
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      port: server.port,
      host: '127.0.0.1',
      method,
      path: urlPath,
      headers,
      agent: false,
    });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      try {
        const answered = Buffer.concat(await response.toArray());
        const code = /<Code>(.*?)<\/Code>/.exec(answered.toString())?.[1];
        resolve({ status: response.statusCode!, headers: response.headers, body: answered, code });
      } catch (error) {
        reject(error);
      }
    });
    sent.end(body);
  });
}

/** The HTTP status of an SDK call, whether it succeeds or throws. */
export async function statusOf(
  answer: Promise<{ $metadata: { httpStatusCode?: number } }>,
): Promise<number | undefined> {
  try {
    return (await answer).$metadata.httpStatusCode;
  } catch (error) {
    return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  }
}
