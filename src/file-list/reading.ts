import { type EntryProblems, type FileListEntry, isMismatch, type Mismatch } from '../core/file-list.ts';
import type { Block } from './lines.ts';

/** What the reader of every format is given besides the bytes. */
export interface Reading {
  /** `s3://bucket/key` of the list, for messages. */
  readonly name: string;
  readonly relativeTo: string | null;
  /** The bucket of the keys in lines of `aws s3 ls`; without it such lines are refused. */
  readonly listedBucket?: string | undefined;
  readonly problems: EntryProblems;
}

/**
 * Entries come in chunks, about one for each chunk of bytes: an await per chunk costs nothing, an await per entry
 * would take most of the time.
 */
export type EntryChunks = AsyncIterable<readonly FileListEntry[]>;

/**
 * The entries of a format with one entry per line.
 * @param readEntry undefined for a line that holds no entry
 * @param of ` of s3://bucket/key` where the lines are not those of the list itself, for messages
 */
export async function* readEachLine<Line>(
  blocks: AsyncIterable<Block<Line>>,
  { problems }: Reading,
  readEntry: (line: Line, number: number) => FileListEntry | Mismatch | undefined,
  of = '',
): EntryChunks {
  for await (const { first, lines } of blocks) {
    const entries: FileListEntry[] = [];
    lines.forEach((line, index) => {
      const read = readEntry(line, first + index);
      if (read === undefined) return;
      if (isMismatch(read)) {
        const column = read.column === undefined ? '' : `, column ${read.column}`;
        problems.add(`line ${first + index}${column}${of}`, read);
      } else entries.push(read);
    });
    yield entries;
  }
}
