import type { BatchRef } from '../core/job.ts';
import { linesIn } from '../core/lines.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { readLines } from '../file-list/lines.ts';
import type { Conflicts } from './conflicts.ts';
import type { SpillFile, SpillFolder } from './spill.ts';

/**
 * Writes images.jsonl again with every duplicate marked, where there are any.
 * @returns the lines of batches.jsonl, with the byte ranges that the marks have moved
 */
export async function markDuplicates(
  conflicts: Conflicts,
  batches: SpillFile,
  {
    store,
    images,
    folder,
  }: { readonly store: ObjectStore; readonly images: S3Location; readonly folder: SpillFolder },
): Promise<SpillFile> {
  if (conflicts.duplicates === 0) return batches;
  const moved = folder.file();
  const move = moveBatches(batches, moved);
  async function* marked(): AsyncIterable<string> {
    for await (const { first, lines } of readLines(store.read(images), formatS3Uri(images)))
      yield lines
        .map((line, index) => {
          const of = conflicts.duplicateOf(first - 1 + index);
          const written = of === undefined ? `${line}\n` : `${line.slice(0, -1)},"duplicateOf":${of}}\n`;
          move(Buffer.byteLength(written));
          return written;
        })
        .join('');
  }
  await store.upload(images, marked(), 'application/x-ndjson');
  return moved;
}

/** Takes the length of each line in turn and writes each batch with its new byte range. */
function moveBatches(batches: SpillFile, moved: SpillFile): (lineBytes: number) => void {
  const refs = linesIn(batches.pieces());
  const nextBatch = () => {
    const { done, value } = refs.next();
    return done ? undefined : (JSON.parse(value) as BatchRef);
  };
  let batch = nextBatch();
  let start = 0;
  let position = 0;
  let count = 0;
  return (lineBytes) => {
    if (!batch) return;
    position += lineBytes;
    count += 1;
    if (count < batch.count) return;
    moved.append(Buffer.from(`${JSON.stringify({ ...batch, start, end: position - 2 })}\n`));
    batch = nextBatch();
    start = position;
    count = 0;
  };
}
