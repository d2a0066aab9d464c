import type { ObjectStore } from '../core/object-store.ts';
import type { ImageContext } from './image-context.ts';

/** What compressing a batch needs of the process it runs in: a Lambda, a Fargate task or a local one. */
export interface BatchHost {
  readonly store: ObjectStore;
  readonly workBucket: string;
  readonly log: ImageContext['log'];
  /** Images in flight at once. */
  readonly concurrency: number;
  /** Aborted when the host's time is up: images in flight are finished, the rest is handed back. */
  readonly closing: AbortSignal;
  /** How much of the host's memory images may use, in bytes. */
  readonly memoryBytes: number;
  /** A larger host continues with what remains: an image that is too large for this one is left to it. */
  readonly largerFollows?: boolean;
  /** The codec. Default: compressBytes within `memoryBytes`. */
  readonly compress?: ImageContext['compress'];
}
