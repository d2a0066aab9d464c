import { isNamedLikeHash } from '../core/content-address.ts';
import type { FileListEntry } from '../core/file-list.ts';
import type { BatchRef, Job } from '../core/job.ts';
import { PlanError, type PlanSummary, planBatches } from '../core/plan.ts';
import { countOf } from '../core/readable.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { spreadSample } from '../core/spread-sample.ts';
import { type Conflicts, findConflicts } from './conflicts.ts';
import { CHECKED_KEYS, mustCheckAddresses } from './content-addressed.ts';
import type { FinishedSources } from './finished.ts';
import { checkOutputs, distinguishingPart } from './output-rules.ts';
import type { SpillFolder } from './spill.ts';

/** A line of images.jsonl: a key of 1,024 bytes that are all escaped, an etag, and the rest. */
export const MAX_LINE_BYTES = 16 * 1024;

export type Draft = ReturnType<typeof startDraft>;

/** A plan while the list is read: counts, batches and conflicts of the lines so far. */
export function startDraft(job: Job, workBucket: string, folder: SpillFolder, finished?: FinishedSources) {
  const planner = planBatches(job, workBucket);
  const finder = findConflicts(folder, distinguishingPart(job));
  const outputs = checkOutputs(job, workBucket);
  const batches = folder.file();
  const total = { images: 0, batches: 0, bytes: 0 };
  const buckets = new Set<string>();
  const hashNames = spreadSample<FileListEntry>(CHECKED_KEYS);
  const checksNames = mustCheckAddresses(job);

  const keep = (batch: BatchRef | undefined) => {
    if (!batch) return;
    total.batches += 1;
    batches.append(Buffer.from(`${JSON.stringify(batch)}\n`));
  };

  return {
    /** Writes the line of images.jsonl for an entry. @returns its bytes; 0 for an entry that an earlier job finished */
    add(entry: FileListEntry, into: Buffer, at: number): number {
      if (finished?.has(entry)) return 0;
      const n = total.images;
      total.images += 1;
      total.bytes += entry.size ?? 0;
      buckets.add(entry.bucket);
      if (checksNames && isNamedLikeHash(entry.key)) hashNames.offer(entry);
      refuseOverLimits(total, entry, job.limits);
      const { output, isOverwritable } = outputs.check(entry);
      finder.add(n, entry, output, isOverwritable);
      const lineBytes = into.write(lineOf(n, entry), at);
      keep(planner.add({ lineBytes, bytes: entry.size ?? 0, batch: entry.batch }));
      return lineBytes;
    },
    /** @throws PlanError for outputs that must not be written */
    end(): void {
      keep(planner.end());
      outputs.end();
    },
    /** The lines of batches.jsonl, after `end`. */
    batches,
    /** Every bucket with an image of the plan. */
    buckets: buckets as ReadonlySet<string>,
    /** In place, some of the images whose keys look like hashes. */
    namedLikeHashes: hashNames.items,
    conflicts: (): Conflicts => finder.find(),
    summary: (): PlanSummary => ({ jobId: job.jobId, ...total }),
  };
}

/** A PlannedImage as JSON, put together by hand, because there may be ten million of them. */
function lineOf(n: number, { bucket, key, size, etag }: FileListEntry): string {
  const named = `{"n":${n},"bucket":"${bucket}","key":${JSON.stringify(key)}`;
  const sized = size === undefined ? named : `${named},"size":${size}`;
  return etag === undefined ? `${sized}}\n` : `${sized},"etag":${JSON.stringify(etag)}}\n`;
}

function refuseOverLimits(
  { images, bytes }: { readonly images: number; readonly bytes: number },
  { size, bucket, key }: FileListEntry,
  { maxObjects, maxBytes }: Job['limits'],
): void {
  if (maxObjects !== null && images > maxObjects)
    throw new PlanError(
      `The list contains more than ${countOf(maxObjects, 'image')}: raise 'limits.maxObjects' or shorten the list`,
    );
  if (maxBytes === null) return;
  if (size === undefined)
    throw new PlanError(
      `'limits.maxBytes' needs the size of every image, and the list gives none for ${formatS3Uri({ bucket, key })}: use a prefix or an inventory, or add sizes`,
    );
  if (bytes > maxBytes)
    throw new PlanError(
      `The images of the list are larger than ${maxBytes} bytes in all: raise 'limits.maxBytes' or shorten the list`,
    );
}
