import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startLambdaHost } from '../../../local/cloud/lambda-host.ts';
import { createTaskResources, TASK_PARAMETERS } from '../../../local/cloud/task-resources.ts';
import { type S3EventRecord, startS3Server } from '../../../local/s3/s3-server.ts';
import type { ExecutionResult } from '../../../local/step-functions/execution.ts';
import { readDefinition } from '../../../local/step-functions/read-definition.ts';
import { runStateMachine } from '../../../local/step-functions/run-state-machine.ts';
import type { ObjectStore } from '../../../src/core/object-store.ts';
import { createS3Client, createS3Store } from '../../../src/store/s3-store.ts';
import { type FaultPlan, injectFaults } from '../s3-faults.ts';

export interface CrashTestCloudOptions {
  /** Without Fargate the machine is the one of a stack that was deployed without it. */
  readonly fargate?: boolean;
  /** Runs programs with a poisoned codec instead of the real ones. */
  readonly poisoned?: boolean;
  readonly faults?: FaultPlan;
  /** Called for every S3 request before it is handled. */
  onRequest?(request: { method: string; bucket: string; key: string }): void;
  /** Called for every object written, before the writer has its answer. */
  onWritten?(record: S3EventRecord): void;
}

/** The whole local cloud with real processes for its hosts, which can be killed at any time. */
export interface CrashTestCloud {
  readonly store: ObjectStore;
  /** Folder of a bucket: `pictures`, `out` or `work`. */
  folderOf(bucket: string): string;
  run(jobId: string, input: object): Promise<ExecutionResult>;
  /** The state whose task is running. */
  phase(): string;
  /** Sends SIGKILL to the process that works: the Lambda's, or the task's worker or supervisor. */
  kill(target?: 'worker' | 'supervisor'): boolean;
  /** Every line that the hosts have logged. */
  readonly logs: readonly string[];
  /** Calls of compress-batch, by either host. */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

const BUCKETS = ['pictures', 'out', 'work'] as const;
const root = new URL('../../..', import.meta.url);

export async function startCrashTestCloud(options: CrashTestCloudOptions = {}): Promise<CrashTestCloud> {
  const home = await mkdtemp(path.join(tmpdir(), 'crash-test-'));
  const logs: string[] = [];
  const processIds = path.join(home, 'processes');
  mkdirSync(processIds);
  const folderOf = (bucket: string) => path.join(home, bucket);
  const buckets = BUCKETS.map((name) => [name, { folder: folderOf(name), state: path.join(home, 'state', name) }]);
  const s3 = await startS3Server({
    buckets: Object.fromEntries(buckets),
    onEvent: (record) => options.onWritten?.(record),
    beforeRequest: injectFaults((request) => {
      options.onRequest?.(request);
      return options.faults?.(request);
    }),
  });
  const environment = {
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    WORK_BUCKET: 'work',
    OUTPUT_BUCKET: 'out',
    JOB_FILES: `${folderOf('work')}/`,
    PROCESS_IDS: processIds,
    NODE_OPTIONS: `--import=${new URL('test/support/crash/announce-process.ts', root).href}`,
  };
  const program = (real: string, poisoned: string) => new URL(options.poisoned ? poisoned : real, root);
  const lambda = startLambdaHost({
    functions: {
      'plan-job': functionAt(new URL('functions/plan-job.ts', root)),
      'compress-batch': functionAt(program('functions/compress-batch.ts', 'test/support/crash/poisoned-function.ts')),
      'report-job': functionAt(new URL('functions/report-job.ts', root)),
    },
    processes: 1,
    environment,
    onLog: (line) => void logs.push(line),
  });
  const runTask = createTaskResources({
    lambda,
    fargate: {
      program: program('fargate/main.ts', 'test/support/crash/poisoned-task.ts'),
      environment,
      onLog: (line) => void logs.push(line),
    },
  });
  const client = createS3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const text = await readFile(new URL('statemachines/compress-images.asl.yml', root), 'utf8');
  const definition = readDefinition(text, {
    nameOf: (logicalId) => (logicalId === 'OutputBucket' ? 'work' : logicalId),
    holds: () => options.fargate ?? true,
  });
  const calls: string[] = [];
  let phase = '';

  const store = createS3Store(client);
  return {
    store,
    folderOf,
    calls,
    logs,
    phase: () => phase,
    kill: (target) => killHost(processIds, target),
    run: (executionName, input) => {
      const identity = { stateMachineName: 'compress-images', executionName, startedAt: new Date() };
      return runStateMachine(definition, input, identity, {
        s3: client,
        readObject: store.read,
        maxChildren: 1,
        resources: TASK_PARAMETERS,
        retryScale: 0.001,
        runTask: async (task) => {
          phase = task.state;
          if (task.state.startsWith('CompressBatch')) calls.push(task.state);
          try {
            return await runTask(task);
          } finally {
            phase = '';
          }
        },
      });
    },
    close: async () => {
      await lambda.close();
      client.destroy();
      await s3.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function functionAt(module: URL) {
  return { module, timeoutSeconds: 300, memoryMegabytes: 1769 };
}

/** Kills the task when one is running, else the Lambda. */
function killHost(folder: string, target: 'worker' | 'supervisor' = 'worker'): boolean {
  const alive = readdirSync(folder).flatMap((name) => {
    const [pid, kind] = [Number(name), readFileSync(path.join(folder, name), 'utf8')];
    if (isAlive(pid)) return [{ pid, kind }];
    rmSync(path.join(folder, name));
    return [];
  });
  const [lambda] = alive.filter(({ kind }) => kind === 'lambda-process.ts');
  const [worker] = alive.filter(({ kind }) => kind === 'worker');
  const [supervisor] = alive.filter(({ kind }) => kind === 'main.ts');
  const victim = supervisor ? (target === 'supervisor' ? supervisor : worker) : lambda;
  if (!victim) return false;
  // Its id exists until its parent has collected its exit.
  rmSync(path.join(folder, String(victim.pid)));
  return process.kill(victim.pid, 'SIGKILL');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
