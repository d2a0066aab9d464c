import { open, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseS3Prefix, parseS3Uri } from '../src/core/s3-uri.ts';
import { LIST_BUCKET, SOURCE_BUCKET } from './local-buckets.ts';

/** What the user handed in, as the state machine's input wants it. */
export interface LocalInput {
  /** The folder served as the bucket `local-source`; undefined when all lies on S3. */
  readonly folder: string | undefined;
  /** The folder of the file list, served as the bucket `local-lists`. */
  readonly listFolder?: string;
  readonly fileList: string;
  readonly relativeTo: string | undefined;
  readonly out: string;
}

/** The input or the output folder cannot be used: exit code 2. */
export class InputError extends Error {
  override name = 'InputError';
}

/** Beside a job's papers: which folder `local-source` was, so that its failed.jsonl can be handed in again. */
export const SOURCE_NOTE = 'source.json';

/** Looks at what was handed in: a folder, a file list in it, or s3://. @throws InputError with what to do instead */
export async function resolveInput(input: string, out: string): Promise<LocalInput> {
  const outFolder = path.resolve(out);
  if (input.startsWith('s3://')) return s3Input(input, outFolder);
  const place = path.resolve(input);
  const kind = await stat(place).catch(() => undefined);
  if (!kind) throw new InputError(`Expected a folder or a file list but there is no ${place}`);
  if (kind.isDirectory()) {
    await refuseOverlap(place, outFolder);
    return { folder: place, fileList: `s3://${SOURCE_BUCKET}/`, relativeTo: undefined, out: outFolder };
  }
  await refuseUnreadable(place);
  const folder = await folderOfList(place);
  await refuseOutputsAround(folder, outFolder);
  return {
    folder,
    listFolder: path.dirname(place),
    fileList: `s3://${LIST_BUCKET}/${path.basename(place)}`,
    relativeTo: `s3://${SOURCE_BUCKET}/`,
    out: outFolder,
  };
}

/** What the entries of a list are relative to: its own folder, or for a job's failed.jsonl the folder of that job. */
async function folderOfList(list: string): Promise<string> {
  const folder = path.dirname(list);
  const note = await readFile(path.join(folder, SOURCE_NOTE), 'utf8').catch(() => undefined);
  return note === undefined ? folder : (JSON.parse(note) as { folder: string }).folder;
}

function s3Input(input: string, out: string): LocalInput {
  if (!parseS3Uri(input) && !parseS3Prefix(input)) {
    throw new InputError(
      `Expected s3://bucket/list.json or s3://bucket/prefix/ but received ${JSON.stringify(input)}`,
    );
  }
  return { folder: undefined, fileList: input, relativeTo: undefined, out };
}

/** Outputs among the sources would be taken for sources by the next run. */
async function refuseOverlap(folder: string, out: string): Promise<void> {
  const [inner, outer] = [await realPlace(out), await realpath(folder)];
  const advice = `Choose another, e.g. --out ${outer}-compressed`;
  if (isAtOrBelow(inner, outer))
    throw new InputError(`Expected --out outside the input folder ${folder} but received ${out}. ${advice}`);
  if (isAtOrBelow(outer, inner))
    throw new InputError(
      `Expected --out to be a folder that does not hold the input folder ${folder} (outputs could fall into it) but received ${out}. ${advice}`,
    );
}

/** A folder below that of a list may take the outputs: the list alone says what is a source. */
async function refuseOutputsAround(folder: string, out: string): Promise<void> {
  if (!isAtOrBelow(await realpath(folder), await realPlace(out))) return;
  throw new InputError(
    `Expected --out to be a folder that does not hold the folder of the list, ${folder} (outputs could fall among the sources), but received ${out}. Choose another, e.g. --out ${path.join(folder, 'compressed')}`,
  );
}

function isAtOrBelow(place: string, folder: string): boolean {
  const way = path.relative(folder, place);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

/** The real path of what need not exist yet. */
async function realPlace(place: string): Promise<string> {
  const real = await realpath(place).catch(() => undefined);
  if (real) return real;
  const parent = path.dirname(place);
  return parent === place ? place : path.join(await realPlace(parent), path.basename(place));
}

async function refuseUnreadable(place: string): Promise<void> {
  const file = await open(place).catch((cause: unknown) => {
    throw new InputError(
      `Expected a readable file list but ${place} cannot be opened: ${(cause as Error).message}`,
      { cause },
    );
  });
  await file.close();
}
