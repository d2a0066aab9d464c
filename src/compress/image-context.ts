import type { Logger } from '@aws-lambda-powertools/logger';
import type { BytesOutcome } from '../codec/outcome.ts';
import type { WriteCount } from '../core/compression-mark.ts';
import type { CompressionSettings, Job } from '../core/job.ts';
import type { EndpointCheck, ObjectStore } from '../core/object-store.ts';
import type { UndoEntry } from '../core/undo.ts';
import type { ExclusiveLock } from './exclusive-lock.ts';

interface HostContext {
  readonly store: ObjectStore;
  compress(bytes: Uint8Array, settings: CompressionSettings): Promise<BytesOutcome>;
  /** Called for every replaced original, before its outcome is returned. */
  onUndo?(entry: UndoEntry): void | Promise<void>;
  /** A source above it is not read into memory but `failed: TooLarge`. */
  readonly maxBytes?: number;
}

/** What compressing one image of a job needs besides the image. */
export interface ImageContext extends HostContext {
  readonly job: Job;
  readonly batchId: string;
  readonly log: Pick<Logger, 'error'>;
  /** A source above `bytes` is compressed while no other image is in flight. */
  readonly large?: { readonly bytes: number; readonly exclusive: ExclusiveLock['exclusive'] };
}

type InPlaceSettings = Pick<Job, 'jobId' | 'force' | 'dryRun' | 'backup' | 'correctContentType' | 'acl'>;

/**
 * What compressing one image in place needs, of a job or an upload. An upload has no `jobId`: it is left as it is with
 * any mark of ours, whatever its settings.
 */
export interface InPlaceContext extends HostContext, Partial<InPlaceSettings> {
  readonly settings: CompressionSettings;
  /** Whether images of a bucket may be replaced. A job was checked by PlanJob. */
  readonly endpointCheck?: EndpointCheck;
  /** The count with one more write in it; undefined when that would be too many within the hour. */
  countWrite?(before: WriteCount | undefined): WriteCount | undefined;
}
