import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Folders } from '../../src/core/report.ts';
import type { BucketFolder } from '../s3/bucket.ts';
import { type S3EventRecord, startS3Server, type Upstream } from '../s3/s3-server.ts';
import type { ExecutionResult } from '../step-functions/execution.ts';
import { startLambdaHost } from './lambda-host.ts';
import { LIST_BUCKET, OUTPUT_BUCKET, OWN_FOLDER, SOURCE_BUCKET, WORK_BUCKET } from './local-buckets.ts';
import { createTaskResources } from './task-resources.ts';

const SECONDS_OF_A_LAMBDA = 900;
/** What gives a Lambda one core. */
const MEGABYTES_PER_CORE = 1769;

/** Whoever closes has waited for what matters: what is still in hand then is stuck. */
const GRACE_MS = 2000;

export interface LocalCloudOptions {
  /** Where job files, sidecars and logs lie: `.image-press` beside the outputs. */
  readonly home: string;
  readonly out: string;
  /** The user's folder, only ever read. */
  readonly source: string | undefined;
  /** Where the file list lies, only ever read as well. */
  readonly lists?: string;
  readonly moreBuckets?: Readonly<Record<string, BucketFolder>>;
  /** Functions besides those of the state machine, by name. */
  readonly moreFunctions?: readonly string[];
  /** Functions that run at once. Default 1: one host keeps all cores busy. */
  readonly processes?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Whether buckets that are not local are those of the S3 that the user's own AWS settings name. */
  readonly reachesS3: boolean;
  onObject?(record: S3EventRecord): void;
  /** Each line that the functions log. */
  onLog?(line: string): void;
}

/** What AWS is to a deployment: S3, the functions, and the state machine, all on this machine. */
export interface LocalCloud {
  readonly endpoint: string;
  /** The folder that holds jobs/<jobId>/. */
  readonly jobFiles: string;
  /** Which folder each bucket is. */
  readonly folders: Folders;
  execute(name: string, input: unknown, watch: Watch): Promise<ExecutionResult>;
  invoke(functionName: string, payload: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export interface Watch {
  readonly signal?: AbortSignal;
  /** Each task that ended well, with what it answered. */
  onTask?(state: string, answer: unknown): void;
}

export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const { home, out, source, lists } = options;
  const jobFiles = path.join(home, 'job-files');
  const state = (bucket: string) => path.join(home, 'state', bucket);
  mkdirSync(jobFiles, { recursive: true });
  // Nothing of a folder that is only read outlives the run; beside the outputs it could lie in that very folder.
  const passing = mkdtempSync(path.join(os.tmpdir(), 'image-press-'));
  const readOnly = (folder: string, name: string) => ({
    folder,
    state: path.join(passing, name),
    readOnly: true,
    unlisted: OWN_FOLDER,
  });
  const log = createWriteStream(path.join(home, 'log.jsonl'), { flags: 'a' });
  const onLog = (line: string) => {
    log.write(`${line}\n`);
    options.onLog?.(line);
  };

  const credentials = newCredentials();
  const buckets: Readonly<Record<string, BucketFolder>> = {
    [WORK_BUCKET]: { folder: jobFiles, state: state('job-files') },
    [OUTPUT_BUCKET]: { folder: out, state: state(`output-${path.basename(out)}`) },
    ...(source !== undefined && { [SOURCE_BUCKET]: readOnly(source, SOURCE_BUCKET) }),
    ...(lists !== undefined && { [LIST_BUCKET]: readOnly(lists, LIST_BUCKET) }),
    ...options.moreBuckets,
  };
  const folders = Object.fromEntries(Object.entries(buckets).map(([name, { folder }]) => [name, folder]));
  const s3 = await startS3Server({
    buckets,
    port: options.port ?? 0,
    ...(options.reachesS3 && {
      upstream: { accessKeyId: credentials.accessKeyId, answer: usersS3() },
    }),
    onEvent: options.onObject,
  }).catch((error: unknown) => {
    log.end();
    rmSync(passing, { recursive: true, force: true });
    throw error;
  });
  const environment = {
    ...environmentOf(s3.endpoint, credentials, jobFiles, folders),
    ...options.environment,
  };
  const lambda = startLambdaHost({
    functions: functionsNamed(['plan-job', 'compress-batch', 'report-job', ...(options.moreFunctions ?? [])]),
    processes: options.processes ?? 1,
    environment,
    onLog,
    graceMs: GRACE_MS,
  });
  const program = new URL('../../fargate/main.ts', import.meta.url);
  const runTask = createTaskResources({ lambda, fargate: { program, environment, onLog } });
  const machine = loadMachine(s3.endpoint, credentials);
  machine.catch(() => {}); // whoever needs it hears of it

  return {
    endpoint: s3.endpoint,
    jobFiles,
    folders,
    execute: async (executionName, input, watch) => {
      const identity = { stateMachineName: 'compress-images', executionName, startedAt: new Date() };
      const { runStateMachine, definition, client, store } = await machine;
      return runStateMachine(definition, input, identity, {
        s3: client,
        readObject: store.read,
        maxChildren: 1,
        signal: watch.signal,
        runTask: async (task) => {
          const answer = await runTask(task);
          watch.onTask?.(task.state, answer);
          return answer;
        },
      });
    },
    invoke: (functionName, payload) => lambda.invoke(functionName, payload),
    close: async () => {
      await lambda.close();
      (await machine.catch(() => undefined))?.client.destroy();
      await s3.close();
      await new Promise((resolve) => log.end(resolve));
      rmSync(passing, { recursive: true, force: true });
    },
  };
}

const REGION = 'us-east-1';

/** Answers from the S3 of the user's AWS settings. The SDK, which loads for 0.2 s, is imported on first use. */
function usersS3(): Upstream['answer'] {
  let client: Promise<S3Client> | undefined;
  return async (...request) => {
    const { forwardRequest } = await import('./upstream-s3.ts');
    client ??= import('./users-s3.ts').then(({ createUsersS3 }) => createUsersS3());
    return forwardRequest(await client, ...request);
  };
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Known to the hosts of this run alone: the local S3 lets nobody else through to the user's buckets. */
function newCredentials(): Credentials {
  return { accessKeyId: `local${randomBytes(16).toString('hex')}`, secretAccessKey: 'local' };
}

/** Loaded while the hosts load theirs: the SDK takes a fifth of a second. */
async function loadMachine(endpoint: string, credentials: Credentials) {
  const [{ createS3Client, createS3Store }, { runStateMachine }, { readLocalDefinition }] = await Promise.all(
    [
      import('../../src/store/s3-store.ts'),
      import('../step-functions/run-state-machine.ts'),
      import('./local-definition.ts'),
    ],
  );
  const client = createS3Client({ endpoint, region: REGION, credentials, forcePathStyle: true });
  return { runStateMachine, definition: await readLocalDefinition(), client, store: createS3Store(client) };
}

function environmentOf(
  endpoint: string,
  { accessKeyId, secretAccessKey }: Credentials,
  jobFiles: string,
  folders: Folders,
): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    WORK_BUCKET,
    OUTPUT_BUCKET,
    FARGATE: 'deployed',
    JOB_FILES: jobFiles,
    BUCKET_FOLDERS: JSON.stringify(folders),
  };
}

function functionsNamed(names: readonly string[]) {
  const memoryMegabytes = MEGABYTES_PER_CORE * os.availableParallelism();
  return Object.fromEntries(
    names.map((name) => {
      const module = new URL(`../../functions/${name}.ts`, import.meta.url);
      return [name, { module, timeoutSeconds: SECONDS_OF_A_LAMBDA, memoryMegabytes }];
    }),
  );
}
