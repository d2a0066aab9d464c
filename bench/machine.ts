/**
 * What the machine itself costs: a job over many tiny images with a codec that costs nothing, through the real state
 * machine, real processes and real S3 calls. Every image is a HEAD, a GET and a PUT. `node bench/machine.ts [images]`
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startLambdaHost } from '../local/cloud/lambda-host.ts';
import { OUTPUT_BUCKET } from '../local/cloud/local-buckets.ts';
import { readLocalDefinition } from '../local/cloud/local-definition.ts';
import { createTaskResources, TASK_PARAMETERS } from '../local/cloud/task-resources.ts';
import { startS3Server } from '../local/s3/s3-server.ts';
import { runStateMachine } from '../local/step-functions/run-state-machine.ts';
import { jobKeys } from '../src/core/job-keys.ts';
import type { JobReport } from '../src/core/report.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';

const images = Number(process.argv[2] ?? 100_000);
const PER_BATCH = 200;
const IMAGE_BYTES = 2_000;
const JOB_ID = 'machine';

const home = await mkdtemp(path.join(tmpdir(), 'bench-machine-'));
try {
  const place = (name: string) => ({
    folder: path.join(home, name),
    state: path.join(home, 'state', name),
  });
  writePictures(place('pictures').folder);
  const before = process.resourceUsage();
  const start = performance.now();
  const report = await runJob();
  const seconds = (performance.now() - start) / 1000;
  printMeasurement(report, seconds, before);
} finally {
  await rm(home, { recursive: true, force: true });
}

function writePictures(folder: string): void {
  const lines: string[] = [];
  for (let n = 0; n < images; n++) {
    const key = `${String(Math.floor(n / 1000)).padStart(4, '0')}/${String(n).padStart(7, '0')}.jpg`;
    if (n % 1000 === 0) mkdirSync(path.dirname(path.join(folder, key)), { recursive: true });
    const body = Buffer.alloc(IMAGE_BYTES, n % 251);
    body.writeUInt32LE(n);
    writeFileSync(path.join(folder, key), body);
    lines.push(JSON.stringify({ bucket: 'pictures', key, size: IMAGE_BYTES }));
  }
  mkdirSync(path.join(home, OUTPUT_BUCKET, 'lists'), { recursive: true });
  writeFileSync(path.join(home, OUTPUT_BUCKET, 'lists', 'all.jsonl'), lines.join('\n'));
}

async function runJob(): Promise<JobReport> {
  const usage = path.join(home, 'usage');
  mkdirSync(usage);
  const buckets = ['pictures', 'out', OUTPUT_BUCKET].map((name) => [
    name,
    { folder: path.join(home, name), state: path.join(home, 'state', name) },
  ]);
  const s3 = await startS3Server({ buckets: Object.fromEntries(buckets) });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const environment = {
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    WORK_BUCKET: OUTPUT_BUCKET,
    OUTPUT_BUCKET: 'out',
    JOB_FILES: path.join(home, OUTPUT_BUCKET),
    PROCESS_USAGE: usage,
    NODE_OPTIONS: [
      `--import=${new URL('machine/report-usage.ts', import.meta.url).href}`,
      process.env.HOST_OPTIONS ?? '',
    ].join(' '),
  };
  const at = (file: string) => ({
    module: new URL(file, import.meta.url),
    timeoutSeconds: 900,
    memoryMegabytes: 1769,
  });
  const lambda = startLambdaHost({
    functions: {
      'plan-job': at('../functions/plan-job.ts'),
      'compress-batch': at('machine/stub-function.ts'),
      'report-job': at('../functions/report-job.ts'),
    },
    processes: 1,
    environment,
    onLog: () => {},
  });
  const client = createS3Client({ endpoint: s3.endpoint, region: 'us-east-1', credentials });
  const program = new URL('../fargate/main.ts', import.meta.url);
  const result = await runStateMachine(
    await readLocalDefinition(),
    {
      fileList: `s3://${OUTPUT_BUCKET}/lists/all.jsonl`,
      output: 's3://out/',
      images: { perBatch: PER_BATCH },
    },
    { stateMachineName: 'compress-images', executionName: JOB_ID, startedAt: new Date() },
    {
      s3: client,
      readObject: createS3Store(client).read,
      maxChildren: 1,
      resources: TASK_PARAMETERS,
      runTask: createTaskResources({ lambda, fargate: { program, environment, onLog: () => {} } }),
    },
  );
  await lambda.close();
  client.destroy();
  await s3.close();
  if (result.status !== 'SUCCEEDED') throw new Error(`The job ended ${JSON.stringify(result)}`);
  return JSON.parse(readFileSync(path.join(home, OUTPUT_BUCKET, jobKeys.reportJson(JOB_ID)), 'utf8'));
}

function printMeasurement(
  { planned, compressed, lost }: JobReport,
  seconds: number,
  before: NodeJS.ResourceUsage,
): void {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const own = (userCPUTime + systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1e6;
  const hosts = readdirSync(path.join(home, 'usage')).map((name) =>
    JSON.parse(readFileSync(path.join(home, 'usage', name), 'utf8')),
  ) as { cpuSeconds: number; peakMegabytes: number }[];
  const ofHosts = hosts.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const perImage = (cpuSeconds: number) => `${((cpuSeconds / images) * 1000).toFixed(2)} ms`;
  const peak = Math.max(...hosts.map(({ peakMegabytes }) => peakMegabytes));
  console.log(`${planned} planned, ${compressed} compressed, ${lost} lost, in ${seconds.toFixed(1)} s`);
  console.log(
    `CPU per image ${perImage(own + ofHosts)}: host ${perImage(ofHosts)}, S3 server and state machine ${perImage(own)}`,
  );
  console.log(`peak memory: host ${peak.toFixed(0)} MB, main process ${(maxRSS / 1024).toFixed(0)} MB`);
  if (compressed !== images || lost !== 0) process.exitCode = 1;
}
