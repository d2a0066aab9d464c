import type { Logger } from '@aws-lambda-powertools/logger';
import type { BytesOutcome } from '../codec/outcome.ts';
import type { CompressionSettings, Job } from '../core/job.ts';
import type { ObjectStore } from '../core/object-store.ts';
import type { UndoEntry } from '../core/undo.ts';
import type { ExclusiveLock } from './exclusive-lock.ts';

/** What compressing one image of a job needs besides the image. */
export interface ImageContext {
  readonly job: Job;
  readonly batchId: string;
  readonly store: ObjectStore;
  readonly log: Pick<Logger, 'error'>;
  compress(bytes: Uint8Array, settings: CompressionSettings): Promise<BytesOutcome>;
  /** Called for every replaced original, before its outcome is returned. */
  onUndo?(entry: UndoEntry): void | Promise<void>;
  /** A source above it is not read into memory but `failed: TooLarge`. */
  readonly maxBytes?: number;
  /** A source above `bytes` is compressed while no other image is in flight. */
  readonly large?: { readonly bytes: number; readonly exclusive: ExclusiveLock['exclusive'] };
}
