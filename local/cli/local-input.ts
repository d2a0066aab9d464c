import { open, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseS3Prefix, parseS3Uri, type S3Location } from '../../src/core/s3-uri.ts';
import { LIST_BUCKET, SOURCE_BUCKET } from '../cloud/local-buckets.ts';
import { InputError } from './input-error.ts';
import { refuseOutputsAround, refuseOverlap } from './output-folder.ts';
import { filesIn } from './walk-folder.ts';

/** What the user gave, as the state machine's input needs it. */
export interface LocalInput {
  /** The folder served as the bucket `local-source`; undefined when everything is in S3. */
  readonly folder?: string;
  /** The folder of the file list, served as the bucket `local-lists`. */
  readonly listFolder?: string;
  /** `s3://…` of it, or its entries where the user gave no list. */
  readonly fileList: string | readonly S3Location[];
  readonly relativeTo?: string;
  readonly out: string;
  /** What the folder contains that is skipped. */
  readonly note?: string | undefined;
}

/** Where outputs go when neither `--out` nor an earlier job says so. */
export const DEFAULT_OUT = 'compressed';

/** One of a job's files: the folders that a retry with its failed.jsonl reads and writes. */
export const JOB_FOLDERS = 'folders.json';
export interface JobFolders {
  /** The folder that `local-source` was; undefined when everything was in S3. */
  readonly folder?: string | undefined;
  readonly out: string;
}

/**
 * Resolves the input: a folder, an image, a file list, or s3://.
 * @param out the folder for outputs; where it is undefined, a failed.jsonl uses the folder of its job
 * @throws InputError with what to do instead
 */
export async function resolveInput(input: string, out: string | undefined): Promise<LocalInput> {
  const outFolder = path.resolve(out ?? DEFAULT_OUT);
  if (parseS3Uri(input) || parseS3Prefix(input)) return { fileList: input, out: outFolder };
  if (input.startsWith('s3://'))
    throw new InputError(`Expected s3://bucket/list.json or s3://bucket/prefix/ but received ${JSON.stringify(input)}`);
  const place = path.resolve(input);
  const kind = await stat(place).catch(() => undefined);
  if (!kind) throw new InputError(`Expected a folder, an image or a file list but there is no ${place}`);
  if (kind.isDirectory()) return folderInput(place, outFolder);
  if (!kind.isFile()) throw new InputError(`Expected a folder, an image or a file list but ${place} is neither`);
  return (await isImage(place)) ? imageInput(place, outFolder) : listInput(place, out);
}

/** @throws InputError for folders that may not be read, and for a folder without files */
async function folderInput(folder: string, out: string): Promise<LocalInput> {
  await refuseOverlap(folder, out);
  // Walked before the job starts, so that nothing is skipped silently.
  const notes: string[] = [];
  let files = 0;
  for await (const _file of filesIn(folder, (note) => notes.push(note))) files += 1;
  if (files > 0) return { folder, fileList: `s3://${SOURCE_BUCKET}/`, out, note: notes[0] };
  const problem = `Expected images below ${path.join(folder, path.sep)} but found none: it contains no file`;
  throw new InputError([problem, ...notes].join('. '));
}

/** One image is a list of one in its folder. */
async function imageInput(place: string, out: string): Promise<LocalInput> {
  const file = await realpath(place);
  const folder = path.dirname(file);
  await refuseOutputsAround(folder, out, 'image');
  const fileList = [{ bucket: SOURCE_BUCKET, key: path.basename(file) }];
  return { folder, fileList, out };
}

async function listInput(place: string, askedOut: string | undefined): Promise<LocalInput> {
  const list = await realpath(place);
  const job = await jobOfList(place);
  const folder = job?.folder ?? path.dirname(place);
  const out = path.resolve(askedOut ?? job?.out ?? DEFAULT_OUT);
  await refuseOutputsAround(folder, out, 'list');
  return {
    folder,
    listFolder: path.dirname(list),
    fileList: `s3://${LIST_BUCKET}/${path.basename(list)}`,
    relativeTo: `s3://${SOURCE_BUCKET}/`,
    out,
  };
}

/** The folders of the job that a list is one of the files of. Its failed.jsonl is relative to the folder it read. */
async function jobOfList(list: string): Promise<JobFolders | undefined> {
  const text = await readFile(path.join(path.dirname(list), JOB_FOLDERS), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const job = JSON.parse(text) as JobFolders;
  if (job.folder === undefined || (await stat(job.folder).catch(() => undefined))) return job;
  throw new InputError(`Expected the folder that this job read, but ${job.folder} no longer exists`);
}

/** By its first bytes. @throws InputError when it cannot be opened */
async function isImage(place: string): Promise<boolean> {
  const file = await open(place).catch((cause: unknown) => {
    throw new InputError(
      `Expected a readable image or file list but ${place} cannot be opened: ${(cause as Error).message}`,
      { cause },
    );
  });
  // What sniffFormat looks at.
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4096), position: 0 });
  await file.close();
  // Only here: it loads libvips, which most commands do not need.
  const { sniffFormat } = await import('../../src/codec/inspect-image.ts');
  return sniffFormat(buffer.subarray(0, bytesRead)) !== undefined;
}
