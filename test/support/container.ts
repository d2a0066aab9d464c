import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { bareEnvironment } from '../../local/cloud/process-lines.ts';
import { startS3Server } from '../../local/s3/s3-server.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { parseS3Uri } from '../../src/core/s3-uri.ts';
import { createS3Store } from '../../src/store/s3-store.ts';
import { clientOf } from './served-bucket.ts';

export interface Container {
  readonly process: ChildProcess;
  /** Everything it has written so far. */
  text(): string;
  readonly exit: Promise<number | NodeJS.Signals>;
}

export interface World {
  readonly store: ObjectStore;
  /** Starts fargate/main.ts as the image does, with these variables and those that reach S3. */
  start(variables: Record<string, string>): Container;
  put(uri: string, body: Uint8Array | string): Promise<void>;
  get(uri: string): Promise<Uint8Array | undefined>;
}

/** An S3 with the buckets `the-in` and `the-out`, and containers that use it. */
export async function startWorld(): Promise<World> {
  const root = await mkdtemp(path.join(tmpdir(), 'container-'));
  const place = (name: string) => ({ folder: path.join(root, name), state: path.join(root, `.${name}`) });
  const server = await startS3Server({ buckets: { 'the-in': place('in'), 'the-out': place('out') } });
  const client = clientOf(server.endpoint);
  onTestFinished(async () => {
    client.destroy();
    await server.close();
    await rm(root, { recursive: true, force: true });
  });
  const store = createS3Store(client);
  return {
    store,
    start: (variables) => startContainer({ ...credentials, AWS_ENDPOINT_URL: server.endpoint, ...variables }),
    put: async (uri, body) => void (await store.put(locate(uri), Buffer.from(body as Uint8Array))),
    get: async (uri) => {
      const found = await store.get(locate(uri));
      return found === 'not-modified' ? undefined : found?.body;
    },
  };
}

const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local', AWS_REGION: 'us-east-1' };
const MAIN = fileURLToPath(new URL('../../fargate/main.ts', import.meta.url));

function startContainer(environment: Record<string, string>): Container {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const exit = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? -1));
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { process: child, text: () => text, exit };
}

function locate(uri: string) {
  const location = parseS3Uri(uri);
  if (!location) throw new Error(`Expected s3://bucket/key but received ${uri}`);
  return location;
}
