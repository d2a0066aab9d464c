import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  DescribeMapRunCommand,
  ListMapRunsCommand,
  paginateListStateMachines,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { ImageResult } from '../../src/core/image-result.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import type { JobReport } from '../../src/core/report.ts';
import { parseS3Prefix, parseS3Uri } from '../../src/core/s3-uri.ts';
import type { ReportSummary } from '../../src/report/report-job.ts';
import { readJsonLines } from '../../src/store/json-lines.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { EXIT, exitCodeOf, INPUT_ERRORS } from './exit-codes.ts';
import { printReport } from './print-report.ts';
import { createProgress, type Progress } from './progress.ts';
import { newJobId, parseOptions, printHelp, runCommand, UsageError } from './run-command.ts';
import { adviceOnOption, checkSettings, readSettings, SETTINGS_HELP, SETTINGS_OPTIONS } from './settings-options.ts';

const HELP = `image-press job: start a job in AWS, follow it, print its report

  npm run job -- s3://bucket/list.json [options]      a file list
  npm run job -- s3://bucket/prefix/ [options]        every image below a prefix

  --output URI          s3://bucket/prefix/ or in-place                           (the stack's output bucket)
  --stage NAME          stage of the deployment                                   (dev)
  --state-machine ARN   use this state machine instead of the stage's
${SETTINGS_HELP}
  --json                report.json on stdout, progress on stderr
  --help                this text

Your AWS settings are used (AWS_PROFILE, AWS_REGION, …). Ctrl-C stops following; the job continues.`;

const OPTIONS = {
  ...SETTINGS_OPTIONS,
  output: { type: 'string' },
  stage: { type: 'string' },
  'state-machine': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** DescribeMapRun is limited to one call per second for the whole account. */
const POLL_INTERVAL_MS = 3000;

/** `npm run job`: starts an execution of the deployed state machine. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, OPTIONS, 'npm run job -- --help', adviceOnOption);
  if (values.help) return printHelp(HELP);
  const settings = readSettings(values, { fileList: 'the command line names what is compressed' });
  const output = values.output && { output: values.output };
  const input = { ...settings, ...output, fileList: fileListOf(positionals) };
  checkSettings(input, values);
  const client = await clientOfRegion();
  const stateMachineArn = values['state-machine'] ?? (await findStateMachine(client, values.stage ?? 'dev'));
  const name = newJobId('cli');
  const { executionArn } = await client.send(
    new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }),
  );
  console.error(`started ${executionArn}`);
  const execution = await follow(client, executionArn);
  return printOutcome(execution, name, values.json ?? false);
}

async function clientOfRegion(): Promise<SFNClient> {
  const client = new SFNClient({});
  await client.config.region().catch((error: Error) => {
    throw new UsageError(`Expected a region but ${error.message}: set AWS_REGION, or choose a profile that has one`);
  });
  return client;
}

function fileListOf(positionals: readonly string[]): string {
  const [fileList] = positionals;
  if (positionals.length === 1 && fileList && (parseS3Uri(fileList) || parseS3Prefix(fileList))) return fileList;
  throw new UsageError(
    `Expected one s3://bucket/list.json or s3://bucket/prefix/ but received ${positionals.join(' ') || 'nothing'}. See npm run job -- --help`,
  );
}

async function findStateMachine(client: SFNClient, stage: string): Promise<string> {
  const name = `image-press-${stage}-compress-images`;
  for await (const page of paginateListStateMachines({ client }, {})) {
    const found = page.stateMachines?.find((machine) => machine.name === name);
    if (found?.stateMachineArn) return found.stateMachineArn;
  }
  throw new UsageError(
    `Expected a state machine named ${name} in this account and region: deploy with sls deploy --stage ${stage}, or give --stage or --state-machine`,
  );
}

async function follow(client: SFNClient, executionArn: string | undefined) {
  const progress = createProgress(process.stderr, 'batches');
  progress.planning();
  for (;;) {
    const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
    await updateProgress(client, executionArn, progress);
    if (execution.status !== 'RUNNING') {
      progress.end();
      return execution;
    }
    await sleep(POLL_INTERVAL_MS);
  }
}

async function updateProgress(client: SFNClient, executionArn: string | undefined, progress: Progress) {
  const { mapRuns } = await client.send(new ListMapRunsCommand({ executionArn }));
  const mapRunArn = mapRuns?.[0]?.mapRunArn;
  if (!mapRunArn) return;
  const { executionCounts: counts } = await client.send(new DescribeMapRunCommand({ mapRunArn }));
  if (!counts) return;
  const lost = (counts.failed ?? 0) + (counts.timedOut ?? 0) + (counts.aborted ?? 0);
  progress.planned(counts.total ?? 0);
  progress.update({ done: (counts.succeeded ?? 0) + lost, failed: lost });
}

async function printOutcome(execution: DescribeExecutionCommandOutput, jobId: string, json: boolean) {
  const summary = execution.output ? (JSON.parse(execution.output) as ReportSummary) : undefined;
  const address = summary?.report ?? /s3:\/\/\S+report\.json/.exec(execution.cause ?? '')?.[0];
  const location = parseS3Uri(address ?? '');
  const store = createS3Store(createS3Client());
  const object = location && (await store.get(location));
  if (!object || object === 'not-modified') {
    console.error(`job ${jobId} ${execution.status}: ${execution.error ?? ''} ${execution.cause ?? ''}`);
    return INPUT_ERRORS.has(execution.error ?? '') ? EXIT.usage : EXIT.jobFailed;
  }
  const text = Buffer.from(object.body).toString('utf8');
  const report: JobReport = JSON.parse(text);
  process.stdout.write(json ? text : await printReport(report, results(store, location.bucket, jobId)));
  return exitCodeOf(report);
}

async function* results(store: ObjectStore, bucket: string, jobId: string): AsyncGenerator<ImageResult> {
  for await (const { key } of store.list(bucket, jobKeys.results(jobId)))
    if (key.endsWith('.jsonl')) yield* readJsonLines<ImageResult>(store, { bucket, key });
}

void runCommand(main);
