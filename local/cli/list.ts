import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FileListError } from '../../src/core/file-list.ts';
import type { Job } from '../../src/core/job.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { formatByName } from '../../src/core/output-key.ts';
import { formatS3Uri, isBucketName, parseS3Prefix, parseS3Uri } from '../../src/core/s3-uri.ts';
import { readFileList, readListBytes } from '../../src/file-list/read-file-list.ts';
import type { EntryChunks } from '../../src/file-list/reading.ts';
import {
  type ListDivision,
  type ListLine,
  type MadeList,
  MakeListError,
  makeList,
} from '../../src/plan/make-list.ts';
import { openSpillFolder } from '../../src/plan/spill.ts';
import { InputError } from './input-error.ts';
import { parseOptions, UsageError, wholeNumber } from './options.ts';
import { isAtOrBelow } from './output-folder.ts';
import { filesIn } from './walk-folder.ts';

const HELP = `image-press list: make a file list with the images cut into batches

  npm run list -- <file | folder | s3://bucket/prefix/> --batches N --out list.json

  <file>          a line for each image, s3://bucket/key or a path, or any other file list of
                  docs/file-lists.md, which is then cut anew; with --bucket what
                  'aws s3 ls --recursive s3://NAME/…' printed
  <folder>        every image in it and below it, as paths
  <s3://…/>       every image below a prefix; without the slash at its end, a file list on S3

  --batches N     how many batches; fewer where there are fewer images
  --bucket NAME   the bucket of the keys that 'aws s3 ls' printed
  --bytes         cut into batches of about equal size instead of equal number
  --out PLACE     list.json or s3://bucket/key, or - for standard output
  --help          this text

Exit code: 0 the list is written · 2 it is not, and the message says why`;

const OPTIONS = {
  batches: { type: 'string' },
  bucket: { type: 'string' },
  bytes: { type: 'boolean' },
  out: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface ListCommand {
  readonly input: string;
  readonly out: string;
  readonly bucket: string | undefined;
  readonly division: ListDivision;
}

/** `npm run list`: the entries of a file, a folder or a prefix, cut into batches. */
async function main(args: readonly string[]): Promise<void> {
  const command = readCommand(args);
  if (command === 'help') {
    console.log(HELP);
    return;
  }
  await refuseFolder(command.out);
  const folder = openSpillFolder();
  try {
    const list = await makeList(await linesOf(command), command.division, folder);
    await write(list, command.out);
    tell(list, command.out);
  } finally {
    folder.remove();
  }
}

function readCommand(args: readonly string[]): ListCommand | 'help' {
  const { values, positionals } = parseOptions(args, OPTIONS, 'npm run list -- --help');
  if (values.help) return 'help';
  const [input] = positionals;
  if (input === undefined || positionals.length > 1)
    throw new UsageError(
      `Expected one file, folder or s3:// prefix but received ${positionals.join(' ') || 'none'}. See npm run list -- --help`,
    );
  if (values.batches === undefined) throw new UsageError('Expected --batches N: how many batches to make');
  if (values.out === undefined) throw new UsageError('Expected --out list.json, s3://bucket/key or -');
  if (values.out.startsWith('s3:') && !parseS3Uri(values.out))
    throw new UsageError(`Expected --out s3://bucket/key but received ${values.out}`);
  return {
    input,
    out: values.out,
    bucket: bucketOf(values.bucket),
    division: {
      batches: wholeNumber('--batches', values.batches, 1, 10_000_000),
      by: values.bytes ? 'bytes' : 'count',
    },
  };
}

async function refuseFolder(out: string): Promise<void> {
  const place = path.resolve(out);
  if (out === '-' || out.startsWith('s3:') || !(await stat(place).catch(() => undefined))?.isDirectory())
    return;
  throw new UsageError(
    `Expected --out to be a file, e.g. ${path.join(out, 'list.json')}, but ${place} is a folder`,
  );
}

function bucketOf(name: string | undefined): string | undefined {
  if (name === undefined || isBucketName(name)) return name;
  throw new UsageError(`'--bucket' must be the name of a bucket, '${name}' given`);
}

const NO_FILTER: Job['select'] = { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null };
/** Stands for the place of a local list while its paths are read; it never gets into a list. */
const HERE = 's3://paths-of-this-list/';

async function linesOf({ input, out, bucket }: ListCommand): Promise<AsyncIterable<ListLine>> {
  const kind = await stat(input).catch(() => undefined);
  if (bucket !== undefined && !kind?.isFile())
    throw new UsageError(
      `'--bucket' must be left out but for a file with lines of 'aws s3 ls', '${bucket}' given`,
    );
  if (input.startsWith('s3:')) return linesFromS3(input);
  if (!kind)
    throw new UsageError(
      `Expected a file, a folder or an s3:// prefix but there is no ${path.resolve(input)}`,
    );
  if (kind.isDirectory()) return linesFromFolder(path.resolve(input), out);
  // Of a listing every line names an object: none is a path.
  const list = { name: input, relativeTo: bucket === undefined ? HERE : null, listedBucket: bucket };
  // A local file reads nothing from S3, save an inventory's manifest its data files.
  const read: ObjectStore['read'] = async function* (location) {
    yield* (await s3Store()).read(location);
  };
  const store = { read } as ObjectStore;
  const chunks = readListBytes(createReadStream(input), list, { store, select: NO_FILTER });
  const lines = linesOfEntries(chunks, pathsIn(path.dirname(path.resolve(input)), out));
  return bucket === undefined ? lines : onlyImages(lines);
}

async function linesFromS3(input: string): Promise<AsyncIterable<ListLine>> {
  const prefix = parseS3Prefix(input);
  if (!prefix && !parseS3Uri(input))
    throw new UsageError(`Expected s3://bucket/prefix/ or s3://bucket/key of a list but received ${input}`);
  const chunks = readFileList({ fileList: input, relativeTo: null, select: NO_FILTER }, await s3Store());
  return prefix ? onlyImages(linesOfEntries(chunks)) : linesOfEntries(chunks);
}

/** Loading the SDK takes longer than most lists do. */
async function s3Store(): Promise<ObjectStore> {
  const { createS3Client, createS3Store } = await import('../../src/store/s3-store.ts');
  return createS3Store(createS3Client());
}

/** @param paths where the paths of a local list start from; a list on S3 has none */
async function* linesOfEntries(chunks: EntryChunks, paths?: Paths): AsyncIterable<ListLine> {
  let toTell = paths?.way === undefined;
  for await (const entries of chunks)
    for (const entry of entries) {
      const uri = formatS3Uri(entry);
      const isPath = uri.startsWith(HERE);
      if (isPath && toTell) tellPlace(paths!);
      toTell &&= !isPath;
      yield { entry: isPath ? (paths?.way ?? '') + uri.slice(HERE.length) : uri, size: entry.size };
    }
}

async function linesFromFolder(folder: string, out: string): Promise<AsyncIterable<ListLine>> {
  const paths = pathsIn(folder, out);
  if (paths.way === undefined) tellPlace(paths);
  return onlyImages(linesOfFiles(folder, paths.way ?? ''));
}

/** Where paths start from, and how a list gets there. */
interface Paths {
  readonly folder: string;
  /** From the list's own folder, `''` or `photos/`; undefined where that is not above. */
  readonly way: string | undefined;
}

function pathsIn(folder: string, out: string): Paths {
  if (out.startsWith('s3:')) return { folder, way: undefined };
  const home = out === '-' ? process.cwd() : path.dirname(path.resolve(out));
  if (!isAtOrBelow(folder, home)) return { folder, way: undefined };
  const way = path.relative(home, folder);
  return { folder, way: way && `${way.split(path.sep).join('/')}/` };
}

function tellPlace({ folder }: Paths): void {
  console.error(`The paths are relative to ${folder}: put the list there, or name it in 'relativeTo'`);
}

async function* linesOfFiles(folder: string, way: string): AsyncIterable<ListLine> {
  for await (const { key, stat: look } of filesIn(folder, console.error))
    yield { entry: way + key, size: look().size };
}

async function* onlyImages(lines: AsyncIterable<ListLine>): AsyncIterable<ListLine> {
  let others = 0;
  for await (const line of lines) {
    if (formatByName(line.entry)) yield line;
    else others += 1;
  }
  if (others > 0) console.error(`Left out ${others} that are no images by name`);
}

async function write(list: MadeList, out: string): Promise<void> {
  if (out === '-') {
    for (const text of list.text()) process.stdout.write(text);
    return;
  }
  const location = parseS3Uri(out);
  if (location) return (await s3Store()).upload(location, eachOf(list), 'application/json');
  const place = path.resolve(out);
  const unfinished = `${place}.${process.pid}.part`;
  try {
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(unfinished, eachOf(list));
    await rename(unfinished, place);
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw new UsageError(`Expected to write --out ${place} but cannot: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function* eachOf(list: MadeList): AsyncIterable<string> {
  yield* list.text();
}

function tell({ images, batches }: MadeList, out: string): void {
  const sizes = batches.length > 12 ? `${batches.slice(0, 12).join(', ')}, …` : batches.join(', ');
  console.error(
    `${images} ${images === 1 ? 'image' : 'images'} in ${batches.length} ${batches.length === 1 ? 'batch' : 'batches'} (${sizes})${out === '-' ? '' : ` -> ${out}`}`,
  );
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const hint =
    error instanceof UsageError ||
    error instanceof InputError ||
    error instanceof FileListError ||
    error instanceof MakeListError;
  console.error(hint ? message.replaceAll(HERE, 'the folder of the list') : `${name}: ${message}`);
  process.exitCode = 2;
});
