import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Job } from '../../src/core/job.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { formatByName } from '../../src/core/output-key.ts';
import { countOf } from '../../src/core/readable.ts';
import { formatS3Uri, parseS3Prefix, parseS3Uri } from '../../src/core/s3-uri.ts';
import { readFileList, readListBytes } from '../../src/file-list/read-file-list.ts';
import type { EntryChunks } from '../../src/file-list/reading.ts';
import type { ListLine } from '../../src/plan/make-list.ts';
import { isAtOrBelow } from './output-folder.ts';
import { UsageError } from './run-command.ts';
import { filesIn } from './walk-folder.ts';

const NO_FILTER: Job['select'] = { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null };
/** Stands for the folder of a local list while its paths are read; it never gets into a list. */
export const LIST_FOLDER = 's3://paths-of-this-list/';

export type ListInput = Readonly<{ input: string; out: string; bucket: string | undefined }>;

/** The lines of the new list, from a file, a folder, or S3. @throws UsageError, and FileListError while they are read */
export async function linesOf({ input, out, bucket }: ListInput): Promise<AsyncIterable<ListLine>> {
  const kind = await stat(input).catch(() => undefined);
  if (bucket !== undefined && !kind?.isFile())
    throw new UsageError(`'--bucket' works only with a file of lines that 'aws s3 ls' printed, '${bucket}' given`);
  if (input.startsWith('s3:')) return linesFromS3(input);
  if (!kind)
    throw new UsageError(`Expected a file, a folder or an s3:// prefix but there is no ${path.resolve(input)}`);
  if (kind.isDirectory()) return linesFromFolder(path.resolve(input), out);
  return linesFromFile(input, out, bucket);
}

function linesFromFile(file: string, out: string, bucket: string | undefined): AsyncIterable<ListLine> {
  // In the output of `aws s3 ls` every line names an object: none is a path.
  const list = { name: file, relativeTo: bucket === undefined ? LIST_FOLDER : null, listedBucket: bucket };
  // Only an inventory's manifest reads from S3, its data files.
  const read: ObjectStore['read'] = async function* (location) {
    yield* (await s3Store()).read(location);
  };
  const store = { read } as ObjectStore;
  const chunks = readListBytes(createReadStream(file), list, { store, select: NO_FILTER });
  const lines = linesOfEntries(chunks, pathsIn(path.dirname(path.resolve(file)), out));
  return bucket === undefined ? lines : onlyImages(lines);
}

async function linesFromS3(input: string): Promise<AsyncIterable<ListLine>> {
  const prefix = parseS3Prefix(input);
  if (!prefix && !parseS3Uri(input))
    throw new UsageError(`Expected s3://bucket/prefix/ or s3://bucket/key of a list but received ${input}`);
  const chunks = readFileList({ fileList: input, relativeTo: null, select: NO_FILTER }, await s3Store());
  return prefix ? onlyImages(linesOfEntries(chunks)) : linesOfEntries(chunks);
}

/** Imported late: loading the SDK takes longer than making most lists. */
export async function s3Store(): Promise<ObjectStore> {
  const { createS3Client, createS3Store } = await import('../../src/store/s3-store.ts');
  return createS3Store(createS3Client());
}

/** @param paths where the paths of a local list start; a list on S3 has none */
async function* linesOfEntries(chunks: EntryChunks, paths?: Paths): AsyncIterable<ListLine> {
  let isHintDue = paths !== undefined && paths.prefix === undefined;
  for await (const entries of chunks)
    for (const entry of entries) {
      const uri = formatS3Uri(entry);
      const isPath = uri.startsWith(LIST_FOLDER);
      if (paths && isPath && isHintDue) printRelativeTo(paths);
      isHintDue &&= !isPath;
      const name = isPath ? (paths?.prefix ?? '') + uri.slice(LIST_FOLDER.length) : uri;
      yield { entry: name, size: entry.size };
    }
}

function linesFromFolder(folder: string, out: string): AsyncIterable<ListLine> {
  const paths = pathsIn(folder, out);
  if (paths.prefix === undefined) printRelativeTo(paths);
  const lines = async function* (): AsyncIterable<ListLine> {
    for await (const { key, stat } of filesIn(folder, console.error))
      yield { entry: (paths.prefix ?? '') + key, size: stat().size };
  };
  return onlyImages(lines());
}

type Paths = ReturnType<typeof pathsIn>;

/**
 * The folder that paths are relative to, and how they are written in the list.
 * @returns `prefix`: the way from the folder of the list, `''` or `photos/`; undefined where the folder is not below it
 */
function pathsIn(folder: string, out: string) {
  const home = out === '-' ? process.cwd() : path.dirname(path.resolve(out));
  if (out.startsWith('s3:') || !isAtOrBelow(folder, home)) return { folder };
  const prefix = path.relative(home, folder);
  return { folder, prefix: prefix && `${prefix.split(path.sep).join('/')}/` };
}

function printRelativeTo({ folder }: Paths): void {
  console.error(
    `The paths are relative to ${folder}. Put the list into that folder. For a deployed job, set 'relativeTo' to s3://bucket/prefix/`,
  );
}

async function* onlyImages(lines: AsyncIterable<ListLine>): AsyncIterable<ListLine> {
  let skipped = 0;
  for await (const line of lines) {
    if (formatByName(line.entry)) yield line;
    else skipped += 1;
  }
  if (skipped > 0) console.error(`Skipped ${countOf(skipped, 'file')} without an image extension`);
}
