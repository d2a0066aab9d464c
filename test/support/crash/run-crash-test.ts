import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import type { ExecutionResult } from '../../../local/step-functions/execution.ts';
import { readMark } from '../../../src/core/compression-mark.ts';
import type { ImageResult } from '../../../src/core/image-result.ts';
import { jobKeys } from '../../../src/core/job-keys.ts';
import type { JobReport } from '../../../src/core/report.ts';
import { parseUndoEntry } from '../../../src/core/undo.ts';
import { sha256Of } from '../../../src/store/sha256-of.ts';
import { type MortalCloud, type MortalCloudOptions, startMortalCloud } from './crash-test-cloud.ts';
import { POISON } from './poisoned-codec.ts';

/** What an S3 server sees of a host: the moments at which it can be killed. */
export interface Moment {
  /** The state whose task runs: PlanJob, CompressBatchOnLambda, CompressBatchOnFargate or ReportJob. */
  readonly phase: string;
  /** `asked`: the request came in. `written`: it is carried out, and the host does not know it yet. */
  readonly stage: 'asked' | 'written';
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
}

/** Whether to kill now; a number: so many milliseconds later. */
export type KillPlan = (moment: Moment) => boolean | number;

export interface MortalJob {
  readonly output: 'elsewhere' | 'in-place';
  readonly host: 'lambda' | 'fargate';
  readonly fargate?: boolean;
  readonly images: number;
  readonly perBatch: number;
  /** Ordinals of images that take their process down. */
  readonly poison?: readonly number[];
  readonly killWhen?: KillPlan;
  readonly kill?: Parameters<MortalCloud['kill']>[0];
  readonly faults?: MortalCloudOptions['faults'];
}

export interface MortalEnd {
  readonly execution: ExecutionResult;
  readonly report: JobReport;
  readonly results: readonly ImageResult[];
  readonly kills: readonly Moment[];
  readonly calls: readonly string[];
  /** Everything that is not as it has to be, in words; empty when nothing was lost, doubled, torn or miscounted. */
  readonly problems: readonly string[];
}

const KILLABLE = ['PlanJob', 'CompressBatchOnLambda', 'CompressBatchOnFargate', 'ReportJob'];

/** Runs one job whose hosts are killed as planned, and looks at all that is left behind. */
export async function runMortalJob(job: MortalJob): Promise<MortalEnd> {
  const kills: Moment[] = [];
  const witness = newWitness();
  const at = (stage: Moment['stage'], method: string, bucket: string, key: string) => {
    const moment = { phase: cloud.phase(), stage, method, bucket, key };
    if (stage === 'asked' && method === 'GET' && key.endsWith('/job.json')) witness.look(cloud);
    if (!KILLABLE.includes(moment.phase)) return;
    const decision = job.killWhen?.(moment) ?? false;
    const strike = () => {
      if (cloud.phase() === moment.phase && cloud.kill(job.kill)) kills.push(moment);
    };
    if (decision === true) strike();
    else if (decision !== false) setTimeout(strike, decision);
  };
  const cloud = await startMortalCloud({
    fargate: job.fargate,
    poisoned: job.poison !== undefined,
    faults: job.faults,
    onRequest: ({ method, bucket, key }) => at('asked', method, bucket, key),
    onWritten: ({ s3 }) => at('written', 'PUT', s3.bucket.name, decodeURIComponent(s3.object.key)),
  });
  try {
    const originals = await putPictures(job, cloud);
    const execution = await cloud.run(JOB_ID, inputOf(job));
    // A kill that was asked for late may still be on its way.
    await sleep(30);
    const left = readLeft(cloud, execution);
    const problems = await judge({ job, originals, cloud, witness, ...left });
    return { execution, ...left, kills, calls: cloud.calls, problems };
  } finally {
    await cloud.close();
  }
}

const JOB_ID = 'mortal';

function inputOf({ output, host, perBatch }: MortalJob): object {
  return {
    fileList: 's3://pictures/',
    output: output === 'in-place' ? 'in-place' : 's3://out/',
    encoding: { effort: 'fast' },
    images: { perBatch, ...(host === 'fargate' && { fargateAbove: 0 }) },
    toleratedFailurePercentage: 100,
  };
}

type Originals = ReadonlyMap<string, Uint8Array>;

async function putPictures({ images, poison = [] }: MortalJob, { store }: MortalCloud): Promise<Originals> {
  const originals = new Map<string, Uint8Array>();
  for (let n = 0; n < images; n++) {
    const key = `${String(n).padStart(4, '0')}.jpg`;
    const body = poison.includes(n) ? poisoned(await picture()) : await picture();
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

/** The text in a COM segment behind SOI. */
function poisoned(jpeg: Buffer): Buffer {
  const comment = Buffer.from([0xff, 0xfe, 0, POISON.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), comment, Buffer.from(POISON), jpeg.subarray(2)]);
}

/** Sees, as each host begins, which image was alone in hand at the death of the one before. */
function newWitness() {
  const deaths = new Map<number, number>();
  const seen = new Set<string>();
  return {
    deathsWith: (n: number) => deaths.get(n) ?? 0,
    look: (cloud: MortalCloud) => {
      const folder = path.join(cloud.folderOf('work'), jobKeys.results(JOB_ID));
      for (const name of filesBelow(folder)) {
        if (!name.endsWith('journal.json')) continue;
        const text = readFileSync(path.join(folder, name), 'utf8');
        const { closed, trying } = JSON.parse(text);
        // The same death is seen again while its image is condemned.
        if (closed || trying === null || seen.has(name + text)) continue;
        seen.add(name + text);
        deaths.set(trying, (deaths.get(trying) ?? 0) + 1);
      }
    },
  };
}

function readLeft(cloud: MortalCloud, execution: ExecutionResult) {
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
  readonly job: MortalJob;
  readonly originals: Originals;
  readonly cloud: MortalCloud;
  readonly witness: ReturnType<typeof newWitness>;
  readonly report: JobReport;
  readonly results: readonly ImageResult[];
}

async function judge(evidence: Evidence): Promise<string[]> {
  return [
    ...judgeAccounts(evidence),
    ...judgeFailures(evidence),
    ...(evidence.job.output === 'in-place' ? await judgeInPlace(evidence) : await judgeOutputs(evidence)),
  ];
}

function* judgeAccounts({ originals, report, results }: Evidence) {
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

function* judgeFailures({ job: { poison = [] }, results, witness }: Evidence) {
  for (const result of results) {
    if (poison.includes(result.index) && (result.status !== 'failed' || result.code !== 'EncoderCrash'))
      yield `${result.source} kills, but is ${JSON.stringify(result)}`;
    if (poison.includes(result.index) || result.status !== 'failed') continue;
    if (result.code !== 'EncoderCrash' || witness.deathsWith(result.index) < 2)
      yield `${result.source} is good, but ${JSON.stringify(result)} after ${witness.deathsWith(result.index)} deaths`;
  }
}

async function judgeOutputs({ originals, cloud, report, results }: Evidence): Promise<string[]> {
  const problems: string[] = [];
  const folder = cloud.folderOf('out');
  const compressed = results.filter(({ status }) => status === 'compressed');
  const wanted = compressed.map(({ source }) => nameOf(source)).sort();
  const found = filesBelow(folder).sort();
  if (String(found) !== String(wanted)) problems.push(`outputs ${found} instead of ${wanted}`);
  const bytesOut = found.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  if (bytesOut !== report.bytesOut)
    problems.push(`${bytesOut} bytes lie there, ${report.bytesOut} are reported`);
  const bytesIn = wanted.reduce((sum, name) => sum + originals.get(name)!.byteLength, 0);
  if (bytesIn !== report.bytesIn) problems.push(`${bytesIn} bytes in, ${report.bytesIn} are reported`);
  for (const name of found) if (!(await isWhole(path.join(folder, name)))) problems.push(`${name} is torn`);
  for (const [name, body] of originals) {
    if (!readFileSync(path.join(cloud.folderOf('pictures'), name)).equals(body))
      problems.push(`the source ${name} changed`);
  }
  return problems;
}

async function judgeInPlace({ originals, cloud, report, results }: Evidence): Promise<string[]> {
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
    if (isOriginal === isCompressed) problems.push(`${key} is neither its original nor its compressed self`);
    const told = resultOf.get(key)?.status;
    if (isCompressed !== (told === 'compressed'))
      problems.push(`${key} is told ${told}, but the object is not so`);
    if (!isCompressed) continue;
    bytesOut += object.size;
    if (!(await isWhole(object.body))) problems.push(`${key} is torn`);
    if (undo.get(key) !== object.etag) problems.push(`undo.jsonl does not name ${key} as it is now`);
  }
  for (const key of undo.keys()) if (!originals.has(key)) problems.push(`undo.jsonl names ${key}`);
  if (bytesOut !== report.bytesOut)
    problems.push(`${bytesOut} bytes lie there, ${report.bytesOut} are reported`);
  return problems;
}

function undoOf(cloud: MortalCloud): Map<string, string> {
  const file = path.join(cloud.folderOf('work'), jobKeys.undo(JOB_ID));
  if (!statSync(file, { throwIfNoEntry: false })) return new Map();
  return new Map(
    linesOf(file).map((line) => {
      const { key, etagAfter } = parseUndoEntry(line)!;
      return [key, etagAfter];
    }),
  );
}

async function isWhole(image: string | Uint8Array): Promise<boolean> {
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
