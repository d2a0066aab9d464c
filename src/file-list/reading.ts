import { type EntryProblems, type FileListEntry, isMismatch, type Mismatch } from '../core/file-list.ts';

/** What every format's reader is given besides the bytes. */
export interface Reading {
  /** `s3://bucket/key` of the list, for messages. */
  readonly name: string;
  readonly relativeTo: string | null;
  /** The bucket of the keys in lines of `aws s3 ls`; without it such lines are refused. */
  readonly listedBucket?: string | undefined;
  readonly problems: EntryProblems;
}

/** Entries come in lots: one hand-over per chunk of the list costs nothing, one per entry would cost most of the time. */
export type EntryLots = AsyncIterable<readonly FileListEntry[]>;

/** Puts a good entry into the lot and a bad one, with its place, among the problems. */
export function sort(
  read: FileListEntry | Mismatch,
  lot: FileListEntry[],
  { problems }: Reading,
  place: () => string,
): void {
  if (isMismatch(read)) problems.add(place(), read);
  else lot.push(read);
}
