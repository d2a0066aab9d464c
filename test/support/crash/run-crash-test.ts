import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import type { ExecutionResult } from '../../../local/step-functions/execution.ts';
import { readJournal } from '../../../src/core/batch-journal.ts';
import { readMark } from '../../../src/core/compression-mark.ts';
import type { ImageResult } from '../../../src/core/image-result.ts';
import { jobKeys } from '../../../src/core/job-keys.ts';
import type { JobReport } from '../../../src/core/report.ts';
import { parseUndoEntry } from '../../../src/core/undo.ts';
import { sha256Of } from '../../../src/store/sha256-of.ts';
import { type CrashTestCloud, type CrashTestCloudOptions, startCrashTestCloud } from './crash-test-cloud.ts';
import { BUG, POISON } from './poisoned-codec.ts';

/** A request of a host that the S3 server sees, and at which the host can be killed. */
export interface KillPoint {
  /** The state whose task is running: PlanJob, CompressBatchOnLambda, CompressBatchOnFargate or ReportJob. */
  readonly phase: string;
  /** `requested`: the request arrived. `written`: it took effect, and the host has no answer yet. */
  readonly stage: 'requested' | 'written';
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
}

/** Whether to kill now; a number: after so many milliseconds. */
export type KillWhen = (point: KillPoint) => boolean | number;

export interface CrashTestJob {
  readonly output: 'elsewhere' | 'in-place';
  readonly host: 'lambda' | 'fargate';
  readonly fargate?: boolean;
  readonly images: number;
  readonly perBatch: number;
  /** Ordinals of images that crash their process. */
  readonly poison?: readonly number[];
  /** Ordinals of images at which the codec throws a TypeError. */
  readonly bugs?: readonly number[];
  readonly killWhen?: KillWhen;
  readonly kill?: Parameters<CrashTestCloud['kill']>[0];
  readonly faults?: CrashTestCloudOptions['faults'];
}

export interface CrashTestResult {
  readonly execution: ExecutionResult;
  readonly report: JobReport;
  readonly results: readonly ImageResult[];
  readonly kills: readonly KillPoint[];
  readonly calls: readonly string[];
  readonly logs: readonly string[];
  /** What is wrong, as sentences; empty when nothing was lost, counted twice, incomplete or miscounted. */
  readonly problems: readonly string[];
}

const KILLABLE = ['PlanJob', 'CompressBatchOnLambda', 'CompressBatchOnFargate', 'ReportJob'];

/** Runs one job whose hosts are killed when `killWhen` says so, and checks its outputs, results and report. */
export async function runCrashTest(job: CrashTestJob): Promise<CrashTestResult> {
  const kills: KillPoint[] = [];
  const crashes = newCrashCounter();
  const at = (stage: KillPoint['stage'], method: string, bucket: string, key: string) => {
    const point = { phase: cloud.phase(), stage, method, bucket, key };
    if (stage === 'requested' && method === 'GET' && key.endsWith('/job.json')) crashes.look(cloud);
    if (!KILLABLE.includes(point.phase)) return;
    const decision = job.killWhen?.(point) ?? false;
    const kill = () => {
      if (cloud.phase() === point.phase && cloud.kill(job.kill)) kills.push(point);
    };
    if (decision === true) kill();
    else if (decision !== false) setTimeout(kill, decision);
  };
  const cloud = await startCrashTestCloud({
    fargate: job.fargate,
    poisoned: job.poison !== undefined || job.bugs !== undefined,
    faults: job.faults,
    onRequest: ({ method, bucket, key }) => at('requested', method, bucket, key),
    onWritten: ({ s3 }) => at('written', 'PUT', s3.bucket.name, decodeURIComponent(s3.object.key)),
  });
  try {
    const originals = await putPictures(job, cloud);
    const execution = await cloud.run(JOB_ID, inputOf(job));
    // A delayed kill may still be pending.
    await sleep(30);
    const written = readJobFiles(cloud, execution);
    const problems = await findProblems({ job, originals, cloud, crashes, ...written });
    return { execution, ...written, kills, calls: cloud.calls, logs: cloud.logs, problems };
  } finally {
    await cloud.close();
  }
}

const JOB_ID = 'crash-test';

function inputOf({ output, host, perBatch }: CrashTestJob): object {
  return {
    fileList: 's3://pictures/',
    ...(output === 'in-place' ? { output, irreversible: true } : { output: 's3://out/' }),
    encoding: { effort: 'fast' },
    images: { perBatch, ...(host === 'fargate' && { fargateAbove: 0 }) },
    toleratedFailurePercentage: 100,
  };
}

type Originals = ReadonlyMap<string, Uint8Array>;

async function putPictures(
  { images, poison = [], bugs = [] }: CrashTestJob,
  { store }: CrashTestCloud,
): Promise<Originals> {
  const originals = new Map<string, Uint8Array>();
  for (let n = 0; n < images; n++) {
    const key = `${String(n).padStart(4, '0')}.jpg`;
    const comment = poison.includes(n) ? POISON : bugs.includes(n) ? BUG : '';
    const body = comment === '' ? await picture() : withComment(await picture(), comment);
    originals.set(key, body);
    await store.put({ bucket: 'pictures', key }, body);
  }
  return originals;
}

function picture(): Promise<Buffer> {
  const pixels = randomBytes(96 * 64 * 3).map((byte) => byte >> 1);
  return sharp(pixels, { raw: { width: 96, height: 64, channels: 3 } })
    .jpeg({ quality: 96 })
    .toBuffer();
}

/** The text in a COM segment after SOI. */
function withComment(jpeg: Buffer, text: string): Buffer {
  const header = Buffer.from([0xff, 0xfe, 0, text.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), header, Buffer.from(text), jpeg.subarray(2)]);
}

/** Counts, as each host starts, the crashes at which an image was the only one in flight. */
function newCrashCounter() {
  const crashes = new Map<number, number>();
  const seen = new Set<string>();
  return {
    countOf: (n: number) => crashes.get(n) ?? 0,
    look: (cloud: CrashTestCloud) => {
      const folder = path.join(cloud.folderOf('work'), jobKeys.results(JOB_ID));
      for (const name of filesBelow(folder)) {
        if (!name.endsWith('journal.json')) continue;
        const text = readFileSync(path.join(folder, name), 'utf8');
        const { closed, inFlight } = readJournal(JSON.parse(text));
        // The same crash is seen again while its image is quarantined.
        if (closed || inFlight === null || seen.has(name + text)) continue;
        seen.add(name + text);
        crashes.set(inFlight, (crashes.get(inFlight) ?? 0) + 1);
      }
    },
  };
}

function readJobFiles(cloud: CrashTestCloud, execution: ExecutionResult) {
  const jobFiles = cloud.folderOf('work');
  const report = path.join(jobFiles, jobKeys.reportJson(JOB_ID));
  if (!statSync(report, { throwIfNoEntry: false }))
    throw new Error(`The job ended without a report: ${JSON.stringify(execution)}`);
  const results = path.join(jobFiles, jobKeys.results(JOB_ID));
  const lines = filesBelow(results)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => linesOf(path.join(results, name)));
  return {
    report: JSON.parse(readFileSync(report, 'utf8')) as JobReport,
    results: lines.map((line) => JSON.parse(line) as ImageResult),
  };
}

interface Evidence {
  readonly job: CrashTestJob;
  readonly originals: Originals;
  readonly cloud: CrashTestCloud;
  readonly crashes: ReturnType<typeof newCrashCounter>;
  readonly report: JobReport;
  readonly results: readonly ImageResult[];
}

async function findProblems(evidence: Evidence): Promise<string[]> {
  return [
    ...accountProblems(evidence),
    ...failureProblems(evidence),
    ...(evidence.job.output === 'in-place' ? await inPlaceProblems(evidence) : await outputProblems(evidence)),
  ];
}

function* accountProblems({ originals, report, results }: Evidence) {
  const { planned, accounted, lost, compressed, kept, skipped, failed } = report;
  if (planned !== originals.size) yield `${originals.size} pictures, ${planned} planned`;
  if (lost !== 0) yield `${lost} lost: ${JSON.stringify(report.failedBatches)}`;
  if (accounted !== planned || compressed + kept + skipped + failed !== accounted)
    yield `planned ${planned}, accounted ${accounted}, but ${compressed} + ${kept} + ${skipped} + ${failed}`;
  const answered = new Set(results.map(({ index }) => index));
  if (answered.size !== planned) yield `results for ${answered.size} of ${planned} images`;
  if (results.length !== answered.size) yield `${results.length} results for ${answered.size} images`;
  for (const { status, source } of results)
    if (status !== 'compressed' && status !== 'failed') yield `${source} is ${status}`;
}

function* failureProblems({ job: { poison = [], bugs = [] }, results, crashes }: Evidence) {
  for (const result of results) {
    if (poison.includes(result.index) && (result.status !== 'failed' || result.code !== 'EncoderCrash'))
      yield `${result.source} is poison, but its result is ${JSON.stringify(result)}`;
    if ([...poison, ...bugs].includes(result.index) || result.status !== 'failed') continue;
    if (result.code !== 'EncoderCrash' || crashes.countOf(result.index) < 2)
      yield `${result.source} is good, but ${JSON.stringify(result)} after ${crashes.countOf(result.index)} crashes`;
  }
}

async function outputProblems({ originals, cloud, report, results }: Evidence): Promise<string[]> {
  const problems: string[] = [];
  const folder = cloud.folderOf('out');
  const compressed = results.filter(({ status }) => status === 'compressed');
  const wanted = compressed.map(({ source }) => nameOf(source)).sort();
  const found = filesBelow(folder).sort();
  if (String(found) !== String(wanted)) problems.push(`outputs ${found} instead of ${wanted}`);
  const bytesOut = found.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  if (bytesOut !== report.bytesOut) problems.push(`${bytesOut} bytes are stored, ${report.bytesOut} are reported`);
  const bytesIn = wanted.reduce((sum, name) => sum + originals.get(name)!.byteLength, 0);
  if (bytesIn !== report.bytesIn) problems.push(`${bytesIn} bytes in, ${report.bytesIn} are reported`);
  for (const name of found) if (!(await isComplete(path.join(folder, name)))) problems.push(`${name} is incomplete`);
  for (const [name, body] of originals) {
    if (!readFileSync(path.join(cloud.folderOf('pictures'), name)).equals(body))
      problems.push(`the source ${name} changed`);
  }
  return problems;
}

async function inPlaceProblems({ originals, cloud, report, results }: Evidence): Promise<string[]> {
  const problems: string[] = [];
  const undo = undoOf(cloud);
  const resultOf = new Map(results.map((result) => [nameOf(result.source), result]));
  let bytesOut = 0;
  for (const [key, original] of originals) {
    const object = await cloud.store.get({ bucket: 'pictures', key });
    if (!object || object === 'not-modified') {
      problems.push(`${key} is gone`);
      continue;
    }
    const isOriginal = Buffer.from(object.body).equals(original);
    const isCompressed = readMark(object.metadata)?.sha256 === sha256Of(object.body);
    if (isOriginal === isCompressed) problems.push(`${key} is neither its original nor its compressed version`);
    const status = resultOf.get(key)?.status;
    if (isCompressed !== (status === 'compressed'))
      problems.push(`${key} is reported as ${status}, but the object is not`);
    if (!isCompressed) continue;
    bytesOut += object.size;
    if (!(await isComplete(object.body))) problems.push(`${key} is incomplete`);
    if (undo.get(key) !== object.etag) problems.push(`undo.jsonl does not name ${key} as it is now`);
  }
  for (const key of undo.keys()) if (!originals.has(key)) problems.push(`undo.jsonl names ${key}`);
  if (bytesOut !== report.bytesOut) problems.push(`${bytesOut} bytes are stored, ${report.bytesOut} are reported`);
  return problems;
}

function undoOf(cloud: CrashTestCloud): Map<string, string> {
  const file = path.join(cloud.folderOf('work'), jobKeys.undo(JOB_ID));
  if (!statSync(file, { throwIfNoEntry: false })) return new Map();
  return new Map(
    linesOf(file).map((line) => {
      const { key, etagAfter } = parseUndoEntry(line)!;
      return [key, etagAfter];
    }),
  );
}

async function isComplete(image: string | Uint8Array): Promise<boolean> {
  return sharp(image, { failOn: 'warning' })
    .stats()
    .then(
      () => true,
      () => false,
    );
}

function nameOf(source: string): string {
  return source.slice('s3://pictures/'.length);
}

function filesBelow(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })) return [];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(folder, name)).isFile());
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
