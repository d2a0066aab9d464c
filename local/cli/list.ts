import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { FileListError } from '../../src/core/file-list.ts';
import { countOf } from '../../src/core/readable.ts';
import { isBucketName, parseS3Uri } from '../../src/core/s3-uri.ts';
import { type ListDivision, type MadeList, MakeListError, makeList } from '../../src/plan/make-list.ts';
import { openSpillFolder } from '../../src/plan/spill.ts';
import { EXIT } from './exit-codes.ts';
import { InputError } from './input-error.ts';
import { LIST_FOLDER, type ListInput, linesOf, s3Store } from './list-lines.ts';
import { parseOptions, printHelp, runCommand, UsageError, wholeNumber } from './run-command.ts';

const HELP = `image-press list: make a file list with the images divided into batches

  npm run list -- <file | folder | s3://bucket/prefix/> --batches N --out list.json

  <file>          one image per line, s3://bucket/key or a path, or any other file list of
                  docs/file-lists.md, which is then divided anew; with --bucket the output of
                  'aws s3 ls --recursive s3://NAME/…'
  <folder>        every image in it and below it, as paths
  <s3://…/>       every image below a prefix; without the slash at its end, a file list on S3

  --batches N     how many batches; fewer if there are fewer images
  --bucket NAME   the bucket of the keys that 'aws s3 ls' printed
  --bytes         make batches of about equal size instead of equal number
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

/** `npm run list`: divides the images of a file, a folder or a prefix into batches. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const command = readCommand(args);
  if (command === 'help') return printHelp(HELP);
  await refuseFolder(command.out);
  const folder = openSpillFolder();
  try {
    const list = await makeList(await linesOf(command), command.division, folder);
    await write(list, command.out);
    console.error(summaryOf(list, command.out));
    return EXIT.done;
  } finally {
    folder.remove();
  }
}

function readCommand(args: readonly string[]): (ListInput & { readonly division: ListDivision }) | 'help' {
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
  if (values.bucket !== undefined && !isBucketName(values.bucket))
    throw new UsageError(`'--bucket' must be the name of a bucket, '${values.bucket}' given`);
  const batches = wholeNumber('--batches', values.batches, 1, 10_000_000);
  const division = { batches, by: values.bytes ? 'bytes' : 'count' } as const;
  return { input, out: values.out, bucket: values.bucket, division };
}

async function refuseFolder(out: string): Promise<void> {
  if (out === '-' || out.startsWith('s3:')) return;
  const place = path.resolve(out);
  if ((await stat(place).catch(() => undefined))?.isDirectory())
    throw new UsageError(`Expected --out to be a file, e.g. ${path.join(out, 'list.json')}, but ${place} is a folder`);
}

async function write(list: MadeList, out: string): Promise<void> {
  if (out === '-') {
    for (const text of list.text()) process.stdout.write(text);
    return;
  }
  const stream = Readable.from(list.text());
  const location = parseS3Uri(out);
  if (location) return (await s3Store()).upload(location, stream, 'application/json');
  const place = path.resolve(out);
  const unfinished = `${place}.${process.pid}.part`;
  try {
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(unfinished, stream);
    await rename(unfinished, place);
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw new UsageError(`Expected to write --out ${place} but cannot: ${(cause as Error).message}`, { cause });
  }
}

function summaryOf({ images, batches }: MadeList, out: string): string {
  const sizes = batches.length > 12 ? `${batches.slice(0, 12).join(', ')}, …` : batches.join(', ');
  const destination = out === '-' ? '' : ` -> ${out}`;
  return `${countOf(images, 'image')} in ${countOf(batches.length, 'batch', 'batches')} (${sizes})${destination}`;
}

/** Whatever fails, no list is written: exit code 2. */
function asUsageError(error: unknown): never {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const explained = [UsageError, InputError, FileListError, MakeListError].some((kind) => error instanceof kind);
  const text = explained ? message.replaceAll(LIST_FOLDER, 'the folder of the list') : `${name}: ${message}`;
  throw new UsageError(text, { cause: error });
}

void runCommand((args) => main(args).catch(asUsageError));
