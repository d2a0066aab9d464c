import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';

/**
 * The file at a path within a bucket's real folder. A link is followed only to a file in the same bucket. Linked
 * folders are not entered: they could lead out of the bucket or in circles.
 */
export function readableFile(file: string, folder: string): Stats | undefined {
  const entry = entryAt(file);
  if (!entry || entry.isDirectory()) return undefined;
  const real = realPathOf(file);
  if (real === file) return entry.isFile() ? entry : undefined;
  if (real === undefined || !entry.isSymbolicLink() || !isInside(real, folder)) return undefined;
  const target = realPathOf(path.dirname(file)) === path.dirname(file) ? statSync(file) : undefined;
  return target?.isFile() ? target : undefined;
}

export function realPathOf(file: string): string | undefined {
  try {
    return realpathSync.native(file);
  } catch {
    return undefined;
  }
}

export function isInside(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}

const NOTHING_THERE = new Set(['ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

function entryAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (NOTHING_THERE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
