import { FAILURE_CODES, type FailureCode, type KeptReason, type SkippedReason } from './image-result.ts';
import type { Job } from './job.ts';
import { countOf, readableCount } from './readable.ts';
import type { FormatTally, Saving, Tally } from './tally.ts';

/** The content of report.json. Every planned image is in exactly one of compressed, kept, skipped, failed, lost. */
export interface JobReport {
  readonly jobId: string;
  /** FAILED when more failed than tolerated, or anything was lost. */
  readonly status: 'SUCCEEDED' | 'FAILED';
  /** Why the status is FAILED, for people. */
  readonly cause?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  readonly fileList: string;
  readonly output: string;
  /** Where jobs/<jobId>/ lies: `s3://bucket/`, or a folder in local mode. */
  readonly jobFiles: string;
  /** The name of `jobFiles` before 0.1.0; dropped in 0.2.0. */
  readonly papers: string;
  /** In local mode: which folders the buckets are. */
  readonly folders?: Folders;
  readonly planned: number;
  readonly accounted: number;
  /** planned − accounted */
  readonly lost: number;
  readonly compressed: number;
  readonly kept: number;
  readonly skipped: number;
  readonly failed: number;
  /** Of compressed and kept images. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly savedPercent: number;
  /** Of compressed images, by the format that was written. */
  readonly byFormat: Readonly<Record<string, FormatTally>>;
  /** Compressed images by how much smaller they became: below 10 %, 10 to 20 %, … 90 % and more. */
  readonly savingsHistogram: readonly number[];
  /** The biggest savings, most bytes first. */
  readonly topSavings: readonly Saving[];
  readonly keptReasons: Partial<Record<KeptReason, number>>;
  readonly skippedReasons: Partial<Record<SkippedReason, number>>;
  readonly failureCodes: Partial<Record<FailureCode, number>>;
  /** The first of them; all are in failed.jsonl. */
  readonly failures: readonly ReportedFailure[];
  /** Batches that ended without an answer for each of their images, the first of them: the error as the state machine saw it. */
  readonly failedBatches: readonly FailedBatch[];
  readonly batches: { readonly planned: number; readonly failed: number };
  /** In place only. */
  readonly replaced?: Replaced;
  /** What the plan or the machine itself failed with. */
  readonly failure?: JobFailure;
  readonly estimatedCost?: CostEstimate;
  /** Absent when the job failed before its input was checked. */
  readonly settings?: Job;
}

export interface Replaced {
  readonly images: number;
  /** Of them, those whose original nothing keeps: the bucket has no versions, and no backup was asked for. */
  readonly irreversible: number;
}

/** Paths by the name of the bucket that they are served as. */
export type Folders = Readonly<Record<string, string>>;

export interface ReportedFailure {
  readonly source: string;
  readonly code: FailureCode | 'Lost';
  readonly message: string;
}

export interface FailedBatch {
  readonly batchId: string;
  readonly error: string;
  readonly cause: string;
}

/** An error as Step Functions hands it to a Catch. */
export interface JobFailure {
  readonly error: string;
  readonly cause: string;
}

/** List prices in US dollars; compute is not in it (docs/scale.md says why, and how much it is). */
export interface CostEstimate {
  readonly s3Requests: number;
  readonly stateTransitions: number;
}

/** What a job is known by, besides its results. */
export interface JobCircumstances {
  readonly jobId: string;
  readonly job?: Job;
  readonly jobFiles: string;
  readonly folders?: Folders | undefined;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly planned: number;
  readonly batches: { readonly planned: number; readonly failed: number };
  readonly failures: readonly ReportedFailure[];
  readonly failedBatches: readonly FailedBatch[];
  readonly replaced?: Replaced;
  readonly failure?: JobFailure;
}

/** How many failures, and how many dead batches, report.json and report.html name. */
export const REPORTED_FAILURES = 200;

/** The error of a job that its user stopped: what has no result then is not lost, but was not started. */
export const INTERRUPTED = 'Interrupted';

export function wasStopped({ failure }: Pick<JobReport, 'failure'>): boolean {
  return failure?.error === INTERRUPTED;
}

/** How many images somebody should look at: those that wait for a stopped job to go on are none of them. */
export function needingALook(report: Pick<JobReport, 'failed' | 'lost' | 'failure'>): number {
  return report.failed + (wasStopped(report) ? 0 : report.lost);
}

export const LOST_MEANING = 'its host died and left no result for it';

/** What to do next about images that failed, by code. */
const FAILURE_ADVICE: Record<FailureCode | 'Lost', string> = {
  NotFound:
    'Check the key in the list, character by character: keys are taken raw, + and %20 are themselves.',
  AccessDenied:
    'Deploy with --param sourceBuckets=… for buckets that are read, outputBuckets=… for those that are written and kmsKeyArns=… for their keys; of another account, the bucket’s and the key’s own policies count too.',
  CorruptImage: 'Restore the original from a backup: the file is damaged, and was left untouched.',
  TooLarge: 'Give the host more memory, or raise limits.maxPixels.',
  EncoderCrash: 'Keep the file as it is, or convert it by hand; the other images of its batch are done.',
  OutputExists: 'Choose another output prefix, or move away the object that lies there.',
  Throttled: 'Run failed.jsonl again later, or with a lower concurrency.',
  Unexpected: 'Read the message; running failed.jsonl again helps when the cause was temporary.',
  Lost: 'Run failed.jsonl again: these images were never answered for.',
};

/** What to do about images that failed with a code; on the user's own machine nothing was deployed. */
export function adviceOn(code: FailureCode | 'Lost', { folders }: Pick<JobReport, 'folders'>): string {
  return folders && code === 'AccessDenied' ? 'Grant what the message names.' : FAILURE_ADVICE[code];
}

/** What a failure code means, in plain language. */
export function meaningOfFailure(code: FailureCode | 'Lost'): string {
  return code === 'Lost' ? LOST_MEANING : FAILURE_CODES[code];
}

/** Puts everything known of a job together and judges it. */
export function buildReport(tally: Tally, circumstances: JobCircumstances): JobReport {
  const { job, failure } = circumstances;
  const { compressed, kept, skipped, failed } = tally;
  const accounted = compressed + kept + skipped + failed;
  const lost = Math.max(0, circumstances.planned - accounted);
  const cause = causeOfFailure({ ...circumstances, failed, lost });
  const cost = estimateCost(tally, circumstances);
  return {
    jobId: circumstances.jobId,
    status: cause ? 'FAILED' : 'SUCCEEDED',
    ...(cause && { cause }),
    startedAt: circumstances.startedAt,
    finishedAt: circumstances.finishedAt,
    durationSeconds: secondsBetween(circumstances.startedAt, circumstances.finishedAt),
    fileList: job?.fileList ?? '',
    output: job?.output ?? '',
    jobFiles: circumstances.jobFiles,
    papers: circumstances.jobFiles,
    ...(circumstances.folders && { folders: circumstances.folders }),
    planned: circumstances.planned,
    accounted,
    lost,
    compressed,
    kept,
    skipped,
    failed,
    bytesIn: tally.bytesIn,
    bytesOut: tally.bytesOut,
    savedPercent: percentSaved(tally.bytesIn, tally.bytesOut),
    byFormat: tally.byFormat,
    savingsHistogram: tally.savingsHistogram,
    topSavings: tally.topSavings,
    keptReasons: tally.keptReasons,
    skippedReasons: tally.skippedReasons,
    failureCodes: tally.failureCodes,
    failures: circumstances.failures,
    failedBatches: circumstances.failedBatches,
    batches: circumstances.batches,
    ...(circumstances.replaced && { replaced: circumstances.replaced }),
    ...(failure && { failure }),
    ...(cost && { estimatedCost: cost }),
    ...(job && { settings: job }),
  };
}

/** How much smaller, in percent with two decimals; 0 of nothing. */
export function percentSaved(bytesIn: number, bytesOut: number): number {
  return bytesIn === 0 ? 0 : Math.round((1 - bytesOut / bytesIn) * 10_000) / 100;
}

/** Where report.json or another of a job's files lies, for people and commands. */
export function addressOf(jobFiles: string, key: string): string {
  return jobFiles.endsWith('/') ? jobFiles + key : `${jobFiles}/${key}`;
}

/** What is to be known of a job that replaced pictures for good; undefined where there is a way back, or nothing lost. */
export function irreversibleNote({ replaced, settings }: JobReport): string | undefined {
  if (!replaced?.irreversible || settings?.compression.mode === 'lossless') return undefined;
  return `The originals of ${countOf(replaced.irreversible, 'image')} are kept nowhere: the bucket has no versions, and 'backup' was not set.`;
}

/** A text with the folders that its user knows, in the place of the buckets that they are served as. */
export function inFolders(text: string, folders: Folders = {}): string {
  return Object.entries(folders).reduce(
    (told, [bucket, folder]) =>
      told.replaceAll(`s3://${bucket}/`, folder.endsWith('/') ? folder : `${folder}/`),
    text,
  );
}

/** What an image is called among others: of one in a folder, the path in it. */
export function nameInFolder(source: string, folders: Folders = {}): string {
  const bucket = source.slice('s3://'.length, source.indexOf('/', 's3://'.length));
  return Object.hasOwn(folders, bucket) ? source.slice(`s3://${bucket}/`.length) : source;
}

interface Judged extends JobCircumstances {
  readonly failed: number;
  readonly lost: number;
}

/** Why the job failed, in one sentence; undefined when it did not. */
function causeOfFailure(judged: Judged): string | undefined {
  const { failure, failed, lost, planned } = judged;
  if (failure && wasStopped(judged)) return failure.cause;
  const tolerated = judged.job?.toleratedFailurePercentage ?? 0;
  const lacking = failed + lost;
  if (!failure && lost === 0 && lacking * 100 <= tolerated * planned) return undefined;
  const counts = lacking > 0 ? countsSentence(judged, tolerated) : undefined;
  return [failure && sentence(`${failure.error}: ${failure.cause}`), counts].filter(Boolean).join(' ');
}

function countsSentence({ failed, lost, planned }: Judged, tolerated: number): string {
  const share = Math.round(((failed + lost) / planned) * 10_000) / 100;
  const parts = [failed > 0 && `${readableCount(failed)} failed`, lost > 0 && lostPart(lost)];
  return `Of ${countOf(planned, 'image')} ${parts.filter(Boolean).join(' and ')} (${share} %, tolerated ${tolerated} %).`;
}

function lostPart(lost: number): string {
  return lost === 1 ? '1 was lost with its host' : `${readableCount(lost)} were lost with their host`;
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** US list prices, us-east-1, from docs/scale.md. */
const DOLLARS_PER_READ = 0.0000004;
const DOLLARS_PER_WRITE = 0.000005;
const DOLLARS_PER_TRANSITION = 0.000025;
/** The child's start, ChooseHost, the host, MoreToDo? and BatchDone. */
const TRANSITIONS_PER_BATCH = 5;
/** The listing of where outputs go, the one of earlier results, the journal, results: PUTs and LISTs cost the same. */
const WRITES_PER_BATCH = 7;

/** Nothing is charged for a job whose files are in a folder. */
function estimateCost(tally: Tally, { jobFiles, batches }: JobCircumstances): CostEstimate | undefined {
  if (!jobFiles.startsWith('s3://')) return undefined;
  const reads = tally.compressed + tally.kept + tally.skipped + tally.failed;
  const writes = tally.compressed + tally.copied + batches.planned * WRITES_PER_BATCH;
  return {
    s3Requests: dollars(reads * DOLLARS_PER_READ + writes * DOLLARS_PER_WRITE),
    stateTransitions: dollars(batches.planned * TRANSITIONS_PER_BATCH * DOLLARS_PER_TRANSITION),
  };
}

function dollars(amount: number): number {
  return Math.round(amount * 10_000) / 10_000;
}

function secondsBetween(start: string, end: string): number {
  const seconds = (Date.parse(end) - Date.parse(start)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * 10) / 10) : 0;
}
