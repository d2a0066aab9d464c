import type { ObjectStore } from '../core/object-store.ts';
import type { Folders } from '../core/report.ts';
import type { S3Location } from '../core/s3-uri.ts';

export interface ReportHost {
  readonly store: ObjectStore;
  readonly workBucket: string;
  /** Where people find jobs/<jobId>/: `s3://bucket/`, or a folder. */
  readonly jobFiles: string;
  /** The folders that the buckets are, where they are folders. */
  readonly folders?: Folders | undefined;
  readonly now: () => Date;
}

export function jobFile({ workBucket }: ReportHost, key: string): S3Location {
  return { bucket: workBucket, key };
}
