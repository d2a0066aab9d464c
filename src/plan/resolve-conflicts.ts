import { NAMED_PROBLEMS } from '../core/file-list.ts';
import type { BatchRef, Job, PlannedImage } from '../core/job.ts';
import { linesIn } from '../core/lines.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { outputRule, targetFormat } from '../core/output-key.ts';
import { PlanError } from '../core/plan.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { readLines } from '../file-list/lines.ts';
import type { Collision, Conflicts } from './conflicts.ts';
import type { SpillFile, SpillFolder } from './spill.ts';

interface PlannedList {
  readonly job: Job;
  readonly store: ObjectStore;
  /** Where images.jsonl is. */
  readonly images: S3Location;
  readonly folder: SpillFolder;
}

/** @throws PlanError that names different sources with the same output, and outputs that are sources too */
export async function refuseCollisions(conflicts: Conflicts, context: PlannedList): Promise<void> {
  if (conflicts.collisions === 0) return;
  const named = await nameCollisions(conflicts.named, context);
  const total = conflicts.collisions - (conflicts.named.length - named.length);
  if (total === 0) return;
  throw new PlanError(
    `Different sources would write the same output: rename them, or choose another 'layout' or 'output'`,
    named.slice(0, NAMED_PROBLEMS),
    total,
  );
}

/** Equal fingerprints are only candidates: the names decide. */
async function nameCollisions(
  collisions: readonly Collision[],
  { job, store, images }: PlannedList,
): Promise<string[]> {
  const wanted = new Set(collisions.flatMap(({ first, second }) => [first, second]));
  const found = await readImages(wanted, store, images);
  const outputOf = outputRule(job, targetFormat(job));
  return collisions.flatMap(({ first, second, kind }) => {
    const [a, b] = [found.get(first), found.get(second)];
    if (!a || !b) throw new Error(`Expected lines ${first} and ${second} in ${formatS3Uri(images)}`);
    return describe(kind, [a, outputOf(a)], [b, outputOf(b)]) ?? [];
  });
}

type SourceAndOutput = readonly [source: S3Location, output: S3Location];

function describe(kind: Collision['kind'], a: SourceAndOutput, b: SourceAndOutput): string | undefined {
  const [sourceA = '', outputA] = a.map(formatS3Uri);
  const [sourceB = '', outputB] = b.map(formatS3Uri);
  if (kind === 'output')
    return outputA === outputB && sourceA !== sourceB ? `${sourceA} and ${sourceB} -> ${outputA}` : undefined;
  if (outputA === sourceB) return `${sourceA} -> ${outputA}, which is a source too`;
  return outputB === sourceA ? `${sourceB} -> ${outputB}, which is a source too` : undefined;
}

async function readImages(wanted: ReadonlySet<number>, store: ObjectStore, images: S3Location) {
  const found = new Map<number, PlannedImage>();
  for await (const { first, lines } of readLines(store.read(images), formatS3Uri(images))) {
    for (const [index, line] of lines.entries())
      if (wanted.has(first - 1 + index)) found.set(first - 1 + index, JSON.parse(line) as PlannedImage);
    if (found.size === wanted.size) break;
  }
  return found;
}

/**
 * Writes images.jsonl again with every duplicate marked, where there are any.
 * @returns the lines of batches.jsonl, with the byte ranges that the marks have moved
 */
export async function markDuplicates(
  conflicts: Conflicts,
  batches: SpillFile,
  { store, images, folder }: PlannedList,
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
  const refs = linesIn(batches.pieces()).map((line) => JSON.parse(line) as BatchRef);
  let batch = refs.next().value;
  let start = 0;
  let position = 0;
  let count = 0;
  return (lineBytes) => {
    if (!batch) return;
    position += lineBytes;
    count += 1;
    if (count < batch.count) return;
    moved.append(Buffer.from(`${JSON.stringify({ ...batch, start, end: position - 2 })}\n`));
    batch = refs.next().value;
    start = position;
    count = 0;
  };
}
