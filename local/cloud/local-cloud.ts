import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Folders } from '../../src/core/report.ts';
import { type BucketFolder, type S3EventRecord, startS3Server, type Upstream } from '../s3/s3-server.ts';
import type { ExecutionResult } from '../step-functions/execution.ts';
import { startLambdaHost } from './lambda-host.ts';
import {
  foldersOf,
  jobFilesIn,
  LIST_BUCKET,
  moveEarlierJobFiles,
  OUTPUT_BUCKET,
  OWN_FOLDER,
  outputBuckets,
  SOURCE_BUCKET,
} from './local-buckets.ts';
import { createTaskResources, JOB_FUNCTIONS, type RunTask, TASK_PARAMETERS } from './task-resources.ts';

const LAMBDA_SECONDS = 900;
/** The memory that gives a Lambda one core. */
const MEGABYTES_PER_CORE = 1769;

/** The caller has waited for its jobs before it closes: what still runs then hangs. */
const GRACE_MS = 2000;

interface LocalCloudOptions {
  /** The folder for job files, sidecars and logs: `.image-press` beside the outputs. */
  readonly home: string;
  readonly out: string;
  /** The user's folder, read-only. */
  readonly source: string | undefined;
  /** The folder of the file list, read-only as well. */
  readonly lists?: string;
  readonly moreBuckets?: Readonly<Record<string, BucketFolder>>;
  /** Functions besides those of the state machine, by name. */
  readonly moreFunctions?: readonly string[];
  /** Functions that run at once. Default 1: one keeps all cores busy. */
  readonly processes?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Whether buckets that are not local are looked up in the S3 of the user's own AWS settings. */
  readonly reachesS3: boolean;
  onObject?(record: S3EventRecord): void;
  /** Called with each line that the functions log. */
  onLog?(line: string): void;
}

/** What a deployment uses of AWS, on this machine: S3, the functions and the state machine. */
export interface LocalCloud {
  readonly endpoint: string;
  /** The folder with jobs/<jobId>/. */
  readonly jobFiles: string;
  /** The file with the log of the functions and tasks. */
  readonly log: string;
  /** Which folder each bucket is. */
  readonly folders: Folders;
  execute(name: string, input: unknown, watch: Watch): Promise<ExecutionResult>;
  invoke(functionName: string, payload: unknown): Promise<unknown>;
  close(): Promise<void>;
}

interface Watch {
  readonly signal?: AbortSignal;
  /** Called with the result of each task that succeeded. */
  onTask?(state: string, result: unknown): void;
}

/** @throws Error when a folder cannot be served or the port is taken */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  moveEarlierJobFiles(options.home);
  // The state of read-only folders, for this run only: in `home` it could be inside such a folder.
  const temporary = mkdtempSync(path.join(os.tmpdir(), 'image-press-'));
  const buckets = bucketsOf(options, temporary);
  const folders = foldersOf(buckets);
  const credentials = newCredentials();
  const s3 = await startS3Server({
    buckets,
    port: options.port,
    upstream: options.reachesS3 ? usersS3(credentials) : undefined,
    onEvent: options.onObject,
  }).catch((error: unknown) => {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  });
  const logFile = path.join(options.home, 'log.jsonl');
  const log = createWriteStream(logFile, { flags: 'a' });
  const hosts = startHosts(options, environmentOf(s3.endpoint, credentials, options, folders), (line) => {
    log.write(`${line}\n`);
    options.onLog?.(line);
  });
  const machine = loadMachine(s3.endpoint, credentials);
  machine.catch(() => {}); // execute() throws it

  return {
    endpoint: s3.endpoint,
    jobFiles: jobFilesIn(options.home),
    log: logFile,
    folders,
    execute: async (name, input, watch) => (await machine).run(name, input, hosts.runTask, watch),
    invoke: (functionName, payload) => hosts.lambda.invoke(functionName, payload),
    close: async () => {
      await hosts.lambda.close();
      (await machine.catch(() => undefined))?.close();
      await s3.close();
      await new Promise((resolve) => log.end(resolve));
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}

function bucketsOf({ home, out, source, lists, moreBuckets }: LocalCloudOptions, temporary: string) {
  const readOnly = (name: string, folder: string | undefined) =>
    folder === undefined
      ? {}
      : { [name]: { folder, state: path.join(temporary, name), readOnly: true, unlisted: OWN_FOLDER } };
  return {
    ...outputBuckets(home, out),
    ...readOnly(SOURCE_BUCKET, source),
    ...readOnly(LIST_BUCKET, lists),
    ...moreBuckets,
  };
}

function startHosts(
  { processes = 1, moreFunctions = [] }: LocalCloudOptions,
  environment: Readonly<Record<string, string>>,
  onLog: (line: string) => void,
) {
  const memoryMegabytes = MEGABYTES_PER_CORE * os.availableParallelism();
  const functions = [...JOB_FUNCTIONS, ...moreFunctions].map((name) => {
    const module = new URL(`../../functions/${name}.ts`, import.meta.url);
    return [name, { module, timeoutSeconds: LAMBDA_SECONDS, memoryMegabytes }];
  });
  const limits = { processes, graceMs: GRACE_MS };
  const lambda = startLambdaHost({ functions: Object.fromEntries(functions), environment, onLog, ...limits });
  const program = new URL('../../fargate/main.ts', import.meta.url);
  return { lambda, runTask: createTaskResources({ lambda, fargate: { program, environment, onLog } }) };
}

const REGION = 'us-east-1';

/** Answers from the S3 of the user's AWS settings. The SDK, which loads for 0.2 s, is imported on first use. */
function usersS3({ accessKeyId }: Credentials): Upstream {
  let client: Promise<S3Client> | undefined;
  return {
    accessKeyId,
    answer: async (...request) => {
      const { forwardRequest } = await import('./upstream-s3.ts');
      client ??= import('./users-s3.ts').then(({ createUsersS3 }) => createUsersS3());
      return forwardRequest(await client, ...request);
    },
  };
}

type Credentials = ReturnType<typeof newCredentials>;

/** Known only to the hosts of this run: other programs cannot reach the user's buckets through the local S3. */
function newCredentials() {
  return { accessKeyId: `local${randomBytes(16).toString('hex')}`, secretAccessKey: 'local' };
}

/** Loads the SDK, which takes 0.2 s, while the hosts load theirs. */
async function loadMachine(endpoint: string, credentials: Credentials) {
  const [{ createS3Client, createS3Store }, { runStateMachine }, definition] = await Promise.all([
    import('../../src/store/s3-store.ts'),
    import('../step-functions/run-state-machine.ts'),
    import('./local-definition.ts').then(({ readLocalDefinition }) => readLocalDefinition()),
  ]);
  const s3 = createS3Client({ endpoint, region: REGION, credentials, forcePathStyle: true });
  const { read: readObject } = createS3Store(s3);
  return {
    run: (executionName: string, input: unknown, runTask: RunTask, watch: Watch) => {
      const identity = { stateMachineName: 'compress-images', executionName, startedAt: new Date() };
      return runStateMachine(definition, input, identity, {
        s3,
        readObject,
        maxChildren: 1,
        resources: TASK_PARAMETERS,
        signal: watch.signal,
        runTask: async (task) => {
          const result = await runTask(task);
          watch.onTask?.(task.state, result);
          return result;
        },
      });
    },
    close: () => s3.destroy(),
  };
}

function environmentOf(
  endpoint: string,
  { accessKeyId, secretAccessKey }: Credentials,
  { home, environment }: LocalCloudOptions,
  folders: Folders,
): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    WORK_BUCKET: OUTPUT_BUCKET,
    OUTPUT_BUCKET,
    FARGATE: 'deployed',
    JOB_FILES: jobFilesIn(home),
    BUCKET_FOLDERS: JSON.stringify(folders),
    ...environment,
  };
}
