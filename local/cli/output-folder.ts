import { mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OWN_FOLDER } from '../cloud/local-buckets.ts';
import { InputError } from './input-error.ts';

/** Where job files, logs and what the outputs are known by lie: beside the outputs. */
export function homeOf(out: string): string {
  return path.join(path.dirname(path.resolve(out)), OWN_FOLDER);
}

/**
 * Makes the folder of the outputs and the one beside it, and tries both before any work is done.
 * @throws InputError with the reason and what to do instead
 */
export async function prepareOutput(out: string): Promise<void> {
  const folder = path.resolve(out);
  await makeWritable(folder).catch((cause: Error) => {
    throw new InputError(
      `Expected --out to be a folder that can be written to but received ${folder}: ${cause.message}. Choose another, e.g. --out ~/compressed`,
      { cause },
    );
  });
  const home = homeOf(folder);
  await makeWritable(home).catch((cause: Error) => {
    throw new InputError(
      `Expected to write reports and what the outputs are known by to ${home}, beside --out, but it cannot be done: ${cause.message}. Choose an --out whose parent can be written to, e.g. --out ${path.join(folder, 'compressed')}`,
      { cause },
    );
  });
}

async function makeWritable(folder: string): Promise<void> {
  await makeFolder(folder);
  const trial = path.join(folder, `.image-press-trial-${process.pid}`);
  try {
    await writeFile(trial, '');
  } finally {
    await rm(trial, { force: true });
  }
}

/** Step by step: mkdir's own recursion never ends where nothing can be made, as below /proc. */
async function makeFolder(folder: string): Promise<void> {
  const there = await stat(folder).catch(() => undefined);
  if (there?.isDirectory()) return;
  if (there) throw new Error(`${folder} is a file`);
  await makeFolder(path.dirname(folder));
  await mkdir(folder);
}

/** Outputs among the sources would be taken for sources by the next run. */
export async function refuseOverlap(folder: string, out: string): Promise<void> {
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
export async function refuseOutputsAround(
  folder: string,
  out: string,
  handedIn: 'list' | 'image',
): Promise<void> {
  if (!isAtOrBelow(await realpath(folder), await realPlace(out))) return;
  throw new InputError(
    `Expected --out to be a folder that does not hold the folder of the ${handedIn}, ${folder} (outputs could fall among the sources), but received ${out}. Choose another, e.g. --out ${path.join(folder, 'compressed')}`,
  );
}

export function isAtOrBelow(place: string, folder: string): boolean {
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
