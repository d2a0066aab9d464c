import { type CostEstimate, estimateCost } from './cost-estimate.ts';
import type { FailureCode } from './image-result.ts';
import type { Job } from './job.ts';
import { countOf, readableCount } from './readable.ts';
import type { Tally } from './tally.ts';

/** The content of report.json. Every planned image is in exactly one of compressed, kept, skipped, failed, lost. */
export interface JobReport extends Readonly<Omit<Tally, 'copied'>>, Omit<JobCircumstances, 'job'> {
  /** FAILED when more failed than tolerated, or anything was lost. */
  readonly status: 'SUCCEEDED' | 'FAILED';
  /** Why the status is FAILED, for people. */
  readonly cause?: string;
  readonly durationSeconds: number;
  readonly fileList: string;
  readonly output: string;
  /** The old name of `jobFiles`. 0.1.0 writes both; 0.2.0 drops this one. */
  readonly papers: string;
  readonly accounted: number;
  /** planned − accounted */
  readonly lost: number;
  readonly savedPercent: number;
  readonly estimatedCost?: CostEstimate;
  /** Absent when the job failed before its input was checked. */
  readonly settings?: Job;
}

export interface Replaced {
  readonly images: number;
  /** Of them, those whose original is gone: the bucket has no versions, and no backup was made. */
  readonly irreversible: number;
}

/** Paths of folders by the name of the bucket that they are served as. */
export type Folders = Readonly<Record<string, string>>;

export interface ReportedFailure {
  readonly source: string;
  readonly code: FailureCode | 'Lost';
  readonly message: string;
}

/** An error as Step Functions passes it to a Catch. */
export interface JobFailure {
  readonly error: string;
  readonly cause: string;
}

export interface FailedBatch extends JobFailure {
  readonly batchId: string;
}

/** What is known about a job besides its results. */
export interface JobCircumstances {
  readonly jobId: string;
  readonly job?: Job;
  /** Where jobs/<jobId>/ is: `s3://bucket/`, or a folder in local mode. */
  readonly jobFiles: string;
  /** In local mode: the folders that the buckets are. */
  readonly folders?: Folders | undefined;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly planned: number;
  readonly batches: { readonly planned: number; readonly failed: number };
  /** The first of them; all are in failed.jsonl. */
  readonly failures: readonly ReportedFailure[];
  /** The first of the batches without a result for every image, each with the error that the state machine recorded. */
  readonly failedBatches: readonly FailedBatch[];
  /** In place only. */
  readonly replaced?: Replaced;
  /** The error of the plan or of the state machine itself. */
  readonly failure?: JobFailure;
}

/** How many failures, and how many failed batches, report.json and report.html name. */
export const MAX_REPORTED_FAILURES = 200;

/** The error of a job that its user stopped: images without a result are then not lost, but not started. */
export const INTERRUPTED = 'Interrupted';

export function wasStopped({ failure }: Pick<JobReport, 'failure'>): boolean {
  return failure?.error === INTERRUPTED;
}

/** How many images failed or were lost. Those that a stopped job has not started do not count. */
export function imagesToCheck(report: Pick<JobReport, 'failed' | 'lost' | 'failure'>): number {
  return report.failed + (wasStopped(report) ? 0 : report.lost);
}

/** Combines everything that is known about a job, and decides whether it succeeded. */
export function buildReport(tally: Tally, circumstances: JobCircumstances): JobReport {
  const { job, jobId, startedAt, finishedAt, jobFiles, planned, ...rest } = circumstances;
  const { copied: _copied, ...sums } = tally;
  const accounted = sums.compressed + sums.kept + sums.skipped + sums.failed;
  const lost = Math.max(0, planned - accounted);
  const cause = causeOfFailure({ ...circumstances, failed: sums.failed, lost });
  const cost = estimateCost(tally, circumstances);
  return {
    jobId,
    status: cause ? 'FAILED' : 'SUCCEEDED',
    ...(cause && { cause }),
    startedAt,
    finishedAt,
    durationSeconds: secondsBetween(startedAt, finishedAt),
    fileList: job?.fileList ?? '',
    output: job?.output ?? '',
    jobFiles,
    papers: jobFiles,
    planned,
    accounted,
    lost,
    savedPercent: percentSaved(sums.bytesIn, sums.bytesOut),
    ...sums,
    ...rest,
    ...(cost && { estimatedCost: cost }),
    ...(job && { settings: job }),
  };
}

/** How much smaller, in percent with two decimals; 0 of nothing. */
export function percentSaved(bytesIn: number, bytesOut: number): number {
  return bytesIn === 0 ? 0 : Math.round((1 - bytesOut / bytesIn) * 10_000) / 100;
}

/** Where report.json or another file of a job is, for people and commands. */
export function addressOf(jobFiles: string, key: string): string {
  return jobFiles.endsWith('/') ? jobFiles + key : `${jobFiles}/${key}`;
}

/** A warning about originals that cannot be restored; undefined where all can, or where no pixel changed. */
export function irreversibleNote({ replaced, settings }: JobReport): string | undefined {
  if (!replaced?.irreversible || settings?.compression.mode === 'lossless') return undefined;
  const asked = settings?.irreversible ? `, as 'irreversible' allowed` : '';
  return `${countOf(replaced.irreversible, 'original')} cannot be restored: the bucket has no versions, and 'backup' was not set${asked}.`;
}

/** How many images have metadata in them that should have been removed; undefined where none has. */
export function metadataLeftNote({ metadataLeft, settings }: JobReport): string | undefined {
  if (!metadataLeft) return undefined;
  const policy = settings ? ` that 'metadata: ${settings.compression.metadata}' removes` : '';
  return `${countOf(metadataLeft, 'image')} still ${metadataLeft === 1 ? 'has' : 'have'} metadata${policy}.`;
}

/** How many images have data after their end that no viewer shows; undefined where none has. */
export function hiddenDataNote({ hiddenData }: JobReport): string | undefined {
  if (!hiddenData) return undefined;
  return `${countOf(hiddenData, 'image')} ${hiddenData === 1 ? 'has' : 'have'} hidden data after the end ('trailingData: drop' removes it).`;
}

/** Replaces buckets by the folders that they are, as the user knows them. */
export function inFolders(text: string, folders: Folders = {}): string {
  return Object.entries(folders).reduce(
    (replaced, [bucket, folder]) =>
      replaced.replaceAll(`s3://${bucket}/`, folder.endsWith('/') ? folder : `${folder}/`),
    text,
  );
}

/** The name of an image in a list: its path where it is in a folder, else its URI. */
export function nameInFolder(source: string, folders: Folders = {}): string {
  const bucket = source.slice('s3://'.length, source.indexOf('/', 's3://'.length));
  return Object.hasOwn(folders, bucket) ? source.slice(`s3://${bucket}/`.length) : source;
}

type Judged = JobCircumstances & Pick<JobReport, 'failed' | 'lost'>;

/** Why the job failed, in one sentence; undefined when it did not. */
function causeOfFailure(judged: Judged): string | undefined {
  const { failure, failed, lost, planned } = judged;
  if (failure && wasStopped(judged)) return failure.cause;
  const tolerated = judged.job?.toleratedFailurePercentage ?? 0;
  const missing = failed + lost;
  if (!failure && lost === 0 && missing * 100 <= tolerated * planned) return undefined;
  const counts = missing > 0 ? countsSentence(judged, tolerated) : undefined;
  return [failure && sentence(`${failure.error}: ${failure.cause}`), counts].filter(Boolean).join(' ');
}

function countsSentence({ failed, lost, planned }: Judged, tolerated: number): string {
  const share = Math.round(((failed + lost) / planned) * 10_000) / 100;
  const parts = [
    failed > 0 && `${readableCount(failed)} failed`,
    lost > 0 && `${readableCount(lost)} ${lost === 1 ? 'was' : 'were'} lost`,
  ];
  return `Of ${countOf(planned, 'image')}, ${parts.filter(Boolean).join(' and ')} (${share} %, tolerated ${tolerated} %).`;
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

function secondsBetween(start: string, end: string): number {
  const seconds = (Date.parse(end) - Date.parse(start)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * 10) / 10) : 0;
}
