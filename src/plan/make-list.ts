import { isByteCount } from '../core/file-list.ts';
import { linesIn } from '../core/lines.ts';
import type { SpillFile, SpillFolder } from './spill.ts';

/** One image of a list to be: the entry as it will stand there, and its size where it is known. */
export interface ListLine {
  readonly entry: string;
  readonly size?: number | undefined;
}

export interface ListCut {
  readonly batches: number;
  /** count: equal numbers of images. bytes: about equal sums of sizes. */
  readonly by: 'count' | 'bytes';
}

/** A list that cannot be cut; the message says what to do. */
export class MakeListError extends Error {
  override readonly name = 'MakeListError';
}

export interface MadeList {
  readonly images: number;
  /** How many images each batch holds. */
  readonly batches: readonly number[];
  /** The JSON text of a batch map, `{"batch_1": […], …}`, an entry a line. */
  text(): Iterable<string>;
}

/**
 * Cuts lines into batches, in their order. By count the batches differ by one image at most (10 lines in 4 batches:
 * 3, 3, 2, 2); no batch is empty. The lines wait in `folder`, so that memory does not grow with them.
 * @throws MakeListError for no lines, and for sizes that are missing where they are needed
 */
export async function makeList(
  lines: AsyncIterable<ListLine>,
  cut: ListCut,
  folder: SpillFolder,
): Promise<MadeList> {
  const waiting = folder.file();
  const total = await gather(lines, waiting, cut);
  const batches: number[] = [];
  for (const { opens } of cutLines(waiting, total, cut)) {
    if (opens) batches.push(0);
    batches[batches.length - 1]! += 1;
  }
  return { images: total.lines, batches, text: () => batchMap(cutLines(waiting, total, cut)) };
}

interface CutLine {
  /** As JSON. */
  readonly entry: string;
  readonly opens: boolean;
}

interface Total {
  readonly lines: number;
  readonly bytes: number;
}

async function gather(lines: AsyncIterable<ListLine>, waiting: SpillFile, { by }: ListCut): Promise<Total> {
  let count = 0;
  let bytes = 0;
  for await (const { entry, size } of lines) {
    if (by === 'bytes' && !isByteCount(size))
      throw new MakeListError(
        `The size of ${entry} is not known: cut by count, or give a folder, a prefix or lines of 'aws s3 ls --recursive' with --bucket`,
      );
    count += 1;
    bytes += size ?? 0;
    waiting.append(Buffer.from(`${size ?? 0} ${JSON.stringify(entry)}\n`));
  }
  if (count === 0) throw new MakeListError('There is no image to list');
  return { lines: count, bytes };
}

function* cutLines(waiting: SpillFile, total: Total, cut: ListCut): Iterable<CutLine> {
  const batches = Math.min(cut.batches, total.lines);
  const opensAt = cut.by === 'count' ? bordersByCount(total, batches) : bordersByBytes(total, batches);
  let n = 0;
  for (const { entry, size } of waitingLines(waiting)) yield { entry, opens: opensAt(n++, size) };
}

function* batchMap(lines: Iterable<CutLine>): Iterable<string> {
  let text = '{';
  let batch = 0;
  for (const { entry, opens } of lines) {
    if (opens) text += `${batch > 0 ? '],' : ''}\n"batch_${++batch}": [\n${entry}`;
    else text += `,\n${entry}`;
    if (text.length < CHUNK_CHARACTERS) continue;
    yield text;
    text = '';
  }
  yield `${text}]\n}\n`;
}

const CHUNK_CHARACTERS = 64 * 1024;

/** Whether line `n` opens a new batch; asked for each line in turn, with its size. */
type OpensAt = (n: number, size: number) => boolean;

/** The first batches take one line more until the remainder is gone. */
function bordersByCount({ lines }: Total, batches: number): OpensAt {
  const least = Math.floor(lines / batches);
  const longer = lines % batches;
  return (n) => {
    const inLonger = n < longer * (least + 1);
    return inLonger ? n % (least + 1) === 0 : (n - longer * (least + 1)) % least === 0;
  };
}

/** A border falls where the middle of a line passes the share of the batches so far; none stays without a line. */
function bordersByBytes({ lines, bytes }: Total, batches: number): OpensAt {
  let open = 0;
  let before = 0;
  return (n, size) => {
    const passes = before + size / 2 > (bytes * open) / batches;
    const lastChance = lines - n <= batches - open;
    before += size;
    if (open >= batches || !(n === 0 || passes || lastChance)) return false;
    open += 1;
    return true;
  };
}

function* waitingLines(waiting: SpillFile): Iterable<{ readonly entry: string; readonly size: number }> {
  for (const line of linesIn(waiting.pieces())) {
    const space = line.indexOf(' ');
    yield { size: Number(line.slice(0, space)), entry: line.slice(space + 1) };
  }
}
