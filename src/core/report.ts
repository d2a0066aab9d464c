import type { FailureCode, KeptReason, SkippedReason } from './image-result.ts';
import type { Job } from './job.ts';

/** The content of report.json. Every planned image is in exactly one of compressed, kept, skipped, failed, lost. */
export interface JobReport {
  readonly jobId: string;
  /** FAILED when more failed than tolerated, or anything was lost. */
  readonly status: 'SUCCEEDED' | 'FAILED';
  /** Why the status is FAILED, for people. */
  readonly cause?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly fileList: string;
  readonly output: string;
  /** Where jobs/<jobId>/ lies: `s3://bucket/`, or a folder in local mode. */
  readonly papers: string;
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
  readonly keptReasons: Partial<Record<KeptReason, number>>;
  readonly skippedReasons: Partial<Record<SkippedReason, number>>;
  readonly failureCodes: Partial<Record<FailureCode, number>>;
  /** The first of them; all are in failed.jsonl. */
  readonly failures: readonly {
    readonly source: string;
    readonly code: FailureCode | 'Lost';
    readonly message: string;
  }[];
  /** Batches whose host died for good: their error as the state machine saw it. */
  readonly failedBatches: readonly {
    readonly batchId: string;
    readonly error: string;
    readonly cause: string;
  }[];
  readonly batches: { readonly planned: number; readonly failed: number };
  readonly settings: Job;
}
