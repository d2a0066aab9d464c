import { isByteCount } from '../core/file-list.ts';
import { linesIn } from '../core/lines.ts';
import type { SpillFile, SpillFolder } from './spill.ts';

/** One image of the new list: its entry, and its size where it is known. */
export type ListLine = Readonly<{ entry: string; size?: number | undefined }>;

export interface ListDivision {
  readonly batches: number;
  /** count: equal numbers of images. bytes: about equal sums of sizes. */
  readonly by: 'count' | 'bytes';
}

/** A list that cannot be divided; the message says what to do. */
export class MakeListError extends Error {
  override readonly name = 'MakeListError';
}

export interface MadeList {
  readonly images: number;
  /** How many images each batch holds. */
  readonly batches: readonly number[];
  /** The JSON text of a batch map, `{"batch_1": […], …}`, one entry per line. */
  text(): Iterable<string>;
}

/**
 * Divides lines into batches, in their order. By count the batches differ by one image at most (10 lines in 4 batches:
 * 3, 3, 2, 2); no batch is empty. The lines are kept in `folder`, so that memory does not grow with them.
 * @throws MakeListError for no lines, and for sizes that are missing where they are needed
 */
export async function makeList(
  lines: AsyncIterable<ListLine>,
  division: ListDivision,
  folder: SpillFolder,
): Promise<MadeList> {
  const waiting = folder.file();
  const total = await gather(lines, waiting, division);
  const batches: number[] = [];
  for (const { startsBatch } of divide(waiting, total, division)) {
    if (startsBatch) batches.push(0);
    batches.push((batches.pop() ?? 0) + 1);
  }
  return { images: total.lines, batches, text: () => batchMap(divide(waiting, total, division)) };
}

type Total = Awaited<ReturnType<typeof gather>>;

async function gather(lines: AsyncIterable<ListLine>, waiting: SpillFile, { by }: ListDivision) {
  let count = 0;
  let bytes = 0;
  for await (const { entry, size } of lines) {
    if (by === 'bytes' && !isByteCount(size))
      throw new MakeListError(
        `The size of ${entry} is unknown: divide by count, or give a folder, a prefix or lines of 'aws s3 ls --recursive' with --bucket`,
      );
    count += 1;
    bytes += size ?? 0;
    waiting.append(Buffer.from(`${size ?? 0} ${JSON.stringify(entry)}\n`));
  }
  if (count === 0) throw new MakeListError('The input contains no images');
  return { lines: count, bytes };
}

/** The lines as JSON. */
function* divide(waiting: SpillFile, total: Total, division: ListDivision) {
  const batches = Math.min(division.batches, total.lines);
  const startsAt = division.by === 'count' ? startsByCount(total, batches) : startsByBytes(total, batches);
  let n = 0;
  for (const line of linesIn(waiting.pieces())) {
    const space = line.indexOf(' ');
    yield { entry: line.slice(space + 1), startsBatch: startsAt(n++, Number(line.slice(0, space))) };
  }
}

function* batchMap(lines: ReturnType<typeof divide>): Iterable<string> {
  let text = '{';
  let batch = 0;
  for (const { entry, startsBatch } of lines) {
    if (startsBatch) text += `${batch > 0 ? '],' : ''}\n"batch_${++batch}": [\n${entry}`;
    else text += `,\n${entry}`;
    if (text.length < CHUNK_CHARACTERS) continue;
    yield text;
    text = '';
  }
  yield `${text}]\n}\n`;
}

const CHUNK_CHARACTERS = 64 * 1024;

/** Whether line `n` starts a new batch; asked for each line in turn, with its size. */
type StartsAt = (n: number, size: number) => boolean;

/** The remainder goes to the first batches, one line each. */
function startsByCount({ lines }: Total, batches: number): StartsAt {
  const perBatch = Math.floor(lines / batches);
  const inLonger = (lines % batches) * (perBatch + 1);
  return (n) => (n < inLonger ? n % (perBatch + 1) === 0 : (n - inLonger) % perBatch === 0);
}

/** A batch starts where the middle of a line is past the share of the batches so far; none stays without a line. */
function startsByBytes({ lines, bytes }: Total, batches: number): StartsAt {
  let started = 0;
  let before = 0;
  return (n, size) => {
    const passes = before + size / 2 > (bytes * started) / batches;
    const lastChance = lines - n <= batches - started;
    before += size;
    if (started >= batches || !(n === 0 || passes || lastChance)) return false;
    started += 1;
    return true;
  };
}
