import { mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OWN_FOLDER } from '../cloud/local-buckets.ts';
import { InputError } from './input-error.ts';

/** Where job files, logs and the S3 metadata of outputs are stored: next to the folder of the outputs. */
export function homeOf(out: string): string {
  return path.join(path.dirname(path.resolve(out)), OWN_FOLDER);
}

/**
 * Makes the folder of the outputs and the one next to it, and tests that both are writable before the job starts.
 * @throws InputError with the reason and what to do instead
 */
export async function prepareOutput(out: string): Promise<void> {
  const folder = path.resolve(out);
  await makeWritable(folder).catch((cause: Error) => {
    throw new InputError(
      `Expected --out to be a writable folder but received ${folder}: ${cause.message}. Choose another, e.g. --out ~/compressed`,
      { cause },
    );
  });
  const home = homeOf(folder);
  await makeWritable(home).catch((cause: Error) => {
    throw new InputError(
      `Expected to write reports and the S3 metadata of outputs to ${home}, next to --out, but cannot: ${cause.message}. Choose an --out whose parent folder is writable, e.g. --out ${path.join(folder, 'compressed')}`,
      { cause },
    );
  });
}

async function makeWritable(folder: string): Promise<void> {
  await makeFolder(folder);
  const trial = path.join(folder, `.image-press-trial-${process.pid}`);
  await writeFile(trial, '').finally(() => rm(trial, { force: true }));
}

/** Step by step: mkdir's own recursion never ends where no folder can be made, as below /proc. */
async function makeFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return;
  if (found) throw new Error(`${folder} is a file`);
  await makeFolder(path.dirname(folder));
  await mkdir(folder);
}

/** The next run would treat outputs among the sources as sources. */
export async function refuseOverlap(folder: string, out: string): Promise<void> {
  const [inner, outer] = [await realPlace(out), await realpath(folder)];
  const advice = `Choose another, e.g. --out ${outer}-compressed`;
  if (isAtOrBelow(inner, outer))
    throw new InputError(`Expected --out outside the input folder ${folder} but received ${out}. ${advice}`);
  if (isAtOrBelow(outer, inner))
    throw new InputError(
      `Expected --out to be a folder that does not contain the input folder ${folder} (outputs could fall into it) but received ${out}. ${advice}`,
    );
}

/** Outputs may go below the folder of a list: only the list says what is a source. */
export async function refuseOutputsAround(folder: string, out: string, kind: 'list' | 'image') {
  if (!isAtOrBelow(await realpath(folder), await realPlace(out))) return;
  throw new InputError(
    `Expected --out to be a folder that does not contain the folder of the ${kind}, ${folder} (outputs could fall among the sources), but received ${out}. Choose another, e.g. --out ${path.join(folder, 'compressed')}`,
  );
}

export function isAtOrBelow(place: string, folder: string): boolean {
  const relative = path.relative(folder, place);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** The real path of a folder that may not exist yet. */
async function realPlace(place: string): Promise<string> {
  const real = await realpath(place).catch(() => undefined);
  if (real) return real;
  const parent = path.dirname(place);
  return parent === place ? place : path.join(await realPlace(parent), path.basename(place));
}
