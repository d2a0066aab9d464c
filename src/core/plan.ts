import { summarise } from './file-list.ts';
import { fnv1a64 } from './fnv-hash.ts';
import type { BatchRef, Job } from './job.ts';

/** The result of PlanJob in the state machine. */
export interface PlanSummary {
  readonly jobId: string;
  readonly images: number;
  readonly batches: number;
  /** Sum of the sizes that the list named. */
  readonly bytes: number;
}

/** A list that is valid and still must not be carried out. `problems` holds the first of `total`. */
export class PlanError extends Error {
  override name = 'PlanError';
  readonly problems: readonly string[];
  readonly total: number;

  constructor(message: string, problems: readonly string[] = [], total = problems.length) {
    super(problems.length > 0 ? `${message}\n${summarise(problems, total)}` : message);
    this.problems = problems;
    this.total = total;
  }
}

/** One image to be put into a batch. */
export interface BatchItem {
  /** Bytes of its line in images.jsonl, with the line feed. */
  readonly lineBytes: number;
  /** Bytes of the image, 0 where the list does not say. */
  readonly bytes: number;
  /** The user's name of its batch. */
  readonly batch?: string;
}

/**
 * Divides the lines of images.jsonl into batches as they are written: the user's own where the list names them,
 * else by count and by bytes.
 * @param bucket the work bucket
 */
export function planBatches({ jobId, images }: Pick<Job, 'jobId' | 'images'>, bucket: string) {
  let batches = 0;
  let open: OpenBatch | undefined;
  let position = 0;

  const close = (): BatchRef | undefined => {
    if (!open) return undefined;
    const { name, start, count, bytes } = open;
    open = undefined;
    batches += 1;
    return {
      jobId,
      batchId: name === undefined ? `batch-${String(batches).padStart(6, '0')}` : safeBatchId(name),
      bucket,
      start,
      // Without the last line feed: the range then splits into exactly `count` lines.
      end: position - 2,
      count,
      bytes,
      host: count > images.fargateAbove || bytes > images.fargateAboveBytes ? 'fargate' : 'lambda',
    };
  };

  return {
    /** Takes the next line of images.jsonl. @returns the batch that it closed */
    add(item: BatchItem): BatchRef | undefined {
      const closed = open && belongs(item, open, images) ? undefined : close();
      open ??= { name: item.batch, start: position, count: 0, bytes: 0 };
      open.count += 1;
      open.bytes += item.bytes;
      position += item.lineBytes;
      return closed;
    },
    /** The last batch. */
    end: close,
  };
}

/**
 * A batch name as it is written in object keys and file names: letters, digits, `_`, `-` and inner dots stay,
 * every other byte becomes `!XX`, so that different names stay different.
 */
export function safeBatchId(name: string): string {
  const unsafe = /^\.*$/.test(name) ? /\./g : /[^A-Za-z0-9_.-]/gu;
  const hexOf = (text: string) => Buffer.from(text).toString('hex').toUpperCase();
  const encoded = name.toWellFormed().replace(unsafe, (character) => hexOf(character).replace(/../g, '!$&'));
  if (encoded.length > MAX_BATCH_ID) return `${encoded.slice(0, MAX_BATCH_ID - 20)}!!${fnv1a64(name)}`;
  return encoded === '' ? '!' : encoded;
}

interface OpenBatch {
  readonly name: string | undefined;
  readonly start: number;
  count: number;
  bytes: number;
}

const MAX_BATCH_ID = 128;

/** The user's batches stay as they are, whatever their size: only images without a batch are divided. */
function belongs(item: BatchItem, open: OpenBatch, images: Job['images']): boolean {
  if (item.batch !== open.name) return false;
  if (item.batch !== undefined) return true;
  if (open.count >= images.perBatch) return false;
  return images.perBatchBytes === null || open.bytes + item.bytes <= images.perBatchBytes;
}
